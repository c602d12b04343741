package offline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
)

// Leak is the error of a view whose rows see the future. It is of kind fstore.ErrCheck.
type Leak struct {
	View       fstore.ViewRef `json:"view"`
	Instants   []time.Time    `json:"instants"`   // at which rows differ
	Compared   int64          `json:"compared"`   // instants at which rows were compared
	Candidates int64          `json:"candidates"` // instants at which they could be
	Keys       int64          `json:"keys"`       // keys whose rows differ at the first of the instants
	Of         int64          `json:"of"`         // keys that have rows there
	Examples   []LeakExample  `json:"examples"`
	Input      *LeakedInput   `json:"input,omitempty"` // the newest row of a source that was seen too early; nil: not found
	Fix        string         `json:"fix"`
}

// LeakedInput is a row of a source.
type LeakedInput struct {
	Source  string    `json:"source"`
	Row     string    `json:"row"` // its columns: the event time, and keys of the view
	Visible time.Time `json:"visible"`
}

func (l *Leak) Error() string { return l.message() + " (" + l.Fix + ")" }

func (l *Leak) message() string {
	has := "has a row that later rows change"
	if l.Keys != 1 {
		has = "have rows that later rows change"
	}
	text := fmt.Sprintf("%s sees the future at %d of %s: as of %s, %s of %s (%s) %s",
		l.View, len(l.Instants), english.Count(int(l.Compared), "instant"), fstore.FormatTime(l.Instants[0]),
		english.Thousands(l.Keys), english.Count(int(l.Of), "key"), percent(l.Keys, l.Of), has)
	for _, x := range l.Examples {
		text += "\n  " + x.String()
	}
	if l.Input != nil {
		text += fmt.Sprintf("\n  the newest row that was read too early: %s of source %s, known from %s", l.Input.Row, l.Input.Source, fstore.FormatTime(l.Input.Visible))
	}
	if others := l.Instants[1:]; len(others) > 0 {
		text += "\n  rows differ also as of " + someInstants(others)
	}
	return text
}

// someInstants lists instants, or the first of many.
func someInstants(all []time.Time) string {
	const most = 5
	var out []string
	for _, at := range all[:min(most, len(all))] {
		out = append(out, fstore.FormatTime(at))
	}
	text := strings.Join(out, ", ")
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf(" and at %s more", english.Thousands(int64(more)))
	}
	return text
}

func percent(n, of int64) string {
	if of == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.3g %%", 100*float64(n)/float64(of))
}

// Unwrap gives the message, the fix as a hint, and the kind.
func (l *Leak) Unwrap() error {
	return fstore.Errorf(fstore.ErrCheck, "%s", l.message()).WithHint("%s", l.Fix)
}

func (c *causality) newLeak(ctx context.Context, p time.Time, d *differences) (*Leak, error) {
	l := &Leak{View: c.v.Ref, Instants: []time.Time{p}, Keys: d.keys, Of: d.of, Examples: d.examples}
	var err error
	l.Input, err = c.tooEarly(ctx, p, d.examples[0])
	return l, err
}

// explained completes a leak once all instants were compared.
func (l *Leak) explained(c *causality) *Leak {
	l.Compared, l.Candidates = c.out.Instants, c.out.Candidates
	l.Fix = c.fix(l) + upstreamHint(c.v)
	return l
}

// upstreamHint names the views that a view reads, which may be what sees the future.
func upstreamHint(v *fstore.ViewVersion) string {
	var read []string
	for _, up := range v.Views {
		if slices.Contains(v.View.Inputs, up.Name) {
			read = append(read, up.Name)
		}
	}
	if len(read) == 0 {
		return ""
	}
	return fmt.Sprintf("; %s reads %s: if that leaks, mend it first", v.View.Name, strings.Join(read, " and "))
}

// lags are availabilities that people state.
var lags = []time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 31 * 24 * time.Hour,
}

// readsBack is how SQL keeps from reading later rows.
const readsBack = "read no rows after the event time in frames, joins and subqueries, or declare the window as an aggregation (docs/causality.md)"

// fix says what would make a view causal.
func (c *causality) fix(l *Leak) string {
	view := &c.v.View
	if view.Available.Created {
		return "the created time of a row must not be before that of any row it is made from: yield a row for each state that became known (docs/causality.md); and " + readsBack
	}
	for _, s := range c.v.Sources {
		if s.Available.Created {
			return fmt.Sprintf("rows of %s become known at their created time: yield a row for each state that became known, and name its created time as created_timestamp (docs/causality.md); and ", s.Name) + readsBack
		}
	}
	if lag := c.lagThatHelps(l); lag > 0 {
		return "if fstore validate warns of this SQL, follow its hint; else " + readsBack + fmt.Sprintf("; only where every row is sure to be complete by then, state availability: event + %[1]s (no row older than %[1]s differs at these instants, which does not show that none ever does)", lag)
	}
	return readsBack
}

// lagThatHelps returns an availability with which no row would have differed, and with which the first example would be
// complete; 0 if there is none that is short beside the time that was looked at. No delay helps a row that vanishes.
func (c *causality) lagThatHelps(l *Leak) fstore.Duration {
	wait := c.oldest
	if event, err := fstore.ParseTime(l.Examples[0].Event); err == nil && l.Input != nil {
		wait = max(wait, l.Input.Visible.Sub(event)-1) // by then it is complete
	}
	i := slices.IndexFunc(lags, func(d time.Duration) bool { return d > wait })
	vanishes := func(x LeakExample) bool { return x.All == absent }
	if i < 0 || slices.ContainsFunc(l.Examples, vanishes) || 2*lags[i] > c.span {
		return 0
	}
	return fstore.Duration(lags[i])
}

// tooEarly finds the newest row of a source that a row of the view was made from although it was known later only: the
// row whose arrival makes the view's row what all data makes it.
func (c *causality) tooEarly(ctx context.Context, p time.Time, x LeakExample) (*LeakedInput, error) {
	want, err := c.digestOf(ctx, "_full", x)
	if err != nil {
		return nil, err
	}
	later := "visible > " + instant(p)
	b, err := c.query(ctx, "SELECT count(*)\nFROM _inputs\nWHERE "+later)
	if err != nil {
		return nil, err
	}
	low, high := int64(-1), b.Columns[0].Int64s[0] // at low the row still differs
	last := high
	at := func(i int64) (time.Time, error) {
		b, err := c.query(ctx, fmt.Sprintf("SELECT visible\nFROM _inputs\nWHERE %s\nORDER BY visible\nLIMIT 1 OFFSET %d", later, i))
		if err != nil {
			return time.Time{}, err
		}
		return fstore.FromMicros(b.Columns[0].Int64s[0]), nil
	}
	for high-low > 1 {
		middle := low + (high-low)/2
		q, err := at(middle)
		if err != nil {
			return nil, err
		}
		then, err := c.rows(ctx, c.input, cut{known: c.req.AsOf, visible: &q})
		if err != nil {
			return nil, err
		}
		got, err := c.digestOf(ctx, "(\n"+c.foundSQL(then)+"\n)", x)
		c.forget(ctx, then)
		if err != nil {
			return nil, err
		}
		if got == want {
			high = middle
		} else {
			low = middle
		}
	}
	if high == last {
		return nil, nil
	}
	q, err := at(high)
	if err != nil {
		return nil, err
	}
	return c.inputAt(ctx, q, x)
}

func (c *causality) digestOf(ctx context.Context, from string, x LeakExample) (string, error) {
	b, err := c.query(ctx, "SELECT count(*) || ' ' || coalesce(sum(h), 0)::VARCHAR\nFROM "+from+"\nWHERE "+x.where)
	if err != nil {
		return "", c.locate(ctx, err)
	}
	return b.Columns[0].Strings[0], nil
}

// inputAt returns a row of a source that became visible at an instant; one with the key of an example where there is one.
func (c *causality) inputAt(ctx context.Context, q time.Time, x LeakExample) (*LeakedInput, error) {
	var found *LeakedInput
	for i := range c.v.Sources {
		def := &c.v.Sources[i]
		if def.Static() {
			continue
		}
		src, err := c.source(ctx, def)
		if err != nil {
			return nil, err
		}
		var keys []string
		for _, k := range c.v.View.Keys {
			if slices.ContainsFunc(src.columns, func(have *sourceColumn) bool { return have.name == k.Name && have.unreadable == nil }) {
				keys = append(keys, k.Name)
			}
		}
		from, err := c.sourceTimes(src, keys...)
		if err != nil {
			return nil, err
		}
		b, err := c.query(ctx, "SELECT key, event\nFROM (\n"+strings.Join(from, "\nUNION ALL\n")+"\n)\nWHERE visible = "+instant(q)+
			"\nORDER BY key = "+text(x.Key)+" DESC, key, event\nLIMIT 1")
		if err != nil {
			return nil, err
		}
		if b.Len == 0 {
			continue
		}
		row := b.Columns[0].Strings[0]
		mine := row == x.Key
		if row != "" {
			row += ", "
		}
		if found == nil || mine {
			found = &LeakedInput{Source: def.Name, Row: row + def.Event + "=" + b.Columns[1].Strings[0], Visible: q}
		}
	}
	return found, nil
}
