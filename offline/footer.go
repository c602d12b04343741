package offline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/fstore-dev/fstore"
)

// The footer of a Parquet file has statistics: the minimum and maximum of a column in each row group, and its number of
// nulls. DuckDB trusts them to skip row groups, so wrong statistics lose rows silently. This file compares them with the
// data. A bound is wrong if a value lies outside. A count of nulls is wrong if it says none or all, and that is not so.
// Bounds may be wider than the data, because writers cut long texts.
//
// Some types have no order that all writers agree on, so their bounds are not compared: floats, INT96, decimals in bytes
// and, in the deprecated fields min and max, texts and unsigned integers. Chunks that only DuckDB can decode are skipped.

// checkFooters compares the statistics of a source's event, created and key columns with the data. Columns that are right
// are remembered for as long as the file does not change.
func (s *session) checkFooters(ctx context.Context, def *fstore.Source, keys []string) error {
	src, err := s.source(ctx, def)
	if err != nil {
		return err
	}
	var columns []string
	for _, c := range src.columns {
		if !c.folder && (c.name == def.Event || c.name == def.Created || slices.Contains(keys, c.name)) {
			columns = append(columns, c.file)
		}
	}
	for _, file := range src.files {
		if err := s.e.checkFooter(ctx, file, columns); err != nil {
			return fmt.Errorf("source %s: %w", def.Name, err)
		}
	}
	return nil
}

// checkFooter checks those columns of a file whose statistics are not known to be right.
func (e *Engine) checkFooter(ctx context.Context, path string, columns []string) error {
	return e.digests.CheckColumns(path, columns, func(columns []string) error { return footerIsRight(ctx, path, columns) })
}

// footerIsRight returns an error that names the first column and row group whose statistics are wrong.
func footerIsRight(ctx context.Context, path string, columns []string) (err error) {
	f, file, err := OpenParquet(path)
	if err != nil {
		return nil // DuckDB reports what is wrong with the file, or can read what parquet-go cannot
	}
	defer f.Close()
	counts := nullCounts(f)
	found := make([]error, len(columns))
	var all sync.WaitGroup
	for i, name := range columns {
		if leaf, ok := file.Schema().Lookup(name); ok && leaf.MaxRepetitionLevel == 0 { // else the file does not have it
			all.Go(func() { found[i] = columnIsRight(ctx, path, file, leaf, name, counts) })
		}
	}
	all.Wait()
	return cmp.Or(found...)
}

// columnIsRight returns an error that names the first row group in which the statistics of a column are wrong.
func columnIsRight(ctx context.Context, path string, file *parquet.File, leaf parquet.LeafColumn, name string, counts *footerCounts) error {
	for g, group := range file.Metadata().RowGroups {
		if err := ctx.Err(); err != nil {
			return err
		}
		st := newStated(leaf.Node.Type(), &group.Columns[leaf.ColumnIndex].MetaData.Statistics, counts.of(g, leaf.ColumnIndex))
		if !st.anything() || !isDecoded(file.Metadata().CreatedBy, &group.Columns[leaf.ColumnIndex].MetaData) {
			continue
		}
		got, ok := bounds(ctx, file.RowGroups()[g].ColumnChunks()[leaf.ColumnIndex])
		if what := st.wrong(got); ok && what != "" {
			return fstore.Errorf(fstore.ErrInvalid, "%s: the statistics of column %s in row group %d are wrong: %s", path, name, g, what).
				WithHint("queries would miss rows: write the file again with another writer")
		}
	}
	return nil
}

// isDecoded reports whether parquet-go reads a column chunk correctly. It sometimes reads wrong values from LZ4 pages, and
// on some it never ends (parquet-go v0.32.0, lz4.Codec.Decode). On texts of fastparquet it prints warnings to stderr.
func isDecoded(writer string, c *format.ColumnMetaData) bool {
	return c.Codec != format.Lz4 && c.Codec != format.Lz4Raw && (c.Type != format.ByteArray || !strings.HasPrefix(writer, "fastparquet"))
}

// stated has a footer's statistics of a column in a row group.
type stated struct {
	typ      parquet.Type
	min, max *parquet.Value
	nulls    *int64
}

func newStated(typ parquet.Type, st *format.Statistics, nulls *int64) stated {
	s := stated{typ: typ, nulls: nulls}
	low, high := st.MinValue, st.MaxValue
	if low == nil && high == nil && isSigned(typ) {
		low, high = st.Min, st.Max
	}
	if isOrdered(typ) {
		s.min, s.max = statedValue(typ, low), statedValue(typ, high)
	}
	return s
}

// isOrdered reports whether all writers have the same order of a type's values.
func isOrdered(typ parquet.Type) bool {
	switch typ.Kind() {
	case parquet.Boolean, parquet.Int32, parquet.Int64:
		return true
	case parquet.ByteArray, parquet.FixedLenByteArray:
		l := typ.LogicalType()
		if l == nil {
			return typ.ConvertedType() == nil
		}
		switch l.Value.(type) {
		case *format.StringType, *format.UUIDType, *format.EnumType, *format.JsonType, *format.BsonType:
			return true
		}
	}
	return false
}

// isSigned reports whether a type has the order of the deprecated statistics of Parquet's first version.
func isSigned(typ parquet.Type) bool {
	switch typ.Kind() {
	case parquet.Boolean:
		return true
	case parquet.Int32, parquet.Int64:
		if l := typ.LogicalType(); l != nil {
			if i, ok := l.Value.(*format.IntType); ok && !i.IsSigned {
				return false
			}
		}
		return true
	}
	return false
}

func statedValue(typ parquet.Type, b []byte) *parquet.Value {
	size := map[parquet.Kind]int{parquet.Boolean: 1, parquet.Int32: 4, parquet.Int64: 8}[typ.Kind()]
	if b == nil || size > 0 && len(b) != size {
		return nil
	}
	v := typ.Kind().Value(b)
	return &v
}

func (s *stated) anything() bool { return s.min != nil || s.max != nil || s.nulls != nil }

// wrong says what is wrong with the statistics; empty if they are right.
func (s *stated) wrong(got measured) string {
	switch {
	case s.nulls != nil && *s.nulls == 0 && got.nulls > 0:
		return fmt.Sprintf("they say that no value is null, but %d are", got.nulls)
	case s.nulls != nil && *s.nulls >= got.rows && got.nulls < got.rows:
		return fmt.Sprintf("they say that every value is null, but %d are not", got.rows-got.nulls)
	case got.nulls == got.rows:
		return ""
	case s.min != nil && s.typ.Compare(*s.min, got.min) > 0:
		return fmt.Sprintf("they say that the minimum is %.50q, but the data has %.50q", s.min.String(), got.min.String())
	case s.max != nil && s.typ.Compare(*s.max, got.max) < 0:
		return fmt.Sprintf("they say that the maximum is %.50q, but the data has %.50q", s.max.String(), got.max.String())
	}
	return ""
}

// measured has the true statistics of a column in a row group.
type measured struct {
	rows, nulls int64
	min, max    parquet.Value
}

// bounds reads a column chunk; false if it cannot.
func bounds(ctx context.Context, chunk parquet.ColumnChunk) (m measured, ok bool) {
	defer func() {
		if recover() != nil { // the package panics on some pages
			ok = false
		}
	}()
	pages, typ, first := chunk.Pages(), chunk.Type(), true
	defer pages.Close()
	for ctx.Err() == nil {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return m, true
		}
		if err != nil {
			return m, false
		}
		m.rows, m.nulls = m.rows+page.NumValues(), m.nulls+page.NumNulls()
		if low, high, some := page.Bounds(); some {
			if first || typ.Compare(low, m.min) < 0 {
				m.min = low.Clone()
			}
			if first || typ.Compare(high, m.max) > 0 {
				m.max = high.Clone()
			}
			first = false
		}
		parquet.Release(page)
	}
	return m, false
}

// footerCounts is a footer's counts of nulls alone. parquet-go itself reads a missing count as 0.
type footerCounts struct {
	RowGroups []struct {
		Columns []struct {
			MetaData struct {
				Statistics struct {
					NullCount *int64 `thrift:"3"`
				} `thrift:"12"`
			} `thrift:"3"`
		} `thrift:"1"`
	} `thrift:"4"`
}

// nullCounts reads the counts of nulls in a footer; none if it cannot.
func nullCounts(f *os.File) *footerCounts {
	c := &footerCounts{}
	info, err := f.Stat()
	if err != nil {
		return c
	}
	tail := make([]byte, 8)
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return c
	}
	n := int64(uint32(tail[0]) | uint32(tail[1])<<8 | uint32(tail[2])<<16 | uint32(tail[3])<<24)
	if n > info.Size()-int64(len(tail)) {
		return c
	}
	text := make([]byte, n)
	if _, err := f.ReadAt(text, info.Size()-int64(len(tail))-n); err != nil {
		return c
	}
	if thrift.Unmarshal(new(thrift.CompactProtocol), text, c) != nil {
		return &footerCounts{}
	}
	return c
}

// of returns the number of nulls of a column in a row group, or nil if the footer does not say.
func (c *footerCounts) of(group int, column int) *int64 {
	if group >= len(c.RowGroups) || column >= len(c.RowGroups[group].Columns) {
		return nil
	}
	return c.RowGroups[group].Columns[column].MetaData.Statistics.NullCount
}
