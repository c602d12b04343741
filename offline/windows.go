package offline

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
	"github.com/fstore-dev/fstore/window"
)

// windows looks up features that aggregate rows over windows (docs/windows.md). The rows come sorted from the engine, and
// package window aggregates them, so that training and serving use one arithmetic.
type windows struct {
	*rows // of the view's input: for each series, whether a row passes and the value
	of    *fstore.ViewVersion
	sweep *window.Sweep
	out   []fstore.Feature // by name
}

// lookupWindows makes the look-up of a windowed view.
func lookupWindows(ctx context.Context, s *session, v *fstore.ViewVersion, c cut) (lookup, error) {
	w := &windows{of: v, out: v.View.Record()}
	all, of := window.SeriesOf(w.out)
	if err := s.settle(ctx, v, c, all); err != nil {
		return nil, err
	}
	input := windowInput(v, all)
	var err error
	if w.rows, err = s.rows(ctx, &input, c); err != nil {
		return nil, err
	}
	w.sweep = window.NewSweep(w.out, all, of)
	return w, nil
}

// windowInput returns the view whose rows a windowed view aggregates. It has two features for each series: whether the row
// passes, and the value.
func windowInput(v *fstore.ViewVersion, all []window.Series) fstore.ViewVersion {
	in := fstore.ViewVersion{Ref: v.Ref, Sources: v.Sources, Views: v.Views, View: fstore.View{
		Name: v.View.Name, Entities: v.View.Entities, Keys: v.View.Keys, Inputs: v.View.Inputs,
		Event: v.View.Event, Created: v.View.Created, Available: v.View.Available,
	}}
	columns := []string{}
	add := func(x, name string, t fstore.Type) {
		columns = append(columns, x+" AS "+ident(name))
		in.View.Features = append(in.View.Features, fstore.Feature{Name: name, Column: name, Type: t})
	}
	for i, s := range all {
		add(expressionSQL(s.Where), fmt.Sprintf("s%03d_passes", i), fstore.Bool)
		value := expressionSQL(s.Expression)
		if s.Type == fstore.String {
			value += "::VARCHAR"
		}
		add(value, fmt.Sprintf("s%03d_value", i), s.Type)
	}
	in.View.SQL = "SELECT " + strings.Join(append(windowColumns(&v.View), columns...), ", ") + "\nFROM " + windowFrom(&v.View)
	return in
}

// windowColumns returns the columns that the input of a windowed view has besides its series.
func windowColumns(v *fstore.View) []string {
	names := []string{v.Event}
	if v.Created != "" && v.Created != v.Event {
		names = append(names, v.Created)
	}
	for _, k := range v.Keys {
		if k.Name != v.Event && k.Name != v.Created {
			names = append(names, k.Name)
		}
	}
	for i, name := range names {
		names[i] = ident(name)
	}
	return names
}

// windowFrom returns the relation that a windowed view aggregates.
func windowFrom(v *fstore.View) string {
	if v.Source != "" {
		return ident(v.Source)
	}
	return "(\n" + v.SQL + "\n) AS _input"
}

// expressionSQL returns an expression as part of a query. It may end in a comment.
func expressionSQL(text string) string {
	if text == "" {
		return "true"
	}
	return "(\n" + text + "\n)"
}

// settle gives the series whose values are only compared a type that holds them.
func (s *session) settle(ctx context.Context, v *fstore.ViewVersion, c cut, all []window.Series) error {
	for i := range all {
		if all[i].Type != fstore.Invalid {
			continue
		}
		sql := "SELECT " + expressionSQL(all[i].Expression) + " AS x\nFROM " + windowFrom(&v.View)
		reads, err := s.inputs(ctx, &fstore.ViewVersion{Ref: v.Ref, Sources: v.Sources, Views: v.Views, View: fstore.View{SQL: sql}}, c, "_settle")
		if err != nil {
			return err
		}
		if err := s.admit(ctx, sql, reads); err != nil {
			return invalid(err)
		}
		columns, err := s.describe(ctx, sql)
		if err != nil {
			return err
		}
		t, ok := sqltype.Parse(columns[0].Type).Distinct()
		if !ok {
			return fstore.Errorf(fstore.ErrInvalid, "%s is %s, whose values cannot be told apart", all[i].Expression, columns[0].Type).
				WithHint("count distinct parts of it")
		}
		all[i].Type = t
	}
	return nil
}

// streamSQL returns the query of the rows of the view's input under a condition: k0, k1…, at (the instant from which the row
// is visible), asks (false), event, created, and the columns of the series.
func (w *windows) streamSQL(where ...string) string {
	columns := append(w.keys(), w.visibleSQL()+" AS at", "false AS asks", "event", "created")
	for i := range w.record {
		f := fmt.Sprintf("f%d", i)
		columns = append(columns, w.feature(i, f)+" AS "+f)
	}
	return "SELECT " + strings.Join(columns, ", ") + "\nFROM " + w.name + "\nWHERE " + and(append(w.hasKey(), where...))
}

// run sweeps over rows as streamSQL has them, with those of one key together. asked is called for each row that asks, and
// ended for the last row of each key; either may be nil.
func (w *windows) run(ctx context.Context, s *session, sql string, asked, ended func(b *fstore.Batch, row int) error) error {
	rows, err := s.conn.Query(ctx, sql)
	if err != nil {
		return plain(err)
	}
	defer rows.Close()
	n := len(w.view.Keys)
	var last *fstore.Batch
	var key, before []byte
	end := func() error {
		if last == nil || ended == nil {
			return nil
		}
		return ended(last, last.Len-1)
	}
	for {
		b, err := rows.Next()
		if err != nil {
			return plain(err)
		}
		if b == nil {
			return end()
		}
		keys := keyColumns(b, n)
		for row := range b.Len {
			key = fstore.AppendKey(key[:0], keys, row)
			if last == nil || !bytes.Equal(key, before) {
				if row > 0 {
					last = &fstore.Batch{Columns: b.Columns, Len: row}
				}
				if err := end(); err != nil {
					return err
				}
				w.sweep.Reset()
				key, before = before, key
			}
			last = b
			if b.Columns[n+1].Bools[row] {
				err = asked(b, row)
			} else {
				err = w.sweep.Enter(b.Columns[n+2:], row)
			}
			if err != nil {
				return w.ofKey(b, row, err)
			}
		}
	}
}

func keyColumns(b *fstore.Batch, n int) []*fstore.Column {
	out := make([]*fstore.Column, n)
	for i := range out {
		out[i] = &b.Columns[i]
	}
	return out
}

// ofKey says which key an error is about.
func (w *windows) ofKey(b *fstore.Batch, row int, err error) error {
	parts := make([]string, len(w.view.Keys))
	for i, k := range w.view.Keys {
		parts[i] = k.Name + " = " + string(b.Columns[i].AppendJSON(nil, row))
	}
	if len(parts) == 0 {
		return err
	}
	return fmt.Errorf("%s: %w", strings.Join(parts, ", "), err)
}

// asOf yields the values of every key that has a row in a window at p. Their event is null: it is the instant of the
// publication.
func (w *windows) asOf(ctx context.Context, s *session, p time.Time, yield func(*fstore.Batch, error) bool) error {
	n := len(w.view.Keys)
	var out []fstore.Column
	begin := func() {
		out = out[:0]
		for _, k := range w.view.Keys {
			out = append(out, fstore.NewColumn(k.Name, k.Type, asOfRows))
		}
		out = append(out, fstore.NewColumn("event", fstore.Timestamp, asOfRows))
		for _, f := range w.out {
			out = append(out, fstore.NewColumn(f.Name, f.Type, asOfRows))
		}
	}
	begin()
	stopped := false
	flush := func() {
		if b := (&fstore.Batch{Columns: out, Len: out[n].Len}); b.Len > 0 && !yield(b, nil) {
			stopped = true
		}
		out = nil
		begin()
	}
	sql := w.streamSQL(w.visibleSQL()+" <= "+instant(p)) + orderBy(w.keys())
	err := w.run(ctx, s, sql, nil, func(b *fstore.Batch, row int) error {
		if stopped || !w.sweep.Has(fstore.Micros(p)) {
			return nil
		}
		for i := range n {
			out[i].AppendFrom(&b.Columns[i], row)
		}
		out[n].AppendNull()
		if err := w.sweep.At(fstore.Micros(p), out[n+1:]); err != nil {
			return w.ofKey(b, row, err)
		}
		if out[n].Len == asOfRows {
			flush()
		}
		return nil
	})
	if err == nil && !stopped {
		flush()
	}
	return err
}

// asOfRows is how many rows a batch of values has.
const asOfRows = 2048

func orderBy(columns []string) string {
	if len(columns) == 0 {
		return ""
	}
	return "\nORDER BY " + strings.Join(columns, ", ")
}
