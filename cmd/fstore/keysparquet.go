package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// addParquet adds the rows of a Parquet file. Its columns convert as those of labels do: any integer that fits and
// whole doubles below 2^53 to an integer, but never text to a number.
func (k *keyRows) addParquet(path string) (err error) {
	defer func() {
		if p := recover(); p != nil { // what the package does with some pages
			err = fstore.Errorf(fstore.ErrInvalid, "the file is damaged: %v", p)
		}
	}()
	if _, err := os.Stat(path); err != nil {
		return err
	}
	f, file, err := offline.OpenParquet(path)
	if err != nil {
		return err
	}
	defer f.Close()
	leaves := make([]parquet.LeafColumn, len(k.columns))
	for i, c := range k.columns {
		leaf, ok := file.Schema().Lookup(c.Name)
		if !ok {
			return fstore.Errorf(fstore.ErrInvalid, "there is no column %s", c.Name).WithHint("the file has %s", strings.Join(columnNames(file), ", "))
		}
		leaves[i] = leaf
	}
	row := 0
	for _, group := range file.RowGroups() {
		rows := group.Rows()
		err := k.addRows(rows, leaves, &row)
		if closing := rows.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func columnNames(file *parquet.File) []string {
	var names []string
	for _, f := range file.Schema().Fields() {
		names = append(names, f.Name())
	}
	return names
}

func (k *keyRows) addRows(rows parquet.Rows, leaves []parquet.LeafColumn, row *int) error {
	buffer := make([]parquet.Row, 256)
	for {
		n, err := rows.ReadRows(buffer)
		for _, values := range buffer[:n] {
			*row++
			for i := range k.columns {
				if err := appendLeaf(&k.columns[i], leaves[i], values); err != nil {
					return fmt.Errorf("row %d: %s: %w", *row, k.columns[i].Name, err)
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func appendLeaf(c *fstore.Column, leaf parquet.LeafColumn, row parquet.Row) error {
	value := parquet.NullValue()
	for _, v := range row {
		if v.Column() == leaf.ColumnIndex {
			value = v
		}
	}
	if value.IsNull() {
		c.AppendNull()
		return nil
	}
	stamp, unsigned := (*format.TimestampType)(nil), false
	if logical := leaf.Node.Type().LogicalType(); logical != nil {
		stamp, _ = logical.Value.(*format.TimestampType)
		integer, ok := logical.Value.(*format.IntType)
		unsigned = ok && !integer.IsSigned
	}
	switch value.Kind() {
	case parquet.Boolean:
		return c.AppendParsed(strconv.AppendBool(nil, value.Boolean()))
	case parquet.Int32:
		if unsigned {
			return c.AppendParsed(strconv.AppendUint(nil, uint64(value.Uint32()), 10))
		}
		return c.AppendParsed(strconv.AppendInt(nil, int64(value.Int32()), 10))
	case parquet.Int64:
		if stamp != nil {
			return appendInstant(c, value.Int64(), stamp.Unit)
		}
		if unsigned {
			return c.AppendParsed(strconv.AppendUint(nil, value.Uint64(), 10))
		}
		return c.AppendParsed(strconv.AppendInt(nil, value.Int64(), 10))
	case parquet.Float:
		return appendWhole(c, float64(value.Float()))
	case parquet.Double:
		return appendWhole(c, value.Double())
	case parquet.ByteArray, parquet.FixedLenByteArray:
		if c.Type == fstore.Bytes {
			c.Append(append([]byte{}, value.ByteArray()...))
			return nil
		}
		quoted, err := json.Marshal(string(value.ByteArray()))
		if err != nil {
			return err
		}
		return c.AppendParsed(quoted)
	}
	return fstore.Errorf(fstore.ErrInvalid, "%s is not a %s", value.Kind(), c.Type)
}

func appendInstant(c *fstore.Column, n int64, unit format.TimeUnit) error {
	if c.Type != fstore.Timestamp {
		return fstore.Errorf(fstore.ErrInvalid, "a timestamp is not a %s", c.Type)
	}
	switch unit.Value.(type) {
	case *format.MilliSeconds:
		c.Append(time.UnixMilli(n))
	case *format.NanoSeconds:
		c.Append(time.Unix(0, n)) // rounded down
	default:
		c.Append(time.UnixMicro(n))
	}
	return nil
}

// appendWhole adds a float, which a key can only be where it is a whole number: pandas makes them of integers beside
// nulls, and NaN of the nulls.
func appendWhole(c *fstore.Column, f float64) error {
	if math.IsNaN(f) {
		c.AppendNull()
		return nil
	}
	return c.AppendParsed(strconv.AppendFloat(nil, f, 'f', -1, 64))
}
