package flight

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go"

	"github.com/fstore-dev/fstore"
)

const (
	decimalBytes = 16
	dayMillis    = 24 * 60 * 60 * 1000
	secondMillis = 1000
	maxInMillis  = math.MaxInt64 / secondMillis
	minInMillis  = math.MinInt64 / secondMillis
)

// nodeOf returns the type that Parquet has for a type of labels. Parquet has no seconds, and dates only in days.
func nodeOf(t arrow.DataType) parquet.Node {
	switch t := t.(type) {
	case *arrow.BooleanType:
		return parquet.Leaf(parquet.BooleanType)
	case *arrow.Int8Type, *arrow.Int16Type, *arrow.Int32Type, *arrow.Int64Type:
		return parquet.Int(t.(arrow.FixedWidthDataType).BitWidth())
	case *arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type, *arrow.Uint64Type:
		return parquet.Uint(t.(arrow.FixedWidthDataType).BitWidth())
	case *arrow.Float32Type:
		return parquet.Leaf(parquet.FloatType)
	case *arrow.Float64Type:
		return parquet.Leaf(parquet.DoubleType)
	case *arrow.Decimal128Type:
		return parquet.Decimal(int(t.Scale), int(t.Precision), parquet.FixedLenByteArrayType(decimalBytes))
	case *arrow.Date32Type, *arrow.Date64Type:
		return parquet.Date()
	case *arrow.Time32Type:
		return parquet.TimeAdjusted(parquet.Millisecond, false)
	case *arrow.Time64Type:
		return parquet.TimeAdjusted(parquetUnit(t.Unit), false)
	case *arrow.TimestampType:
		return parquet.TimestampAdjusted(parquetUnit(t.Unit), t.TimeZone != "")
	case *arrow.StringType, *arrow.LargeStringType:
		return parquet.String()
	case arrow.ListLikeType:
		return parquet.List(parquet.Optional(nodeOf(t.Elem())))
	}
	return parquet.Leaf(parquet.ByteArrayType)
}

func parquetUnit(u arrow.TimeUnit) parquet.TimeUnit {
	switch u {
	case arrow.Microsecond:
		return parquet.Microsecond
	case arrow.Nanosecond:
		return parquet.Nanosecond
	}
	return parquet.Millisecond
}

// valueOf returns the value of a row that is not null. A text, of so many bytes, shares the memory of the column.
func valueOf(c arrow.Array, row int) (v parquet.Value, text int, err error) {
	switch c := c.(type) {
	case array.BinaryLike:
		if text = c.ValueLen(row); text == 0 { // there may be no buffer
			return parquet.ByteArrayValue([]byte{}), 0, nil
		}
		begin := c.ValueOffset64(row)
		return parquet.ByteArrayValue(c.Data().Buffers()[2].Bytes()[begin : begin+int64(text)]), text, nil
	case *array.Date32, *array.Date64, *array.Time32, *array.Time64, *array.Timestamp:
		v, err = instantOf(c, row)
		return v, 0, err
	}
	v, err = plainValue(c, row)
	return v, 0, err
}

// plainValue returns a truth value or a number.
func plainValue(c arrow.Array, row int) (v parquet.Value, err error) {
	switch c := c.(type) {
	case *array.Boolean:
		return parquet.BooleanValue(c.Value(row)), nil
	case *array.Int8:
		return parquet.Int32Value(int32(c.Value(row))), nil
	case *array.Int16:
		return parquet.Int32Value(int32(c.Value(row))), nil
	case *array.Int32:
		return parquet.Int32Value(c.Value(row)), nil
	case *array.Int64:
		return parquet.Int64Value(c.Value(row)), nil
	case *array.Uint8:
		return parquet.Int32Value(int32(c.Value(row))), nil
	case *array.Uint16:
		return parquet.Int32Value(int32(c.Value(row))), nil
	case *array.Uint32:
		return parquet.Int32Value(int32(c.Value(row))), nil
	case *array.Uint64:
		return parquet.Int64Value(int64(c.Value(row))), nil
	case *array.Float32:
		return parquet.FloatValue(c.Value(row)), nil
	case *array.Float64:
		return parquet.DoubleValue(c.Value(row)), nil
	case *array.Decimal128:
		return decimalValue(c, row), nil
	}
	return v, notLabels(c.DataType())
}

// instantOf returns a value of a column of dates, of times or of timestamps.
func instantOf(c arrow.Array, row int) (v parquet.Value, err error) {
	switch c := c.(type) {
	case *array.Date32:
		return parquet.Int32Value(int32(c.Value(row))), nil
	case *array.Date64:
		days := math.Floor(float64(c.Value(row)) / dayMillis)
		if days != float64(int32(days)) {
			return v, outOfRange(c, row)
		}
		return parquet.Int32Value(int32(days)), nil
	case *array.Time32:
		value := int64(c.Value(row))
		if c.DataType().(*arrow.Time32Type).Unit == arrow.Second {
			value *= secondMillis
		}
		if value != int64(int32(value)) {
			return v, outOfRange(c, row)
		}
		return parquet.Int32Value(int32(value)), nil
	case *array.Time64:
		return parquet.Int64Value(int64(c.Value(row))), nil
	case *array.Timestamp:
		value := int64(c.Value(row))
		if c.DataType().(*arrow.TimestampType).Unit == arrow.Second {
			if value > maxInMillis || value < minInMillis {
				return v, outOfRange(c, row)
			}
			value *= secondMillis
		}
		return parquet.Int64Value(value), nil
	}
	return v, notLabels(c.DataType())
}

func notLabels(t arrow.DataType) error {
	return fstore.Errorf(fstore.ErrInvalid, "labels cannot be %s", t)
}

func outOfRange(c arrow.Array, row int) error {
	return fstore.Errorf(fstore.ErrInvalid, "a %s is out of range: row %d of the record batch", c.DataType(), row)
}

// decimalValue returns a decimal with its highest byte first.
func decimalValue(c *array.Decimal128, row int) parquet.Value {
	v := c.Value(row)
	b := binary.BigEndian.AppendUint64(make([]byte, 0, decimalBytes), uint64(v.HighBits()))
	return parquet.FixedLenByteArrayValue(binary.BigEndian.AppendUint64(b, v.LowBits()))
}
