package servedlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
	"github.com/fstore-dev/fstore/regular"
)

// Rows are rows of the log that have all columns in common. They are valid during the call that they are given to.
type Rows struct {
	Info     *Info
	Len      int
	At       []int64         // UTC microseconds
	Request  []string        // ids
	Row      []int64         // of the request
	Statuses [][]byte        // by row, a byte for each feature
	Views    []ViewColumns   // in the order of Info.Views
	Keys     []fstore.Column // in the order of Info.Columns; hashed keys are strings; none without keys
	Inputs   []fstore.Column // in the order of Info.Inputs
	Features []fstore.Column // in the order of Info.Features
}

// ViewColumns say of which publication of a view version each row is.
type ViewColumns struct{ Published, Run, RunAt, InFlight fstore.Column }

// Reader says what Read reads.
type Reader struct {
	Since      time.Time                    // rows of earlier instants may be among those that Do gets
	Chosen     func(*Info) bool             // lists of features; files of others are not decoded
	Do         func(*Rows) error            // its error ends Read
	Unreadable func(path string, err error) // a file that cannot be read, or not from some row on; the others are read all the same
}

// Read reads the files of a log: sealed ones, and what servers have written to streams. Servers may seal streams meanwhile: each row
// is read once.
func Read(folder string, r Reader) error {
	files, err := listFiles(folder)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, f := range files {
		base := f.base()
		if seen[base] || hourOf(f.begun).Add(time.Hour).Before(r.Since) {
			continue
		}
		seen[base] = true
		var failed error // of Do
		err := readFile(base, r.Chosen, func(p *Plan, b *fstore.Batch) error {
			failed = r.Do(rowsOf(p, b))
			return failed
		})
		switch {
		case failed != nil:
			return failed
		case err != nil && !errors.Is(err, errSkip):
			r.Unreadable(f.path, err)
		}
	}
	return nil
}

// readFile reads the sealed file of a base, or else its stream. A sealed file is complete once it is there.
func readFile(base string, chosen func(*Info) bool, do func(*Plan, *fstore.Batch) error) error {
	sealed, err := regular.Open(base+sealedSuffix, regular.AnySize)
	if errors.Is(err, fs.ErrNotExist) {
		stream, err := regular.Open(base+streamSuffix, regular.AnySize)
		if err == nil {
			defer stream.Close()
			good, _, err := intact(stream)
			if err != nil {
				return err
			}
			if isAt(stream, base+streamSuffix) { // so its sums were there
				return readStream(good, chosen, do)
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// It was sealed meanwhile, or deleted.
		if sealed, err = regular.Open(base+sealedSuffix, regular.AnySize); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	defer sealed.Close()
	return readSealed(sealed, chosen, do)
}

// errSkip ends the reading of a file.
var errSkip = errors.New("the file is not chosen")

func rowsOf(p *Plan, b *fstore.Batch) *Rows {
	c := b.Columns
	r := &Rows{Info: &p.info, Len: b.Len, At: c[atColumn].Int64s, Row: c[rowColumn].Int64s, Statuses: c[statusesColumn].Bytes}
	for _, n := range c[requestColumn].Int64s {
		r.Request = append(r.Request, fmt.Sprint(p.info.Server, "-", n))
	}
	for i := range p.refs {
		of := c[fixedColumns+viewColumns*i:]
		r.Views = append(r.Views, ViewColumns{of[publishedColumn], of[runColumn], of[runAtColumn], of[inFlightColumn]})
	}
	kept := c[p.firstKept():]
	keys := len(p.kept) - len(p.info.Inputs)
	r.Keys, r.Inputs, r.Features = kept[:keys], kept[keys:len(p.kept)], kept[len(p.kept):]
	return r
}

// readSealed calls do with the rows of a sealed file, a row group at a time.
func readSealed(f *os.File, chosen func(*Info) bool, do func(*Plan, *fstore.Batch) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	file, p, err := openSealed(f, chosen)
	if err != nil {
		return err
	}
	for _, g := range file.RowGroups() {
		b, err := readGroup(p, g)
		if err == nil {
			err = do(p, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// planOf returns the plan of a file by its info, or errSkip if the file is not chosen.
func planOf(text string, chosen func(*Info) bool) (*Plan, error) {
	p := &Plan{}
	if err := json.Unmarshal([]byte(text), &p.info); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if !chosen(&p.info) {
		return nil, errSkip
	}
	if p.info.Format != format {
		return nil, fstore.Errorf(fstore.ErrInvalid, "a newer fstore wrote it: format %d", p.info.Format).WithHint("upgrade this fstore")
	}
	p.derive()
	return p, nil
}

// sealedFixed are the leaves of a sealed file before those of views: see newSealedFile. _status has two.
const sealedFixed = 10

// readGroup reads a row group as it was written by sealedFile.addRows.
func readGroup(p *Plan, g parquet.RowGroup) (*fstore.Batch, error) {
	b := &fstore.Batch{Len: int(g.NumRows()), Columns: make([]fstore.Column, len(p.fields))}
	leaves := g.ColumnChunks()
	if len(leaves) != sealedFixed+len(p.fields)-fixedColumns {
		return nil, errDamaged
	}
	for i, f := range p.fields {
		b.Columns[i] = fstore.NewColumn(f.Name, f.Type, b.Len)
	}
	read := func(leaf, column int, take func(c *fstore.Column, v parquet.Value)) error {
		return eachValue(leaves[leaf], func(v parquet.Value) { take(&b.Columns[column], v) })
	}
	number := func(c *fstore.Column, v parquet.Value) { c.AppendInt64(v.Int64()) }
	errs := []error{
		read(0, atColumn, number),
		read(1, requestColumn, func(c *fstore.Column, v parquet.Value) {
			var n int64
			_, _ = fmt.Sscanf(strings.TrimPrefix(string(v.ByteArray()), p.info.Server+"-"), "%d", &n)
			c.AppendInt64(n)
		}),
		read(2, rowColumn, number), read(5, traceColumn, appendValue), p.readStatuses(leaves[8], leaves[9], b),
	}
	next := sealedFixed
	for kind := range viewNames {
		for i := range p.refs {
			errs = append(errs, read(next, fixedColumns+viewColumns*i+kind, appendValue))
			next++
		}
	}
	for column := p.firstKept(); column < len(p.fields); column++ {
		errs = append(errs, read(next, column, appendValue))
		next++
	}
	for i := range b.Columns {
		if c := &b.Columns[i]; c.Len != b.Len {
			errs = append(errs, fmt.Errorf("%w: column %q has %d rows of %d", errDamaged, c.Name, c.Len, b.Len))
		}
	}
	return b, errors.Join(errs...)
}

// readStatuses reads the map of statuses into a byte for each feature.
func (p *Plan) readStatuses(names, statuses parquet.ColumnChunk, b *fstore.Batch) error {
	numbers := map[string]int{}
	for i, f := range p.info.Features {
		numbers[f.Name] = i
	}
	known := map[string]byte{}
	for s := range answers.Statuses {
		known[answers.Status(s).String()] = byte(s)
	}
	c := &b.Columns[statusesColumn]
	var features []int // of each value
	err := eachValue(names, func(v parquet.Value) {
		if v.RepetitionLevel() == 0 {
			c.Bytes = append(c.Bytes, make([]byte, len(p.info.Features)))
			c.EndRow()
		}
		feature := -1
		if n, ok := numbers[string(v.ByteArray())]; ok && !v.IsNull() {
			feature = n
		}
		features = append(features, feature)
	})
	row, at := -1, 0
	return errors.Join(err, eachValue(statuses, func(v parquet.Value) {
		if v.RepetitionLevel() == 0 {
			row++
		}
		if row < c.Len && at < len(features) && features[at] >= 0 {
			c.Bytes[row][features[at]] = known[string(v.ByteArray())]
		}
		at++
	}))
}

// eachValue calls do with every value of a leaf.
func eachValue(chunk parquet.ColumnChunk, do func(parquet.Value)) (err error) {
	pages := chunk.Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	values := make([]parquet.Value, 1024)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for from := page.Values(); ; {
			n, err := from.ReadValues(values)
			for _, v := range values[:n] {
				do(v)
			}
			if errors.Is(err, io.EOF) || n == 0 && err == nil {
				break
			}
			if err != nil {
				return err
			}
		}
		parquet.Release(page)
	}
}

// appendValue appends a value of a column that sealedFile.optional has written.
func appendValue(c *fstore.Column, v parquet.Value) {
	switch {
	case !c.Type.IsList():
		if v.IsNull() {
			c.AppendNull()
			return
		}
		appendElement(c, v)
		c.EndRow()
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
