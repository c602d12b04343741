package expect

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
)

// Shown is how many bad rows of an expectation are shown to people.
const Shown = 5

// Columns say what the batches of a run have.
type Columns struct {
	All   []fstore.Field // in the order of the batches
	Keys  int            // the first columns are the keys of a row, which its sample has
	Event int            // the column with the event time; -1: there is none
}

// ViewColumns describes the batches of a view as of an instant: the keys, the event time and the features in name order.
func ViewColumns(v *fstore.View) Columns {
	c := Columns{All: slices.Clone(v.Keys), Keys: len(v.Keys), Event: len(v.Keys)}
	c.All = append(c.All, fstore.Field{Type: fstore.Timestamp}) // without a name: a feature may be called event
	for _, f := range v.ByName() {
		c.All = append(c.All, fstore.Field{Name: f.Name, Type: f.Type})
	}
	return c
}

// Run checks one pass over rows. It is not safe for concurrent use.
type Run struct {
	columns Columns
	keep    int
	checks  []*checking
	rows    int64
	newest  int64 // event time, in microseconds
	scratch []int32
}

// checking is a rule and what was seen of it so far.
type checking struct {
	rule   Rule
	column int  // of the batch; -1: the rule looks at rows
	test   test // finds bad values; nil: the rule has none
	mean   *mean
	nulls  int64
	bad    int64
	kept   []json.RawMessage
}

// Begin begins a pass over rows with these columns. It keeps up to keep bad rows of each rule. The error is ErrInvalid for a rule
// that does not fit its column: the definitions were checked with other files.
func Begin(rules []Rule, columns Columns, keep int) (*Run, error) {
	r := &Run{columns: columns, keep: keep, newest: math.MinInt64}
	for _, rule := range rules {
		c := &checking{rule: rule, column: -1}
		if rule.Check.OfColumn() {
			c.column = slices.IndexFunc(columns.All, func(f fstore.Field) bool { return f.Name == rule.column() })
			if c.column < 0 {
				return nil, fstore.Errorf(fstore.ErrInvalid, "%s: %s: there is no column %q", rule.Pos, rule.Name(), rule.column())
			}
			t := columns.All[c.column].Type
			err := rule.CheckType(t)
			if err == nil {
				c.test, err = newTest(&rule.Expectation, t)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", rule.Pos, rule.Name(), err)
			}
			if rule.Check == fstore.ExpectMean {
				c.mean = &mean{}
			}
		}
		r.checks = append(r.checks, c)
	}
	return r, nil
}

// Rows looks at the next rows.
func (r *Run) Rows(b *fstore.Batch) {
	r.rows += int64(b.Len)
	if r.columns.Event >= 0 {
		event := &b.Columns[r.columns.Event]
		for i, at := range event.Int64s[:event.Len] {
			if at > r.newest && !event.IsNull(i) {
				r.newest = at
			}
		}
	}
	for _, c := range r.checks {
		if c.column < 0 {
			continue
		}
		column := &b.Columns[c.column]
		c.nulls += int64(column.Nulls())
		if c.mean != nil {
			c.mean.add(column)
		}
		if c.test == nil {
			continue
		}
		r.scratch = c.test(column, r.scratch[:0])
		c.bad += int64(len(r.scratch))
		for _, row := range r.scratch[:min(len(r.scratch), r.keep-len(c.kept))] {
			c.kept = append(c.kept, r.rowJSON(b, int(row), c.column))
		}
	}
}

// longest bounds the text of one value in a sample. Of a longer one, a sample has the beginning, as a string.
const longest = 1 << 10

// RowJSON writes a row as an object.
func RowJSON(b *fstore.Batch, row int) json.RawMessage {
	out := []byte{'{'}
	for i := range b.Columns {
		out = appendMember(out, b.Columns[i].Name, &b.Columns[i], row)
	}
	return append(out, '}')
}

func appendMember(out []byte, name string, c *fstore.Column, row int) []byte {
	if len(out) > 1 {
		out = append(out, ',')
	}
	quoted, _ := json.Marshal(name) // cannot fail for a string
	out = append(append(out, quoted...), ':')
	from := len(out)
	if out = c.AppendJSON(out, row); len(out)-from > longest {
		text, _ := json.Marshal(string(out[from:from+longest]) + "…")
		out = append(out[:from], text...)
	}
	return out
}

// rowJSON writes the keys of a row and the value of a column as an object.
func (r *Run) rowJSON(b *fstore.Batch, row, column int) json.RawMessage {
	out := []byte{'{'}
	for i := range b.Columns {
		if i < r.columns.Keys || i == column {
			out = appendMember(out, r.columns.All[i].Name, &b.Columns[i], row)
		}
	}
	return append(out, '}')
}

// Facts are what rules need beside the rows.
type Facts struct {
	At      time.Time // the instant as of which the rows are, or the time now
	Before  *int64    // keys of the publication that they replace; nil: not known
	Unknown string    // why Before is not known
	Deleted int64     // of these keys: how many are deleted, not counting those that go with time
	AtLeast bool      // Deleted is a lower bound

	// BadRows runs the query of a rule of unique or sql, and returns how many rows it gives and some of them.
	BadRows func(context.Context, *Rule) (int64, []json.RawMessage, error)
}

// Results returns how every rule came out, in their order. It is called once, after all rows.
func (r *Run) Results(ctx context.Context, f Facts) ([]Result, error) {
	out := make([]Result, len(r.checks))
	for i, c := range r.checks {
		res := &out[i]
		*res = Result{
			Expectation: c.rule.Name(), Check: c.rule.Check, Column: c.rule.column(), Severity: fstore.SeverityError, Outcome: Passed,
			Rows: r.rows, Checked: r.rows, Pos: c.rule.Pos,
		}
		if c.rule.IsWarning() {
			res.Severity = fstore.SeverityWarn
		}
		var err error
		switch c.rule.Check {
		case fstore.ExpectNotNull, fstore.ExpectBetween, fstore.ExpectIn, fstore.ExpectMatches:
			c.values(res)
		case fstore.ExpectNullRate:
			c.nullRate(res)
		case fstore.ExpectMean:
			err = c.meanResult(res)
		case fstore.ExpectRows:
			r.rowCount(&c.rule, f, res)
		case fstore.ExpectKeysDeleted:
			keysDeleted(&c.rule, f, res)
		case fstore.ExpectFreshness:
			r.freshness(&c.rule, f, res)
		case fstore.ExpectUnique, fstore.ExpectSQL:
			err = c.query(ctx, f, res)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.rule.Pos, c.rule.Name(), err)
		}
		if res.Outcome == Failed {
			res.Sample = c.kept[:min(len(c.kept), Shown)]
		}
	}
	return out, nil
}

func (r *Result) fail(why string) { r.Outcome, r.Why = Failed, why }

func (r *Result) skip(why string) { r.Outcome, r.Why = Skipped, why }

// values is for checks of single values. Nulls are not decided about, except by not_null.
func (c *checking) values(res *Result) {
	if c.rule.Check != fstore.ExpectNotNull {
		res.Checked -= c.nulls
	}
	res.Bad = c.bad
	if res.Checked == 0 {
		res.skip("there are no values")
		return
	}
	good := float64(res.Checked-res.Bad) / float64(res.Checked)
	res.Observed = fstore.Percent(good)
	least := c.rule.Mostly
	if least == 0 {
		least = 1
	}
	if good >= least {
		return
	}
	verb := map[fstore.Check]string{
		fstore.ExpectNotNull: "are null", fstore.ExpectBetween: "are out of range", fstore.ExpectIn: "are not in the list", fstore.ExpectMatches: "do not match",
	}[c.rule.Check]
	res.fail(fmt.Sprintf("%s of %s values %s (%s)", english.Thousands(res.Bad), english.Thousands(res.Checked), verb, english.Percent(1-good)))
}

func (c *checking) nullRate(res *Result) {
	res.Bad = c.nulls
	if res.Rows == 0 {
		res.skip("there are no rows")
		return
	}
	rate := float64(c.nulls) / float64(res.Rows)
	res.Observed = fstore.Percent(rate)
	if rate > c.rule.Max {
		res.fail(fmt.Sprintf("%s of %s values are null (%s)", english.Thousands(c.nulls), english.Thousands(res.Rows), english.Percent(rate)))
	}
}

func (c *checking) meanResult(res *Result) error {
	res.Checked -= c.nulls
	if res.Checked == 0 {
		res.skip("there are no values")
		return nil
	}
	low, high, err := c.rule.Bounds(fstore.Float64)
	if err != nil {
		return err
	}
	x := c.mean.value()
	res.Observed = strconv.FormatFloat(x, 'g', -1, 64)
	if low != nil && !(x >= low.Float64s[0]) || high != nil && !(x <= high.Float64s[0]) {
		res.fail(fmt.Sprintf("the mean of %s values is %s", english.Thousands(res.Checked), res.Observed))
	}
	return nil
}

func (r *Run) rowCount(rule *Rule, f Facts, res *Result) {
	res.Observed = strconv.FormatInt(r.rows, 10)
	n := english.Thousands(r.rows)
	switch {
	case rule.MinRows != nil && r.rows < *rule.MinRows:
		res.fail(fmt.Sprintf("there are %s, fewer than %s", n, english.Thousands(*rule.MinRows)))
	case rule.MaxRows != nil && r.rows > *rule.MaxRows:
		res.fail(fmt.Sprintf("there are %s, more than %s", n, english.Thousands(*rule.MaxRows)))
	case rule.Change == 0, f.Before != nil && *f.Before == r.rows:
	case f.Before == nil:
		res.skip("there is nothing to compare with: " + f.Unknown)
	case *f.Before == 0: // any row would be too great a change, forever
		res.skip("there is nothing to compare with: the last publication had no rows")
	case math.Abs(float64(r.rows-*f.Before))/float64(*f.Before) > rule.Change:
		res.fail(fmt.Sprintf("there are %s; the last publication had %s", n, english.Thousands(*f.Before)))
	}
}

func keysDeleted(rule *Rule, f Facts, res *Result) {
	switch {
	case f.Before == nil:
		res.skip("there is nothing to compare with: " + f.Unknown)
		return
	case *f.Before == 0:
		res.skip("there were no keys to delete")
		return
	}
	share := float64(f.Deleted) / float64(*f.Before)
	res.Rows, res.Checked, res.Bad, res.Observed = *f.Before, *f.Before, f.Deleted, fstore.Percent(share)
	if share > rule.Max {
		deleted := english.Thousands(f.Deleted)
		if f.AtLeast {
			deleted = "at least " + deleted
		}
		res.fail(fmt.Sprintf("%s of %s published keys would be deleted (%s)", deleted, english.Thousands(*f.Before), english.Percent(share)))
	}
}

func (r *Run) freshness(rule *Rule, f Facts, res *Result) {
	if r.newest == math.MinInt64 {
		res.fail("there are no rows")
		return
	}
	newest := fstore.FromMicros(r.newest)
	age := f.At.Sub(newest)
	res.Observed = english.Span(age)
	if age > time.Duration(max(rule.WarnAge, rule.ErrorAge)) { // a rule has one of them
		res.fail(fmt.Sprintf("the newest row is from %s, %s before %s", fstore.FormatTime(newest), res.Observed, fstore.FormatTime(f.At)))
	}
}

// query is for checks that the engine answers.
func (c *checking) query(ctx context.Context, f Facts, res *Result) error {
	n, rows, err := f.BadRows(ctx, &c.rule)
	if err != nil {
		return err
	}
	res.Bad, c.kept = n, rows
	if n == 0 {
		return nil
	}
	why := "the query returns " + english.Count(int(n), "row")
	if c.rule.Check == fstore.ExpectUnique {
		why = english.Thousands(n) + " rows share their values with another row"
	}
	res.fail(why)
	return nil
}
