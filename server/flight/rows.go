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
	batchBytes = 16 << 20 // about, of a record batch whose rows are large
)

// rows are the rows of a training set.
type rows struct {
	set    *Set
	file   *parquet.File
	nodes  []node
	leaves []leaf
	schema *arrow.Schema
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
	most := r.batchRows()
	for _, group := range r.file.RowGroups() {
		for i, chunk := range group.ColumnChunks() {
			if err := r.leaves[i].close(); err != nil {
				return err
			}
			r.leaves[i].open(chunk)
		}
		for left := group.NumRows(); left > 0; {
			n := min(left, most)
			batch, err := r.batch(int(n))
			if err != nil {
				return err
			}
			if err := do(batch); err != nil {
				return err
			}
			left -= n
		}
	}
	return nil
}

// batch reads the next rows of the row group.
func (r *rows) batch(n int) (_ arrow.RecordBatch, err error) {
	defer r.set.explain(&err)
	for i := range r.leaves {
		if err := r.leaves[i].take(n); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
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

// batchRows returns how many rows a batch has, so that batches of wide rows are not large.
func (r *rows) batchRows() int64 {
	meta, bytes := r.file.Metadata(), int64(0)
	for i := range meta.RowGroups {
		bytes += meta.RowGroups[i].TotalByteSize
	}
	perRow := bytes/max(meta.NumRows, 1) + 1
	return min(max(batchBytes/perRow, 1), batchRows)
}

// explain makes an error, or a panic of what decodes the file, one that says that the file cannot be read.
func (s *Set) explain(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%v", p)
	}
	if *err != nil {
		*err = fstore.Errorf(server.ErrDamaged, "the file of training set %s cannot be read: %v", s.Name, *err)
	}
}
