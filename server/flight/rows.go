package flight

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
)

const (
	batchRows  = 64 << 10 // of a record batch
	batchBytes = 16 << 20 // of values, after which a record batch ends
	stepRows   = 256      // that a batch grows by, unless they may be large
)

// rows are the rows of a training set.
type rows struct {
	set    *Set
	file   *parquet.File
	nodes  []node
	leaves []leaf
	schema *arrow.Schema
	step   int // rows that a batch of the row group grows by
}

// openRows reads the footer of a file, which the caller closes.
func openRows(f File, set *Set) (r *rows, err error) {
	defer set.explain(&err)
	r = &rows{set: set}
	if r.file, err = parquet.OpenFile(f, set.Size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true)); err != nil {
		return nil, err
	}
	schema := r.file.Schema()
	if r.nodes, err = shapes(schema); err != nil {
		return nil, err
	}
	for _, path := range schema.Columns() {
		column, _ := schema.Lookup(path...)
		r.leaves = append(r.leaves, newLeaf(column))
	}
	fields := make([]arrow.Field, len(r.nodes))
	for i := range r.nodes {
		field := &r.nodes[i].field
		if t, ok := field.Type.(*arrow.TimestampType); ok && set.Instants[field.Name] {
			field.Type = &arrow.TimestampType{Unit: t.Unit, TimeZone: "UTC"}
		}
		fields[i] = *field
	}
	r.schema = arrow.NewSchema(fields, nil)
	return r, nil
}

// each calls do with every record batch. A batch is valid during the call.
func (r *rows) each(do func(arrow.RecordBatch) error) (err error) {
	defer func() {
		for i := range r.leaves {
			err = errors.Join(err, r.leaves[i].close())
		}
	}()
	for _, group := range r.file.RowGroups() {
		if group.NumRows() == 0 {
			continue
		}
		if err := r.open(group); err != nil {
			return err
		}
		for left := group.NumRows(); left > 0; {
			batch, err := r.batch(int(min(left, batchRows)))
			if err != nil {
				return err
			}
			if err := do(batch); err != nil {
				return err
			}
			left -= batch.NumRows()
		}
	}
	return nil
}

// open begins a row group that has rows.
func (r *rows) open(group parquet.RowGroup) (err error) {
	defer r.set.explain(&err)
	r.step = stepRows
	for i, chunk := range group.ColumnChunks() {
		l := &r.leaves[i]
		if err := errors.Join(l.close(), l.open(chunk)); err != nil {
			return err
		}
		r.step = min(r.step, l.step())
	}
	return nil
}

// batch reads the next rows of the row group: at most so many, and fewer if they are large. What a file says of its size is no
// guide to that: a text that its dictionary has once may be in every row.
func (r *rows) batch(most int) (_ arrow.RecordBatch, err error) {
	defer r.set.explain(&err)
	for i := range r.leaves {
		r.leaves[i].clear()
	}
	n := 0
	for bytes := 0; n < most && bytes < batchBytes; {
		rows := min(r.step, most-n)
		n, bytes = n+rows, 0
		for i := range r.leaves {
			if err := r.leaves[i].take(rows); err != nil {
				return nil, err
			}
			bytes += r.leaves[i].bytes()
		}
	}
	columns := make([]arrow.Array, len(r.nodes))
	for i := range r.nodes {
		data, err := r.nodes[i].assemble(r.leaves)
		if err != nil {
			return nil, err
		}
		if columns[i] = array.MakeFromData(data); columns[i].Len() != n {
			return nil, fmt.Errorf("column %q has %d rows where there should be %d", r.nodes[i].field.Name, columns[i].Len(), n)
		}
	}
	return array.NewRecordBatch(r.schema, columns, int64(n)), nil
}

// explain makes an error, or a panic of what decodes the file, one that says that the file cannot be read. An error of fstore's
// own already says what is wrong.
func (s *Set) explain(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%v", p)
	}
	if errors.Is(*err, io.EOF) {
		*err = io.ErrUnexpectedEOF
	}
	if own := (*fstore.Error)(nil); *err != nil && !errors.As(*err, &own) {
		*err = fstore.Errorf(server.ErrDamaged, "the file of training set %s cannot be read: %v", s.Name, *err)
	}
}
