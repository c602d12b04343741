package offline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/fstore-dev/fstore"
)

// timeUnit is the unit of a Parquet column of times, where DuckDB's type does not tell it.
type timeUnit int

const (
	asRead     timeUnit = iota // DuckDB's type tells the unit
	millis                     // milliseconds without a zone, which DuckDB reads as microseconds
	zonedNanos                 // nanoseconds with a zone, which DuckDB truncates to microseconds
)

// timeUnits returns the columns of a Parquet file whose times DuckDB reads in another unit.
func timeUnits(path string) (map[string]timeUnit, error) {
	f, file, err := OpenParquet(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string]timeUnit{}
	for _, c := range file.Schema().Fields() {
		if !c.Leaf() || c.Type().LogicalType() == nil {
			continue
		}
		t, ok := c.Type().LogicalType().Value.(*format.TimestampType)
		if !ok || t.Unit.Value == nil {
			continue
		}
		switch unit := t.Unit.Value.Duration(); {
		case unit == time.Nanosecond && t.IsAdjustedToUTC:
			out[c.Name()] = zonedNanos
		case unit == time.Millisecond && !t.IsAdjustedToUTC:
			out[c.Name()] = millis
		}
	}
	return out, nil
}

// parquetColumns returns the names of a Parquet file's columns as written, and which columns have no type.
func parquetColumns(path string) (names []string, untyped map[string]bool, err error) {
	f, file, err := OpenParquet(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	untyped = map[string]bool{}
	for _, c := range file.Schema().Fields() {
		names = append(names, c.Name())
		if !c.Leaf() || c.Type().LogicalType() == nil {
			continue
		}
		if _, isNull := c.Type().LogicalType().Value.(*format.NullType); isNull {
			untyped[c.Name()] = true
		}
	}
	return names, untyped, nil
}

// checkNanos returns an error that names the first row of a zonedNanos column with a part of a microsecond. DuckDB would
// truncate it, but an event must be rounded up, and a label must stay as it is.
func checkNanos(ctx context.Context, path, column string) (err error) {
	f, file, err := OpenParquet(path)
	if err != nil {
		return err
	}
	defer f.Close()
	defer func() {
		if p := recover(); p != nil { // the package panics on some pages
			err = damaged(path, fmt.Sprint(p))
		}
	}()
	leaf, _ := file.Schema().Lookup(column)
	row := int64(0)
	for g, group := range file.RowGroups() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if meta := file.Metadata(); !isDecoded(meta.CreatedBy, &meta.RowGroups[g].Columns[leaf.ColumnIndex].MetaData) {
			return fstore.Errorf(fstore.ErrInvalid, "column %s has nanoseconds with a time zone, compressed as LZ4, in %s, which cannot be read exactly", column, path).
				WithHint("write it in microseconds, or without the zone, or compressed as zstd or snappy")
		}
		at, n, err := finer(group.ColumnChunks()[leaf.ColumnIndex].Pages())
		if err != nil {
			return damaged(path, err.Error())
		}
		if at >= 0 {
			return fstore.Errorf(fstore.ErrInvalid, "column %s has nanoseconds with a time zone, in %s row %d, which cannot be read exactly", column, path, row+at+1).
				WithHint("write it in microseconds, or without the zone")
		}
		row += n
	}
	return nil
}

// finer returns the index of the first value that is not a whole number of microseconds (-1: there is none), and the number
// of values.
func finer(pages parquet.Pages) (at, n int64, err error) {
	defer pages.Close()
	values := make([]parquet.Value, 4096)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return -1, n, nil
		}
		if err != nil {
			return -1, n, err
		}
		for in, last := page.Values(), error(nil); last == nil; {
			var k int
			k, last = in.ReadValues(values)
			for i, v := range values[:k] {
				if !v.IsNull() && v.Int64()%1000 != 0 {
					parquet.Release(page)
					return n + int64(i), n, nil
				}
			}
			n += int64(k)
			if last != nil && !errors.Is(last, io.EOF) {
				return -1, n, last
			}
		}
		parquet.Release(page)
	}
}
