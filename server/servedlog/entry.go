package servedlog

import (
	"bytes"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// maxReused bounds the memory of an entry that is kept for the next answer.
const maxReused = 1 << 20

// reuse keeps an entry's memory for the next answer, unless it is large.
func (p *Plan) reuse(e *entry) {
	if e.bytes > maxReused {
		return
	}
	for i := range e.batch.Columns {
		empty(&e.batch.Columns[i])
	}
	e.batch.Len, e.bytes = 0, 0
	p.entries.Put(e)
}

// empty takes all rows out of a column and keeps its memory.
func empty(c *fstore.Column) {
	clear(c.Strings)
	clear(c.Bytes)
	c.Len, c.Valid = 0, nil
	c.Bools, c.Int32s, c.Int64s = c.Bools[:0], c.Int32s[:0], c.Int64s[:0]
	c.Float32s, c.Float64s = c.Float32s[:0], c.Float64s[:0]
	c.Strings, c.Bytes = c.Strings[:0], c.Bytes[:0]
	if c.Type.IsList() {
		c.Offsets = append(c.Offsets[:0], 0)
	}
}

// join copies rows of an answer to an entry: all of them if picked is nil.
func (p *Plan) join(e *entry, s *Served, picked []int32, rows int, number int64) {
	p.addFixed(e, s, picked, rows, number)
	p.addViews(e, s, rows)
	first := p.firstKept()
	for i, f := range p.kept {
		addKept(&e.batch.Columns[first+i], columnNamed(s.Columns, f.Name), picked, rows)
	}
	first += len(p.kept)
	for i := range s.Answer.Features {
		addRows(&e.batch.Columns[first+i], &s.Answer.Features[i].Column, picked)
	}
	e.batch.Len += rows
}

// columnNamed returns the column of a name, or nil.
func columnNamed(columns []fstore.Column, name string) *fstore.Column {
	for i := range columns {
		if columns[i].Name == name {
			return &columns[i]
		}
	}
	return nil
}

func (p *Plan) addFixed(e *entry, s *Served, picked []int32, rows int, number int64) {
	at, columns := fstore.Micros(s.At), e.batch.Columns
	features := s.Answer.Features
	all := make([]byte, rows*len(features))
	for i := range rows {
		row := i
		if picked != nil {
			row = int(picked[i])
		}
		columns[atColumn].AppendInt64(at)
		columns[requestColumn].AppendInt64(number)
		columns[rowColumn].AppendInt64(int64(row))
		appendText(&columns[traceColumn], s.TraceID)
		statuses := all[i*len(features):][:len(features):len(features)]
		for f := range features {
			if features[f].Statuses != nil {
				statuses[f] = byte(features[f].Statuses[row])
			}
		}
		columns[statusesColumn].Bytes = append(columns[statusesColumn].Bytes, statuses)
		columns[statusesColumn].EndRow()
	}
}

// addViews adds what the answer says of each view version: nothing of those that it did not read.
func (p *Plan) addViews(e *entry, s *Served, rows int) {
	for i, ref := range p.refs {
		columns := e.batch.Columns[fixedColumns+viewColumns*i:][:viewColumns]
		at := -1
		for j := range s.Answer.Versions {
			if s.Answer.Versions[j].Ref == ref {
				at = j
				break
			}
		}
		for range rows {
			if at < 0 {
				for c := range columns {
					columns[c].AppendNull()
				}
				continue
			}
			v := &s.Answer.Versions[at]
			columns[publishedColumn].AppendInt64(fstore.Micros(v.Published))
			appendText(&columns[runColumn], v.Run)
			appendInstant(&columns[runAtColumn], v.RunAt)
			appendText(&columns[inFlightColumn], v.RunInFlight)
			columns[generationColumn].Strings = append(columns[generationColumn].Strings, string(v.Generation))
			columns[generationColumn].EndRow()
		}
	}
}

func appendText(c *fstore.Column, s string) {
	if s == "" {
		c.AppendNull()
		return
	}
	c.Strings = append(c.Strings, s)
	c.EndRow()
}

func appendInstant(c *fstore.Column, t time.Time) {
	if t.IsZero() {
		c.AppendNull()
		return
	}
	c.AppendInt64(fstore.Micros(t))
}

// addKept adds a column of the request: nulls if it has none. Its texts are copied, because they share the request's memory.
func addKept(to, from *fstore.Column, picked []int32, rows int) {
	switch {
	case from == nil:
		for range rows {
			to.AppendNull()
		}
	case from.Type == to.Type:
		texts, binaries := len(to.Strings), len(to.Bytes)
		addRows(to, from, picked)
		for i := range to.Strings[texts:] {
			to.Strings[texts+i] = strings.Clone(to.Strings[texts+i])
		}
		for i := range to.Bytes[binaries:] {
			to.Bytes[binaries+i] = bytes.Clone(to.Bytes[binaries+i])
		}
	default:
		for i := range rows { // an integer of the other width
			row := i
			if picked != nil {
				row = int(picked[i])
			}
			switch {
			case from.IsNull(row):
				to.AppendNull()
			case to.Type == fstore.Int64:
				to.AppendInt64(int64(from.Int32s[row]))
			default:
				to.Int32s = append(to.Int32s, int32(from.Int64s[row]))
				to.EndRow()
			}
		}
	}
}

// addRows appends rows of a column: all of them if picked is nil. Most columns have numbers and no nulls.
func addRows(to, from *fstore.Column, picked []int32) {
	dense := to.Valid == nil && from.Valid == nil && !to.Type.IsList()
	switch {
	case picked == nil && dense:
		to.AppendElements(from, 0, from.Len)
		to.Len += from.Len
	case picked == nil:
		for row := range from.Len {
			to.AppendFrom(from, row)
		}
	case dense && to.Type == fstore.Float64:
		for _, row := range picked {
			to.Float64s = append(to.Float64s, from.Float64s[row])
		}
		to.Len += len(picked)
	case dense && to.Type == fstore.Int64:
		for _, row := range picked {
			to.Int64s = append(to.Int64s, from.Int64s[row])
		}
		to.Len += len(picked)
	default:
		for _, row := range picked {
			to.AppendFrom(from, int(row))
		}
	}
}

// sizeOf returns the memory that an entry of rows of an answer takes: of all of them if picked is nil.
func (p *Plan) sizeOf(s *Served, picked []int32, rows int) int64 {
	fixed := 3*8 + 16 + len(s.TraceID) + 24 + len(s.Answer.Features)
	for i := range s.Answer.Versions {
		fixed += 2*8 + 16 + len(s.Answer.Versions[i].Generation)
	}
	n := int64(rows) * int64(fixed+p.width)
	for _, i := range p.varying {
		n += sizeOfRows(&s.Answer.Features[i].Column, picked)
	}
	for _, f := range p.kept {
		if c := columnNamed(s.Columns, f.Name); c != nil {
			n += sizeOfRows(c, picked)
		}
	}
	return n
}

// sizeOfRows returns the memory of the values of rows of a column: of all of them if picked is nil.
func sizeOfRows(c *fstore.Column, picked []int32) int64 {
	if picked == nil {
		return sizeOf(c)
	}
	if width := c.Type.Width(); width > 0 {
		return int64(len(picked) * width)
	}
	n := int64(0)
	for _, row := range picked {
		from, to := row, row+1
		if c.Type.IsList() {
			from, to = c.Offsets[row], c.Offsets[row+1]
			n += 4
		}
		switch {
		case c.Type.Elem() == fstore.String:
			for _, s := range c.Strings[from:to] {
				n += 16 + int64(len(s))
			}
		case c.Type.Elem() == fstore.Bytes:
			for _, b := range c.Bytes[from:to] {
				n += 24 + int64(len(b))
			}
		default:
			n += int64(to-from) * int64(c.Type.Elem().Width())
		}
	}
	return n
}

// sizeOf returns the memory of a column's values.
func sizeOf(c *fstore.Column) int64 {
	n := int64(c.Elements()) * int64(c.Type.Elem().Width())
	for _, s := range c.Strings {
		n += 16 + int64(len(s))
	}
	for _, b := range c.Bytes {
		n += 24 + int64(len(b))
	}
	return n + 4*int64(len(c.Offsets))
}
