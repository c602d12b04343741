package servedlog

import (
	"io"
	"reflect"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
)

const (
	groupRows  = 64 << 10 // of a row group, unless it has many columns
	groupCells = 4 << 20  // rows × columns of a row group
	chunkCells = 4 << 10  // about, that are converted at a time
)

// sealedFile writes rows of a stream as Parquet.
type sealedFile struct {
	info    *Info
	plan    *Plan
	to      *parquet.GenericWriter[any]
	columns []*parquet.ColumnWriter
	next    int // of columns
	most    int // rows of a group
	held    int // rows of the group that is being filled

	cells []parquet.Value // of a column, while they are converted
}

// group is a group of columns in their own order: parquet.Group sorts them.
type group struct {
	parquet.Group
	fields []parquet.Field
}

// Fields implements parquet.Node.
func (g group) Fields() []parquet.Field { return g.fields }

func (g *group) add(name string, n parquet.Node) { g.fields = append(g.fields, named{n, name}) }

// named is a column of a group.
type named struct {
	parquet.Node
	name string
}

// Name implements parquet.Field.
func (c named) Name() string { return c.name }

// Value implements parquet.Field. No row is a Go value.
func (c named) Value(reflect.Value) reflect.Value { return reflect.Value{} }

// word is the type of texts that repeat.
func word() parquet.Node { return parquet.Encoded(parquet.String(), &parquet.RLEDictionary) }

func instant() parquet.Node { return parquet.TimestampAdjusted(parquet.Microsecond, true) }

// newSealedFile begins a file. Its columns are in the order in which add writes them.
func newSealedFile(to io.Writer, p *Plan) *sealedFile {
	root := group{}
	root.add("_at", instant())
	root.add("_request_id", word())
	root.add("_row", parquet.Int(64))
	for _, name := range []string{"_service", "_model", "_trace_id", "_server", "_build"} {
		root.add(name, parquet.Optional(word()))
	}
	root.add("_status", parquet.Map(word(), word()))
	if len(p.refs) > 0 {
		for _, f := range viewNames {
			views := group{}
			for _, ref := range p.refs {
				node := instant()
				if f.Type == fstore.String {
					node = word()
				}
				views.add(ref.String(), parquet.Optional(node))
			}
			root.add(f.Name, views)
		}
	}
	options := []parquet.WriterOption{parquet.Compression(&snappy.Codec{}), parquet.KeyValueMetadata(infoKey, p.text)}
	for _, f := range p.fields[p.firstKept():] {
		node := nodeOf(f.Type)
		root.add(f.Name, parquet.Optional(node))
		if f.Type == fstore.Float32 || f.Type == fstore.Float64 { // NaN has no place among bounds
			options = append(options, parquet.SkipPageBounds(f.Name))
		}
	}
	options = append(options, parquet.NewSchema("served", root))
	f := &sealedFile{info: &p.info, plan: p, to: parquet.NewGenericWriter[any](to, options...)}
	f.columns = f.to.ColumnWriters()
	f.most = max(min(groupRows, groupCells/len(f.columns)), 1)
	return f
}

// nodeOf returns the type of a column in Parquet.
func nodeOf(t fstore.Type) parquet.Node {
	if t.IsList() {
		return parquet.List(nodeOf(t.Elem()))
	}
	switch t {
	case fstore.Bool:
		return parquet.Leaf(parquet.BooleanType)
	case fstore.Int32:
		return parquet.Int(32)
	case fstore.Int64:
		return parquet.Int(64)
	case fstore.Float32:
		return parquet.Leaf(parquet.FloatType)
	case fstore.Float64:
		return parquet.Leaf(parquet.DoubleType)
	case fstore.String:
		return parquet.String()
	case fstore.Timestamp:
		return instant()
	case fstore.Bytes: // below
	}
	return parquet.Leaf(parquet.ByteArrayType)
}

// add adds rows, whose columns are those of the plan.
func (f *sealedFile) add(b *fstore.Batch) error {
	for at := 0; at < b.Len; {
		end := min(b.Len, at+f.most-f.held)
		if err := f.addRows(b, at, end); err != nil {
			return err
		}
		if f.held += end - at; f.held == f.most {
			f.held = 0
			if err := f.to.Flush(); err != nil {
				return err
			}
		}
		at = end
	}
	return nil
}

func (f *sealedFile) addRows(b *fstore.Batch, at, end int) error {
	f.next = 0
	c := b.Columns
	if err := f.each(at, end, func(row int) { f.cell(parquet.Int64Value(c[atColumn].Int64s[row]), 0, 0) }); err != nil {
		return err
	}
	if err := f.each(at, end, func(row int) {
		f.cell(parquet.ByteArrayValue([]byte(f.info.Server+"-"+strconv.FormatInt(c[requestColumn].Int64s[row], 10))), 0, 0)
	}); err != nil {
		return err
	}
	if err := f.each(at, end, func(row int) { f.cell(parquet.Int64Value(c[rowColumn].Int64s[row]), 0, 0) }); err != nil {
		return err
	}
	for _, text := range f.constants() {
		if text == nil {
			if err := f.optional(&c[traceColumn], at, end); err != nil {
				return err
			}
			continue
		}
		if err := f.each(at, end, func(int) { f.constant(*text) }); err != nil {
			return err
		}
	}
	if err := f.addStatuses(&c[statusesColumn], at, end); err != nil {
		return err
	}
	for kind := range viewNames {
		for i := range f.plan.refs {
			if err := f.optional(&c[fixedColumns+viewColumns*i+kind], at, end); err != nil {
				return err
			}
		}
	}
	for i := f.plan.firstKept(); i < len(c); i++ {
		if err := f.optional(&c[i], at, end); err != nil {
			return err
		}
	}
	return nil
}

// constants returns the texts that all rows share, in the order of the columns; nil stands for the trace's.
func (f *sealedFile) constants() []*string {
	service, model := "", ""
	if f.info.Service.Name != "" {
		service = f.info.Service.String()
	}
	if f.info.Model.Name != "" {
		model = f.info.Model.String()
	}
	return []*string{&service, &model, nil, &f.info.Server, &f.info.Build}
}

func (f *sealedFile) constant(text string) {
	if text == "" {
		f.cell(parquet.NullValue(), 0, 0)
		return
	}
	f.cell(parquet.ByteArrayValue([]byte(text)), 0, 1)
}

// addStatuses writes the statuses besides PRESENT, by the names of the features.
func (f *sealedFile) addStatuses(c *fstore.Column, at, end int) error {
	for _, of := range []func(feature int, s answers.Status) string{
		func(feature int, _ answers.Status) string { return f.info.Features[feature].Name },
		func(_ int, s answers.Status) string { return s.String() },
	} {
		if err := f.each(at, end, func(row int) {
			n := 0
			for feature, status := range c.Bytes[row] {
				if s := answers.Status(status); s != answers.Present && feature < len(f.info.Features) {
					f.cell(parquet.ByteArrayValue([]byte(of(feature, s))), min(n, 1), 1)
					n++
				}
			}
			if n == 0 {
				f.cell(parquet.NullValue(), 0, 0)
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// optional writes a column that may have nulls.
func (f *sealedFile) optional(c *fstore.Column, at, end int) error {
	if c.Valid == nil && !c.Type.IsList() && c.Type.Width() > 1 {
		return f.numbers(c, at, end)
	}
	return f.each(at, end, func(row int) {
		switch {
		case c.IsNull(row):
			f.cell(parquet.NullValue(), 0, 0)
		case !c.Type.IsList():
			f.cell(valueOf(c, row), 0, 1)
		case c.Offsets[row] == c.Offsets[row+1]:
			f.cell(parquet.NullValue(), 0, 1)
		default:
			for i := c.Offsets[row]; i < c.Offsets[row+1]; i++ {
				f.cell(valueOf(c, int(i)), min(int(i-c.Offsets[row]), 1), 2)
			}
		}
	})
}

// numbers writes the next column, which is of numbers and has no nulls: most are.
func (f *sealedFile) numbers(c *fstore.Column, at, end int) error {
	for ; at < end; at += len(f.cells) {
		n := min(end-at, chunkCells)
		f.cells = f.cells[:0]
		for row := at; row < at+n; row++ {
			var v parquet.Value
			switch {
			case c.Float64s != nil:
				v = parquet.DoubleValue(c.Float64s[row])
			case c.Int64s != nil:
				v = parquet.Int64Value(c.Int64s[row])
			default:
				v = valueOf(c, row)
			}
			f.cells = append(f.cells, v.Level(0, 1, 0))
		}
		if _, err := f.columns[f.next].WriteRowValues(f.cells); err != nil {
			return err
		}
	}
	f.cells = f.cells[:0]
	f.next++
	return nil
}

// each writes the next column: add adds the cells of a row.
func (f *sealedFile) each(at, end int, add func(row int)) error {
	to := f.columns[f.next]
	f.next++
	for row := at; row < end; row++ {
		add(row)
		if len(f.cells) < chunkCells && row < end-1 {
			continue
		}
		_, err := to.WriteRowValues(f.cells)
		clear(f.cells) // texts share the memory of the batch
		if f.cells = f.cells[:0]; err != nil {
			return err
		}
	}
	return nil
}

func (f *sealedFile) cell(v parquet.Value, repetition, definition int) {
	f.cells = append(f.cells, v.Level(repetition, definition, 0))
}

// valueOf returns an element of a column.
func valueOf(c *fstore.Column, i int) parquet.Value {
	switch c.Type.Elem() {
	case fstore.Bool:
		return parquet.BooleanValue(c.Bools[i])
	case fstore.Int32:
		return parquet.Int32Value(c.Int32s[i])
	case fstore.Int64, fstore.Timestamp:
		return parquet.Int64Value(c.Int64s[i])
	case fstore.Float32:
		return parquet.FloatValue(c.Float32s[i])
	case fstore.Float64:
		return parquet.DoubleValue(c.Float64s[i])
	case fstore.String:
		return parquet.ByteArrayValue([]byte(c.Strings[i]))
	case fstore.Bytes: // below
	}
	if c.Bytes[i] == nil {
		return parquet.ByteArrayValue([]byte{})
	}
	return parquet.ByteArrayValue(c.Bytes[i])
}
