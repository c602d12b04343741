package servedlog

import (
	"bytes"
	"io"
	"reflect"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
)

const (
	groupRows  = 64 << 10 // of a row group, unless it has many columns
	groupCells = 4 << 20  // rows × columns of a row group
	groupBytes = 64 << 20 // of a row group, after which it ends
)

// sealedFile writes rows of a stream as Parquet. Pages are written by pages.go.
type sealedFile struct {
	info *Info
	plan *Plan
	to   io.Writer
	size int64
	meta format.FileMetaData

	leaves []leafBuffer
	next   int // of leaves
	most   int // rows of a group
	held   int // rows of the group that is being filled

	page, packed []byte // of a leaf, while it is written
	zeros        []byte // a status for each feature
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

func instant() parquet.Node { return parquet.TimestampAdjusted(parquet.Microsecond, true) }

// newSealedFile begins a file. Its columns are in the order in which add writes them.
func newSealedFile(to io.Writer, p *Plan) (*sealedFile, error) {
	schema := parquet.NewSchema("served", schemaOfSealed(p))
	// A file without rows has the footer of one with rows, but for its row groups.
	var empty bytes.Buffer
	w := parquet.NewGenericWriter[any](&empty, schema, parquet.KeyValueMetadata(infoKey, p.text))
	if err := w.Close(); err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(bytes.NewReader(empty.Bytes()), int64(empty.Len()))
	if err != nil {
		return nil, err
	}
	f := &sealedFile{info: &p.info, plan: p, to: to, meta: *file.Metadata(), zeros: make([]byte, len(p.info.Features))}
	for _, path := range schema.Columns() {
		column, _ := schema.Lookup(path...)
		l := leafBuffer{path: path, kind: format.Type(column.Node.Type().Kind()), maxRep: byte(column.MaxRepetitionLevel), maxDef: byte(column.MaxDefinitionLevel)}
		if l.maxRep > 0 {
			l.defs = []byte{}
		}
		f.leaves = append(f.leaves, l)
	}
	f.most = max(min(groupRows, groupCells/len(f.leaves)), 1)
	return f, f.write([]byte(magic))
}

func schemaOfSealed(p *Plan) parquet.Node {
	root := group{}
	root.add("_at", instant())
	root.add("_request_id", parquet.String())
	root.add("_row", parquet.Int(64))
	for _, name := range []string{"_service", "_model", "_trace_id", "_server", "_build"} {
		root.add(name, parquet.Optional(parquet.String()))
	}
	root.add("_status", parquet.Map(parquet.String(), parquet.String()))
	if len(p.refs) > 0 {
		for _, f := range viewNames {
			views := group{}
			for _, ref := range p.refs {
				views.add(ref.String(), parquet.Optional(nodeOf(f.Type)))
			}
			root.add(f.Name, views)
		}
	}
	for _, f := range p.fields[p.firstKept():] {
		root.add(f.Name, parquet.Optional(nodeOf(f.Type)))
	}
	return root
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
		f.addRows(b, at, end)
		f.held += end - at
		size := 0
		for i := range f.leaves {
			size += f.leaves[i].size()
		}
		if f.held == f.most || size >= groupBytes {
			if err := f.flush(); err != nil {
				return err
			}
		}
		at = end
	}
	return nil
}

// leaf returns the next leaf.
func (f *sealedFile) leaf() *leafBuffer {
	f.next++
	return &f.leaves[f.next-1]
}

func (f *sealedFile) addRows(b *fstore.Batch, at, end int) {
	f.next = 0
	c, n := b.Columns, end-at
	f.column(&c[atColumn], at, end)
	f.requests(c[requestColumn].Int64s[at:end])
	f.column(&c[rowColumn], at, end)
	for _, text := range f.constants() {
		switch {
		case text == nil:
			f.words(&c[traceColumn], at, end)
		case *text == "":
			f.leaf().levels(0, n)
		default:
			l := f.leaf()
			l.levels(l.maxDef, n)
			l.word(*text, n)
		}
	}
	f.statuses(c[statusesColumn].Bytes[at:end])
	for kind, v := range viewNames {
		for i := range f.plan.refs {
			if of := &c[fixedColumns+viewColumns*i+kind]; v.Type == fstore.String {
				f.words(of, at, end)
			} else {
				f.column(of, at, end)
			}
		}
	}
	for i := f.plan.firstKept(); i < len(c); i++ {
		f.column(&c[i], at, end)
	}
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

// requests adds the ids of requests. The rows of one follow each other.
func (f *sealedFile) requests(numbers []int64) {
	l := f.leaf()
	l.levels(l.maxDef, len(numbers))
	for from := 0; from < len(numbers); {
		to := from + 1
		for to < len(numbers) && numbers[to] == numbers[from] {
			to++
		}
		l.word(f.info.Server+"-"+strconv.FormatInt(numbers[from], 10), to-from)
		from = to
	}
}

// statuses adds the statuses besides PRESENT, by the names of the features.
func (f *sealedFile) statuses(rows [][]byte) {
	names, values := f.leaf(), f.leaf()
	for _, row := range rows {
		repetition := byte(0)
		if len(row) != len(f.zeros) || !bytes.Equal(row, f.zeros) {
			for feature, status := range row {
				if s := answers.Status(status); s != answers.Present && feature < len(f.info.Features) {
					names.item(repetition, 1)
					names.word(f.info.Features[feature].Name, 1)
					values.item(repetition, 1)
					values.word(s.String(), 1)
					repetition = 1
				}
			}
		}
		if repetition == 0 {
			names.item(0, 0)
			values.item(0, 0)
		}
	}
}

// words adds a column of texts that repeat.
func (f *sealedFile) words(c *fstore.Column, at, end int) {
	l := f.leaf()
	for row := at; row < end; row++ {
		if c.IsNull(row) {
			l.levels(0, 1)
			continue
		}
		l.levels(l.maxDef, 1)
		l.word(c.Strings[row], 1)
	}
}

// column adds a column: all at once if it has no nulls.
func (f *sealedFile) column(c *fstore.Column, at, end int) {
	l := f.leaf()
	switch {
	case c.Type.IsList():
		l.lists(c, at, end)
	case c.Valid == nil:
		l.levels(l.maxDef, end-at)
		l.elements(c, at, end)
	default:
		for row := at; row < end; row++ {
			if c.IsNull(row) {
				l.levels(0, 1)
				continue
			}
			l.levels(l.maxDef, 1)
			l.elements(c, row, row+1)
		}
	}
}

// lists adds a column of lists.
func (l *leafBuffer) lists(c *fstore.Column, at, end int) {
	for row := at; row < end; row++ {
		from, to := int(c.Offsets[row]), int(c.Offsets[row+1])
		switch {
		case c.IsNull(row):
			l.item(0, 0)
		case from == to:
			l.item(0, 1)
		default:
			for i := from; i < to; i++ {
				l.item(byte(min(i-from, 1)), l.maxDef)
			}
			l.elements(c, from, to)
		}
	}
}

// elements adds elements of a column, without their levels.
func (l *leafBuffer) elements(c *fstore.Column, from, to int) {
	switch c.Type.Elem() {
	case fstore.Bool:
		for _, v := range c.Bools[from:to] {
			b := byte(0)
			if v {
				b = 1
			}
			l.data = append(l.data, b)
		}
	case fstore.Int32:
		values := c.Int32s[from:to]
		l.bound(int64(slices.Min(values)), int64(slices.Max(values)))
		l.data = append(l.data, arrow.Int32Traits.CastToBytes(values)...)
	case fstore.Int64, fstore.Timestamp:
		values := c.Int64s[from:to]
		l.bound(slices.Min(values), slices.Max(values))
		l.data = append(l.data, arrow.Int64Traits.CastToBytes(values)...)
	case fstore.Float32:
		l.data = append(l.data, arrow.Float32Traits.CastToBytes(c.Float32s[from:to])...)
	case fstore.Float64:
		l.data = append(l.data, arrow.Float64Traits.CastToBytes(c.Float64s[from:to])...)
	case fstore.String:
		for _, s := range c.Strings[from:to] {
			l.data = appendBytes(l.data, s)
		}
	case fstore.Bytes:
		for _, b := range c.Bytes[from:to] {
			l.data = appendBytes(l.data, b)
		}
	}
}
