package flight

import (
	"bytes"
	"errors"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
)

// leaf reads a leaf of a row group, some rows at a time: levels, and the values that are not null, close together.
type leaf struct {
	kind             parquet.Kind
	width            int // bytes of a value; 0: bits or texts
	maxDef, maxLists byte

	pages  parquet.Pages
	page   parquet.Page // nil: there is none yet
	at     int          // levels of the page that were taken
	passed int          // values of the page that were taken

	// What was taken.
	defs, lists []byte // definition and repetition levels; nil: all are 0
	count       int    // values that are not null
	data        []byte // values of width bytes, a byte for each bit, or texts one after another
	ends        []int  // where each text ends in data
}

// newLeaf returns a leaf of a file, without pages.
func newLeaf(column parquet.LeafColumn) leaf {
	t := column.Node.Type()
	out := leaf{kind: t.Kind(), maxDef: byte(column.MaxDefinitionLevel), maxLists: byte(column.MaxRepetitionLevel)}
	switch out.kind {
	case parquet.Int32, parquet.Float:
		out.width = 4
	case parquet.Int64, parquet.Double:
		out.width = 8
	case parquet.FixedLenByteArray:
		out.width = t.Length()
	}
	return out
}

// open begins a row group that has rows: it reads the first page.
func (l *leaf) open(chunk parquet.ColumnChunk) error {
	l.pages, l.page = chunk.Pages(), nil
	return l.turn()
}

// step returns how many rows to take at a time, so that texts of a dictionary do not take much more than batchBytes.
func (l *leaf) step() int {
	dictionary := l.page.Dictionary()
	if dictionary == nil || l.kind != parquet.ByteArray {
		return stepRows
	}
	values := dictionary.Page().Data()
	_, offsets := values.Data()
	longest := 0
	for i := range len(offsets) - 1 {
		longest = max(longest, int(offsets[i+1]-offsets[i]))
	}
	switch {
	case longest <= batchBytes/stepRows/16:
		return stepRows
	case l.maxLists > 0: // a row may have any number of them
		return 1
	}
	return min(max(batchBytes/longest, 1), stepRows)
}

func (l *leaf) close() error {
	if l.pages == nil {
		return nil
	}
	parquet.Release(l.page)
	err := l.pages.Close()
	l.pages, l.page = nil, nil
	return err
}

// clear forgets what was taken.
func (l *leaf) clear() {
	l.defs, l.lists, l.count, l.data, l.ends = l.defs[:0], l.lists[:0], 0, l.data[:0], l.ends[:0]
}

// bytes returns the size of what was taken.
func (l *leaf) bytes() int { return len(l.defs) + len(l.lists) + len(l.data) + 4*len(l.ends) }

// take takes the next rows, besides those that were taken before.
func (l *leaf) take(rows int) error {
	for {
		left := 0
		if l.page != nil {
			n, begun := l.span(rows)
			l.move(n)
			rows -= begun
			left = int(l.page.NumValues()) - l.at
		}
		if rows == 0 && (left > 0 || l.maxLists == 0) {
			return nil
		}
		if err := l.turn(); err != nil { // the rest of a list may be on the next page
			if errors.Is(err, io.EOF) && rows == 0 {
				return nil
			}
			return err
		}
	}
}

// turn turns to the next page.
func (l *leaf) turn() (err error) {
	if l.page != nil {
		parquet.Release(l.page)
	}
	l.page, err = l.pages.ReadPage()
	l.at, l.passed = 0, 0
	return err
}

// span returns how many levels of the page are of the next rows, and how many rows begin in them.
func (l *leaf) span(rows int) (n, begun int) {
	if l.maxLists == 0 {
		n = min(rows, int(l.page.NumValues())-l.at)
		return n, n
	}
	for i, level := range l.page.RepetitionLevels()[l.at:] {
		if level == 0 {
			if begun == rows {
				return i, begun
			}
			begun++
		}
		n = i + 1
	}
	return n, begun
}

// move takes the next levels of the page, with their values.
func (l *leaf) move(n int) {
	values := n
	if l.maxDef > 0 {
		defs := l.page.DefinitionLevels()[l.at : l.at+n]
		l.defs = append(l.defs, defs...)
		values = bytes.Count(defs, []byte{l.maxDef})
	}
	if l.maxLists > 0 {
		l.lists = append(l.lists, l.page.RepetitionLevels()[l.at:l.at+n]...)
	}
	data := l.page.Data()
	if dictionary := l.page.Dictionary(); dictionary != nil {
		l.lookUp(dictionary.Page().Data(), data.Int32()[l.passed:l.passed+values])
	} else {
		l.copy(data, l.passed, values)
	}
	l.at, l.passed, l.count = l.at+n, l.passed+values, l.count+values
}

// copy takes values of a page.
func (l *leaf) copy(from encoding.Values, first, n int) {
	data, offsets := from.Data()
	switch {
	case l.kind == parquet.Boolean:
		for i := first; i < first+n; i++ {
			l.data = append(l.data, data[i/8]>>(i%8)&1)
		}
	case l.kind == parquet.ByteArray:
		begin := len(l.data) - int(offsets[first])
		l.data = append(l.data, data[offsets[first]:offsets[first+n]]...)
		for _, end := range offsets[first+1 : first+n+1] {
			l.ends = append(l.ends, begin+int(end))
		}
	default:
		l.data = append(l.data, data[first*l.width:(first+n)*l.width]...)
	}
}

// lookUp takes values of a dictionary.
func (l *leaf) lookUp(from encoding.Values, indexes []int32) {
	data, offsets := from.Data()
	for _, i := range indexes {
		if l.kind == parquet.ByteArray {
			l.data = append(l.data, data[offsets[i]:offsets[i+1]]...)
			l.ends = append(l.ends, len(l.data))
		} else {
			l.data = append(l.data, data[int(i)*l.width:][:l.width]...)
		}
	}
}
