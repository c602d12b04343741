package servedlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/parquet-go/parquet-go"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
)

// readSealed calls do with the rows of a sealed file, a row group at a time. It goes on after a group that cannot be read.
func readSealed(f *os.File, s selection, do func(*Plan, *fstore.Batch) error) error {
	var file *parquet.File
	var p *Plan
	var needed []bool
	if err := guarded(func() (err error) {
		file, p, needed, err = openSealed(f, s)
		return err
	}); err != nil {
		return err
	}
	var lost lostError
	for _, g := range file.RowGroups() {
		var b *fstore.Batch
		if err := guarded(func() (err error) {
			b, err = readGroup(p, g, needed, s.within)
			return err
		}); err != nil {
			lost.rows, lost.err = lost.rows+g.NumRows(), err
			continue
		}
		if b == nil {
			continue
		}
		if err := do(p, b); err != nil {
			return err
		}
	}
	if lost.err != nil {
		return &lost
	}
	return nil
}

// sealedFixed are the leaves of a sealed file before those of views: see newSealedFile. _status has two.
const sealedFixed = 10

// leaf is a column of a row group to decode.
type leaf struct {
	column int // of the plan
	decode func(c *fstore.Column) error
}

// readGroup reads a row group as it was written by sealedFile.addRows. It returns nil if no row is within.
func readGroup(p *Plan, g parquet.RowGroup, needed []bool, within func(at []int64) bool) (*fstore.Batch, error) {
	b := &fstore.Batch{Len: int(g.NumRows()), Columns: make([]fstore.Column, len(p.fields))}
	chunks := g.ColumnChunks()
	if len(chunks) != sealedFixed+len(p.fields)-fixedColumns {
		return nil, errDamaged
	}
	for i, f := range p.fields {
		rows := 0
		if needed[i] {
			rows = b.Len
		}
		b.Columns[i] = fstore.NewColumn(f.Name, f.Type, rows)
	}
	if err := readFlat(&b.Columns[atColumn], chunks[0]); err != nil {
		return nil, err
	}
	if within != nil && !within(b.Columns[atColumn].Int64s) {
		return nil, nil
	}
	if err := decode(b, p.leaves(chunks), needed); err != nil {
		return nil, err
	}
	for i := range b.Columns {
		if c := &b.Columns[i]; needed[i] && c.Len != b.Len {
			return nil, fmt.Errorf("%w: column %q has %d rows of %d", errDamaged, c.Name, c.Len, b.Len)
		}
	}
	return b, nil
}

// leaves returns the columns besides that of instants.
func (p *Plan) leaves(chunks []parquet.ColumnChunk) []leaf {
	flat := func(column, at int) leaf {
		return leaf{column, func(c *fstore.Column) error { return readFlat(c, chunks[at]) }}
	}
	out := []leaf{
		{requestColumn, func(c *fstore.Column) error { return p.readRequests(c, chunks[1]) }},
		flat(rowColumn, 2), flat(traceColumn, 5),
		{statusesColumn, func(c *fstore.Column) error { return p.readStatuses(c, chunks[8], chunks[9]) }},
	}
	next := sealedFixed
	for kind := range viewNames {
		for i := range p.refs {
			out = append(out, flat(fixedColumns+viewColumns*i+kind, next))
			next++
		}
	}
	for column := p.firstKept(); column < len(p.fields); column++ {
		read := flat(column, next)
		if at := next; p.fields[column].Type.IsList() {
			read.decode = func(c *fstore.Column) error {
				return eachValue(chunks[at], func(v parquet.Value) { appendOfList(c, v) })
			}
		}
		out = append(out, read)
		next++
	}
	return out
}

// decode decodes the needed columns, several at a time.
func decode(b *fstore.Batch, leaves []leaf, needed []bool) error {
	errs := make([]error, len(leaves))
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(leaves)) {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(leaves) {
					return
				}
				if l := &leaves[i]; needed[l.column] {
					errs[i] = guarded(func() error { return l.decode(&b.Columns[l.column]) })
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// readRequests reads the numbers of requests from their ids.
func (p *Plan) readRequests(c *fstore.Column, chunk parquet.ColumnChunk) error {
	var bad error
	err := eachValue(chunk, func(v parquet.Value) {
		n, err := strconv.ParseInt(strings.TrimPrefix(string(v.ByteArray()), p.info.Server+"-"), 10, 64)
		if err != nil {
			bad = fmt.Errorf("%w: %.100q is no id of a request", errDamaged, v.ByteArray())
		}
		c.AppendInt64(n)
	})
	return errors.Join(err, bad)
}

// readStatuses reads the map of statuses into a byte for each feature.
func (p *Plan) readStatuses(c *fstore.Column, names, statuses parquet.ColumnChunk) error {
	numbers := map[string]int{}
	for i, f := range p.info.Features {
		numbers[f.Name] = i
	}
	known := map[string]byte{}
	for s := range answers.Statuses {
		known[answers.Status(s).String()] = byte(s)
	}
	width := len(p.info.Features)
	all := make([]byte, cap(c.Bytes)*width)
	var features []int // of each value; -1: the row has no statuses
	var bad error
	err := eachValue(names, func(v parquet.Value) {
		if v.RepetitionLevel() == 0 {
			if len(all) < width {
				all = make([]byte, 1024*width)
			}
			c.Bytes, all = append(c.Bytes, all[:width:width]), all[width:]
			c.EndRow()
		}
		feature := -1
		if !v.IsNull() {
			n, ok := numbers[string(v.ByteArray())]
			if feature = n; !ok {
				feature, bad = -1, fmt.Errorf("%w: there is a status of %.100q, which is no feature", errDamaged, v.ByteArray())
			}
		}
		features = append(features, feature)
	})
	row, at := -1, 0
	err = errors.Join(err, eachValue(statuses, func(v parquet.Value) {
		if v.RepetitionLevel() == 0 {
			row++
		}
		if row < c.Len && at < len(features) && features[at] >= 0 {
			status, ok := known[string(v.ByteArray())]
			if c.Bytes[row][features[at]] = status; !ok {
				bad = fmt.Errorf("%w: %.100q is no status", errDamaged, v.ByteArray())
			}
		}
		at++
	}))
	return errors.Join(err, bad)
}

// eachPage calls do with every page of a leaf.
func eachPage(chunk parquet.ColumnChunk, do func(parquet.Page) error) (err error) {
	pages := chunk.Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = do(page)
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
}

// eachValue calls do with every value of a leaf.
func eachValue(chunk parquet.ColumnChunk, do func(parquet.Value)) error {
	values := make([]parquet.Value, 1024)
	return eachPage(chunk, func(page parquet.Page) error { return eachOfPage(page, values, do) })
}

func eachOfPage(page parquet.Page, values []parquet.Value, do func(parquet.Value)) error {
	for from := page.Values(); ; {
		n, err := from.ReadValues(values)
		for _, v := range values[:n] {
			do(v)
		}
		if errors.Is(err, io.EOF) || n == 0 && err == nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readFlat reads a column that is not a list.
func readFlat(c *fstore.Column, chunk parquet.ColumnChunk) error {
	values := make([]parquet.Value, 1024)
	return eachPage(chunk, func(page parquet.Page) error {
		if page.Dictionary() == nil && readNumbers(c, page) {
			return nil
		}
		return eachOfPage(page, values, func(v parquet.Value) {
			if v.IsNull() {
				c.AppendNull()
				return
			}
			appendElement(c, v)
			c.EndRow()
		})
	})
}

// readNumbers reads a page of numbers all at once. It reports whether it has: of other types it reads nothing.
func readNumbers(c *fstore.Column, page parquet.Page) bool {
	data, kind := page.Data(), page.Type().Kind()
	switch {
	case c.Type == fstore.Int32 && kind == parquet.Int32:
		appendNumbers(c, &c.Int32s, data.Int32(), page)
	case (c.Type == fstore.Int64 || c.Type == fstore.Timestamp) && kind == parquet.Int64:
		appendNumbers(c, &c.Int64s, data.Int64(), page)
	case c.Type == fstore.Float32 && kind == parquet.Float:
		appendNumbers(c, &c.Float32s, data.Float(), page)
	case c.Type == fstore.Float64 && kind == parquet.Double:
		appendNumbers(c, &c.Float64s, data.Double(), page)
	case c.Type == fstore.Bool, c.Type == fstore.String, c.Type == fstore.Bytes: // by their values
		return false
	default:
		return false
	}
	return true
}

// appendNumbers adds the rows of a page, which stores the numbers without the nulls among them.
func appendNumbers[T any](c *fstore.Column, to *[]T, stored []T, page parquet.Page) {
	if int64(len(stored)) == page.NumValues() && c.Valid == nil {
		*to = append(*to, stored...)
		c.Len += len(stored)
		return
	}
	levels := page.DefinitionLevels()
	for row := range int(page.NumValues()) {
		if len(levels) > 0 && levels[row] == 0 {
			c.AppendNull()
			continue
		}
		*to, stored = append(*to, stored[0]), stored[1:]
		c.EndRow()
	}
}

// appendOfList appends a value of a column of lists that sealedFile has written.
func appendOfList(c *fstore.Column, v parquet.Value) {
	switch {
	case v.RepetitionLevel() > 0:
		appendElement(c, v)
		c.Offsets[c.Len] = int32(c.Elements())
	case v.DefinitionLevel() == 0:
		c.AppendNull()
	default:
		if v.DefinitionLevel() > 1 {
			appendElement(c, v)
		}
		c.EndRow()
	}
}

func appendElement(c *fstore.Column, v parquet.Value) {
	switch c.Type.Elem() {
	case fstore.Bool:
		c.Bools = append(c.Bools, v.Boolean())
	case fstore.Int32:
		c.Int32s = append(c.Int32s, v.Int32())
	case fstore.Int64, fstore.Timestamp:
		c.Int64s = append(c.Int64s, v.Int64())
	case fstore.Float32:
		c.Float32s = append(c.Float32s, v.Float())
	case fstore.Float64:
		c.Float64s = append(c.Float64s, v.Double())
	case fstore.String:
		c.Strings = append(c.Strings, string(v.ByteArray()))
	case fstore.Bytes:
		c.Bytes = append(c.Bytes, append([]byte{}, v.ByteArray()...))
	}
}
