package offline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/window"
)

// windows looks up features that aggregate rows over windows (docs/windows.md). The engine sorts the rows, and package
// window aggregates them, so that training and serving have one arithmetic. It adds to _at the instant P(T), as v0.
type windows struct {
	*rows     // of the view's input: for each series, whether a row passes and the value
	s         *session
	of        *fstore.ViewVersion
	series    []window.Series
	published []fstore.Feature // the windowed features, by name
	spans     []window.Span    // of all of them: they say whether a key has a row, whichever features are asked for
}

// lookupWindows makes the look-up of a windowed view.
func lookupWindows(ctx context.Context, s *session, v *fstore.ViewVersion, c cut) (lookup, error) {
	w := &windows{s: s, of: v, published: v.View.ByName()}
	if err := window.Check(w.published); err != nil {
		return nil, fmt.Errorf("view %s: %w", v.Ref, err)
	}
	w.series = window.SeriesOf(w.published)
	w.spans = window.SpansOf(w.published)
	if err := s.settle(ctx, v, c, w.series); err != nil {
		return nil, fmt.Errorf("view %s: %w", v.Ref, err)
	}
	input, by := windowInput(v, w.series), severalQueries
	if c.visible != nil && w.groupsOf(*c.visible).reads() == 1 {
		by = oneQuery
	}
	var err error
	w.rows, err = s.rowsFor(ctx, &input, c, by)
	return w, err
}

func (w *windows) dropped() []DroppedRows { return w.nulls }

func (w *windows) atSQL(u *use) (columns []string, joins string) {
	return []string{fmt.Sprintf("labels.p%d AS v%d", u.number, u.number)}, ""
}

// see sweeps over the rows of each key and the instants that its labels ask for.
func (w *windows) see(ctx context.Context, u *use) error {
	features := make([]fstore.Feature, len(u.features))
	columns := append(w.keyColumns(), fstore.NewColumn("", fstore.Timestamp, 0), fstore.NewColumn("", fstore.Bool, 0), fstore.NewColumn("", fstore.Int64, 0))
	for i, name := range u.features {
		features[i] = *w.of.View.Feature(name)
		columns = append(columns, fstore.NewColumn("", features[i].Type, 0))
	}
	names := append(w.keys(), "visible", "has", "n")
	for i := range features {
		names = append(names, fmt.Sprintf("f%d", i))
	}
	out, err := w.s.table(ctx, u.table(), names, columns)
	if err != nil {
		return err
	}
	sweep := w.newSweep(features)
	n := len(w.view.Keys)
	err = w.sweep(ctx, w.streamSQL()+"\nUNION ALL\n"+w.askedSQL(u)+"\nORDER BY "+strings.Join(append(w.keys(), "visible", "asks"), ", "), sweep, func(b *fstore.Batch, row int) error {
		at := b.Columns[n].Int64s[row]
		w.copyKey(out, b, row)
		out.columns[n].AppendInt64(at)
		out.columns[n+1].Append(sweep.HasIn(w.spans, at))
		out.columns[n+2].AppendInt64(sweep.Rows())
		if err := sweep.At(at, out.columns[n+3:]); err != nil {
			return err
		}
		return out.row()
	})
	return w.s.locate(ctx, out.close(err))
}

// askedSQL returns the query of the keys and instants that labels ask for, with the columns of streamSQL.
func (w *windows) askedSQL(u *use) string {
	columns, keyed := []string{}, []string{}
	for k := range u.Keys {
		columns = append(columns, u.key(k))
		keyed = append(keyed, u.key(k)+" IS NOT NULL")
	}
	columns = append(columns, fmt.Sprintf("v%d, true, NULL, NULL", u.number))
	for range w.record {
		columns = append(columns, "NULL")
	}
	return "SELECT DISTINCT " + strings.Join(columns, ", ") + "\nFROM _at\nWHERE " + and(keyed)
}

func (w *windows) joinSQL(u *use) string {
	on := append(u.sameKeys(u.alias()), fmt.Sprintf("labels.v%d = %s.visible", u.number, u.alias()))
	return fmt.Sprintf("\nLEFT JOIN %s AS %s\n  ON %s", u.table(), u.alias(), and(on))
}

func (w *windows) featureSQL(u *use, feature string) string {
	for i, name := range u.features {
		if name == feature {
			return fmt.Sprintf("%s.f%d", u.alias(), i)
		}
	}
	panic("offline: feature " + feature + " was not asked for")
}

// eventSQL returns the instant that the values are of, where a row is in one of the view's windows.
func (w *windows) eventSQL(u *use) string {
	return fmt.Sprintf("CASE WHEN %s.has THEN %s.visible END", u.alias(), u.alias())
}

// countsSQL returns the query of the counts of labels. A key whose rows have all left the view's windows is stale.
func (w *windows) countsSQL(u *use) string {
	has := u.alias() + ".has"
	published := "coalesce(" + u.alias() + ".n, 0)" // rows of the key
	from := "_at AS labels" + w.joinSQL(u) + u.lastSQL("known", w.numberedSQL("visible"), "visible")
	known, happened := "coalesce(known.n, 0)", "coalesce(known.n, 0)"
	if !w.view.Available.IsEvent() { // a row by T may not be available
		from += u.lastSQL("happened", w.numberedSQL("event"), "event")
		happened = "coalesce(happened.n, 0)"
	}
	return "SELECT\n  " + list([]string{
		"count_if(" + has + ")::BIGINT",
		"count_if(NOT " + has + " AND " + published + " > 0)::BIGINT",
		"count_if(" + published + " = 0 AND " + happened + " > 0)::BIGINT",
		"count_if(" + published + " = 0 AND " + happened + " = 0)::BIGINT",
		"count_if(" + has + " AND " + happened + " > " + known + ")::BIGINT",
		"count_if(" + has + " AND " + known + " > " + published + ")::BIGINT",
	}) + "\nFROM " + from
}

// numberedSQL returns the query of how many rows a key has by each instant of a kind: keys, the instant and n.
func (w *windows) numberedSQL(by string) string {
	return "SELECT " + strings.Join(append(w.keys(), by), ", ") + ", count(*) OVER (" + partitionBy(w.keys()) + "ORDER BY " + by + `) AS n
FROM (
  SELECT ` + strings.Join(append(w.keys(), "event", w.visibleSQL()+" AS visible"), ", ") + `
  FROM ` + w.name + `
  WHERE ` + and(w.hasKey()) + `
)`
}

// asOf yields the values of every key that has a row in a window at p. Their event is null: it is that of the publication. A
// sawtooth view yields the tiles that its records hold, and the newest visible event, from which look-ups tell whether a
// window has a row.
func (w *windows) asOf(ctx context.Context, p time.Time, yield func(*fstore.Batch) bool) error {
	out := w.asOfBatches(yield)
	err := error(errSplit)
	if g := w.groupsOf(p); len(g.Parts) > 0 {
		err = g.each(ctx, out)
	}
	if errors.Is(err, errSplit) && out.empty() { // rows that were handed on cannot be taken back
		err = w.sweepAsOf(ctx, p, out)
	}
	return w.s.locate(ctx, out.close(err))
}

// asOfBatches collects the keys, the event time and the features of a record.
func (w *windows) asOfBatches(yield func(*fstore.Batch) bool) *batches {
	columns := append(w.keyColumns(), fstore.NewColumn("", fstore.Timestamp, 0))
	for _, f := range w.of.View.Record() {
		columns = append(columns, fstore.NewColumn("", f.Type, 0))
	}
	return newBatches(columns, yield)
}

// sweepAsOf adds the values of every key to out, in key order, by a sweep over all features.
func (w *windows) sweepAsOf(ctx context.Context, p time.Time, out *batches) error {
	n, at := len(w.view.Keys), fstore.Micros(p)
	sweep := w.newSweep(w.published)
	values, event := sweep.At, func(c *fstore.Column) { c.AppendNull() }
	if w.of.View.Sawtooth() {
		r := window.NewRecorder(w.of.View.TileGroups(), w.series)
		sweep, values, event = r.Sweep, r.Record, func(c *fstore.Column) { c.AppendInt64(r.Newest()) }
	}
	return w.sweepKeys(ctx, p, w.published, sweep, func(b *fstore.Batch, row int) error {
		if !sweep.Has(at) { // its tiles are only kept
			return nil
		}
		w.copyKey(out, b, row)
		event(&out.columns[n])
		if err := values(at, out.columns[n+1:]); err != nil {
			return err
		}
		return out.row()
	})
}
