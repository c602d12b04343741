package offline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
	"github.com/fstore-dev/fstore/window"
)

// newSweep returns a sweep over the rows of streamSQL for some of the view's features.
func (w *windows) newSweep(features []fstore.Feature) *window.Sweep {
	return window.NewSweep(features, w.series)
}

// sweep sweeps over rows as streamSQL has them, in the order of the keys, of visible and of asks. It calls asked for each row
// that asks.
func (w *windows) sweep(ctx context.Context, sql string, sweep *window.Sweep, asked func(b *fstore.Batch, row int) error) error {
	n := len(w.view.Keys)
	begin := func() error { sweep.Reset(); return nil }
	return w.keyed(ctx, sql, begin, func(b *fstore.Batch, row int) error {
		if b.Columns[n+1].Bools[row] {
			return asked(b, row)
		}
		sweep.Enter(b.Columns[n+2:], row)
		return nil
	})
}

// sweepKeys sweeps over the rows that are in a window of some features at p, key by key. It calls ended with the last row of
// each key.
func (w *windows) sweepKeys(ctx context.Context, p time.Time, features []fstore.Feature, sweep *window.Sweep, ended func(b *fstore.Batch, row int) error) error {
	n := len(w.view.Keys)
	sql := w.streamSQL(w.inWindows(p, features)...) + "\nORDER BY " + strings.Join(append(w.keys(), "visible"), ", ")
	return w.eachKey(ctx, sql, sweep.Reset, func(b *fstore.Batch, row int) error {
		sweep.Enter(b.Columns[n+2:], row)
		return nil
	}, ended)
}

// inWindows returns the conditions that a row is visible at p and is in a window of some features, or in a tile that is kept.
func (w *windows) inWindows(p time.Time, features []fstore.Feature) []string {
	starts := window.Starts(features, fstore.Micros(p))
	if w.of.View.Sawtooth() {
		starts = window.KeptStarts(features, fstore.Micros(p))
	}
	return []string{w.visibleSQL() + " <= " + instant(p), afterSQL(starts[len(starts)-1])}
}

// firstInstant is the first TIMESTAMP that the engine has.
const firstInstant = -9223372022400000000

// afterSQL returns the condition that an event is after the start of a window.
func afterSQL(start int64) string {
	if start < firstInstant {
		return "true"
	}
	return fmt.Sprintf("event > make_timestamp(%d)", start)
}

// eachKey calls each for every row of a query whose first columns are the keys, begin before the first row of a key, and
// ended with its last row.
func (w *windows) eachKey(ctx context.Context, sql string, begin func(), each, ended func(b *fstore.Batch, row int) error) error {
	var last *fstore.Batch
	var at int
	end := func() error {
		if last == nil {
			return nil
		}
		return w.ofKey(last, at, ended(last, at))
	}
	next := func() error {
		err := end()
		begin()
		return err
	}
	if err := w.keyed(ctx, sql, next, func(b *fstore.Batch, row int) error {
		last, at = b, row
		return each(b, row)
	}); err != nil {
		return err
	}
	return end()
}

// keyed calls each for every row of a query whose first columns are the keys, and begin before the first row of each key.
func (w *windows) keyed(ctx context.Context, sql string, begin func() error, each func(b *fstore.Batch, row int) error) error {
	var key, before []byte
	first := true
	var failed error
	err := w.s.each(ctx, sql, func(b *fstore.Batch) bool {
		keys := make([]*fstore.Column, len(w.view.Keys))
		for i := range keys {
			keys[i] = &b.Columns[i]
		}
		for row := range b.Len {
			if key = fstore.AppendKey(key[:0], keys, row); first || !bytes.Equal(key, before) {
				if failed = begin(); failed != nil {
					return false
				}
				first, key, before = false, before, key
			}
			if failed = w.ofKey(b, row, each(b, row)); failed != nil {
				return false
			}
		}
		return true
	})
	return errors.Join(failed, err)
}

// keyColumns returns empty columns for the keys.
func (w *windows) keyColumns() []fstore.Column {
	var out []fstore.Column
	for _, k := range w.view.Keys {
		out = append(out, fstore.NewColumn("", k.Type, 0))
	}
	return out
}

// copyKey adds the key of a row to the first columns of out.
func (w *windows) copyKey(out *batches, b *fstore.Batch, row int) {
	for i := range w.view.Keys {
		out.columns[i].AppendFrom(&b.Columns[i], row)
	}
}

// ofKey says which key an error is about.
func (w *windows) ofKey(b *fstore.Batch, row int, err error) error {
	if err == nil || len(w.view.Keys) == 0 {
		return err
	}
	parts := make([]string, len(w.view.Keys))
	for i, k := range w.view.Keys {
		parts[i] = k.Name + " " + string(b.Columns[i].AppendJSON(nil, row))
	}
	return fmt.Errorf("view %s: key %s: %w", w.of.Ref, strings.Join(parts, ", "), err)
}

// batches collects rows and hands them on, some at a time.
type batches struct {
	columns []fstore.Column
	handed  bool // rows were handed on
	flush   func(b *fstore.Batch) error
	done    func() error // frees what flush needs; nil: nothing
}

// batchRows is how many rows are handed on at a time.
const batchRows = 2048

// errEnough ends a sweep whose rows are no longer needed.
var errEnough = errors.New("enough rows")

// newBatches hands rows to yield until it returns false.
func newBatches(columns []fstore.Column, yield func(*fstore.Batch) bool) *batches {
	return &batches{columns: columns, flush: func(b *fstore.Batch) error {
		if !yield(b) {
			return errEnough
		}
		return nil
	}}
}

// table makes a table and returns what fills it. It may be filled while a query runs.
func (s *session) table(ctx context.Context, name string, names []string, columns []fstore.Column) (*batches, error) {
	types, declared := make([]fstore.Type, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		types[i], declared[i] = c.Type, names[i]+" "+sqltype.Of(c.Type)
	}
	if err := s.exec(ctx, "CREATE TABLE "+name+" (\n  "+list(declared)+"\n)"); err != nil {
		return nil, err
	}
	to, err := s.own.Appender(name, types)
	if err != nil {
		return nil, translate(err)
	}
	return &batches{
		columns: columns,
		flush:   func(b *fstore.Batch) error { return translate(to.Append(b.Columns)) },
		done:    func() error { return translate(to.Close()) },
	}, nil
}

// row is called after a row was added to the columns.
func (b *batches) row() error {
	if b.columns[0].Len < batchRows {
		return nil
	}
	return b.next()
}

// empty reports whether there was no row yet.
func (b *batches) empty() bool { return !b.handed && b.columns[0].Len == 0 }

func (b *batches) next() error {
	b.handed = true
	full := &fstore.Batch{Columns: b.columns, Len: b.columns[0].Len}
	b.columns = make([]fstore.Column, len(full.Columns))
	for i, c := range full.Columns {
		b.columns[i] = fstore.NewColumn(c.Name, c.Type, batchRows)
	}
	return b.flush(full)
}

// close hands on the last rows, unless err, which ended the sweep, is not nil.
func (b *batches) close(err error) error {
	if err == nil && b.columns[0].Len > 0 {
		err = b.next()
	}
	if b.done != nil {
		err = errors.Join(err, b.done())
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
