package offline

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/window"
)

// As of an instant, the functions that need no order need no sort either. The engine groups the rows by key and band (see
// window.Groups) and package window adds up the parts, so that sums have the bits that a sweep gives them. Features of other
// functions are swept over first, into the table _swept, which joins the groups by key.

// errSplit is the error of a query with a double whose sum cannot be grouped. The sweep takes it, or says what is wrong.
var errSplit = fstore.Errorf(fstore.ErrInvalid, "a double is too large to be split")

// splitMarker is the message of that error in the engine. It is random, so that no data and no SQL of a user's can have it.
var splitMarker = "split " + rand.Text()

const sweptTable = "_swept"

// groups is how the features of a windowed view are grouped as of an instant.
type groups struct {
	*windows
	*window.Groups
	starts []int64 // of the bands
	p      time.Time
	swept  []int // features that are not grouped, by their place among the published ones
}

// groupsOf returns how a view's features are grouped as of p. Those of a sawtooth view are not.
func (w *windows) groupsOf(p time.Time) *groups {
	if w.of.View.Sawtooth() {
		return &groups{windows: w, Groups: &window.Groups{}}
	}
	at := fstore.Micros(p)
	g := &groups{windows: w, Groups: window.NewGroups(w.published, w.series, at), starts: window.Starts(w.published, at), p: p}
	for i := range w.published {
		if !window.Groupable(&w.published[i]) {
			g.swept = append(g.swept, i)
		}
	}
	return g
}

// reads returns how many queries read the rows.
func (g *groups) reads() int {
	n := 1
	if len(g.Parts) > 0 && len(g.swept) > 0 {
		n++
	}
	for _, p := range g.Parts {
		if p.Quantity == window.Distinct {
			n++
		}
	}
	return n
}

// each adds the values of every key to out, in key order.
func (g *groups) each(ctx context.Context, out *batches) error {
	if err := g.sweepRest(ctx); err != nil {
		return err
	}
	n := len(g.view.Keys)
	row := func(b *fstore.Batch, row int) error {
		return g.Enter(int(b.Columns[n].Int64s[row]), b.Columns[n+1:], row, out.columns[n+1:])
	}
	return g.eachKey(ctx, g.sql(), g.Reset, row, func(b *fstore.Batch, row int) error {
		g.copyKey(out, b, row)
		out.columns[n].AppendNull()
		swept := b.Columns[len(b.Columns)-len(g.swept):]
		for i, f := range g.swept {
			out.columns[n+1+f].AppendFrom(&swept[i], row)
		}
		if err := g.End(out.columns[n+1:]); err != nil {
			return err
		}
		return out.row()
	})
}

// sweepRest makes the table of the features that are not grouped.
func (g *groups) sweepRest(ctx context.Context) error {
	if len(g.swept) == 0 {
		return nil
	}
	n, names, columns, features := len(g.view.Keys), g.keys(), g.keyColumns(), []fstore.Feature{}
	for i, f := range g.swept {
		features = append(features, g.published[f])
		names = append(names, fmt.Sprintf("s%d", i))
		columns = append(columns, fstore.NewColumn("", g.published[f].Type, 0))
	}
	out, err := g.s.table(ctx, sweptTable, names, columns)
	if err != nil {
		return err
	}
	sweep := g.newSweep(features)
	err = g.sweepKeys(ctx, g.p, features, sweep, func(b *fstore.Batch, row int) error {
		g.copyKey(out, b, row)
		if err := sweep.At(fstore.Micros(g.p), out.columns[n:]); err != nil {
			return err
		}
		return out.row()
	})
	return out.close(err)
}

// sql returns the query of the groups: the keys, the band, the parts, and the features that were swept.
func (g *groups) sql() string {
	keys, selected := []string{}, []string{"g.*"}
	for _, k := range g.keys() {
		keys = append(keys, "g."+k)
	}
	queries := []string{g.groupsSQL()}
	for i, p := range g.Parts {
		if p.Quantity == window.Distinct {
			queries = append(queries, g.distinctSQL(i))
		}
	}
	from := "(\n" + strings.Join(queries, "\nUNION ALL\n") + "\n) AS g"
	if len(g.swept) > 0 {
		for i := range g.swept {
			selected = append(selected, fmt.Sprintf("%s.s%d", sweptTable, i))
		}
		on := []string{}
		for _, k := range g.keys() {
			on = append(on, "g."+k+" = "+sweptTable+"."+k)
		}
		from += "\nLEFT JOIN " + sweptTable + "\n  ON " + and(on)
	}
	return "SELECT " + strings.Join(selected, ", ") + "\nFROM " + from + "\nORDER BY " + strings.Join(append(keys, "g.band"), ", ")
}

// inputSQL returns the query of the rows to group: keys, band, and the columns of the series.
func (g *groups) inputSQL() string {
	columns := g.keys()
	band := "CASE"
	for i, start := range g.starts {
		band += fmt.Sprintf(" WHEN %s THEN %d", afterSQL(start), i)
	}
	columns = append(columns, band+" END::BIGINT AS band")
	for i := range g.record {
		f := fmt.Sprintf("f%d", i)
		columns = append(columns, g.feature(i, f)+" AS "+f)
	}
	return "SELECT " + strings.Join(columns, ", ") + "\nFROM " + g.name + "\nWHERE " + and(append(g.hasKey(), g.inWindows(g.p, g.published)...))
}

// groupsSQL returns the query of the parts, those of distinct values aside.
func (g *groups) groupsSQL() string {
	by := append(g.keys(), "band")
	columns := append([]string{}, by...)
	for i := range g.Parts {
		columns = append(columns, g.partSQL(&g.Parts[i])...)
	}
	return "SELECT\n  " + list(columns) + "\nFROM (\n" + g.splitSQL() + "\n)\nGROUP BY " + strings.Join(by, ", ")
}

// splitSQL returns the query of the rows to group with what doubles are split into, computed once: d1 is the double f1 if it
// can be split, else null, and e1 its whole eights.
func (g *groups) splitSQL() string {
	doubles, eights := []string{"*"}, []string{"*"}
	for _, p := range g.Parts {
		if p.Quantity == window.Doubles {
			n := 2*p.Series + 1
			doubles = append(doubles, fmt.Sprintf("CASE WHEN abs(f%[1]d) < %[2]s THEN f%[1]d END AS d%[1]d", n, splitLimit))
			eights = append(eights, fmt.Sprintf("trunc(d%[1]d / 8) AS e%[1]d", n))
		}
	}
	return "SELECT " + strings.Join(eights, ", ") + "\nFROM (\nSELECT " + strings.Join(doubles, ", ") + "\nFROM (\n" + g.inputSQL() + "\n)\n)"
}

// distinctSQL returns the query of one part: for each band, how many values have their newest row in it. The other columns
// are zero.
func (g *groups) distinctSQL(part int) string {
	by, value := append(g.keys(), "band"), fmt.Sprintf("f%d", 2*g.Parts[part].Series+1)
	columns := append([]string{}, by...)
	for i := range g.Parts {
		if i == part {
			columns = append(columns, "count(*)")
			continue
		}
		for range len(g.partSQL(&g.Parts[i])) {
			columns = append(columns, "NULL")
		}
	}
	newest := strings.Join(append(append(g.keys(), value), "min(band) AS band"), ", ")
	return "SELECT " + strings.Join(columns, ", ") + "\nFROM (\nSELECT " + newest + "\nFROM (\n" + g.inputSQL() + "\n)\nWHERE " + value + " IS NOT NULL\nGROUP BY " +
		strings.Join(append(g.keys(), value), ", ") + "\n)\nGROUP BY " + strings.Join(by, ", ")
}

// partSQL returns the columns of a part.
func (g *groups) partSQL(p *window.Part) []string {
	passes, x := fmt.Sprintf("f%d", 2*p.Series), fmt.Sprintf("f%d", 2*p.Series+1)
	switch p.Quantity {
	case window.Passing:
		if g.series[p.Series].Where == "" {
			return []string{"count(*)"}
		}
		return []string{"count(*) FILTER (" + passes + ")"}
	case window.Values:
		return []string{"count(" + x + ")"}
	case window.Distinct:
		return []string{"0::BIGINT"}
	case window.Least:
		return []string{"min(" + x + ")"}
	case window.Greatest:
		return []string{"max(" + x + ")"}
	case window.Integers:
		return wideSQL("sum(" + x + ")")
	case window.Doubles:
		return doublesSQL(2*p.Series + 1)
	case window.Squares:
		return squaresSQL(fmt.Sprintf("d%d", 2*p.Series+1))
	}
	return nil
}

// wideSQL returns a HUGEINT as two BIGINTs.
func wideSQL(x string) []string {
	return []string{fmt.Sprintf("(%s >> 63)::BIGINT", x), fmt.Sprintf("(%s & %d)::BIGINT", x, math.MaxInt64)}
}

// The sizes at which doubles are split: see window.SplitLimit.
const (
	splitLimit = "73786976294838206464::DOUBLE" // 2^66
	twoTo24    = "16777216"
	twoTo18    = "262144"
)

// doublesSQL returns the columns of window.Doubles for the n-th column.
func doublesSQL(n int) []string {
	x, d, e := fmt.Sprintf("f%d", n), fmt.Sprintf("d%d", n), fmt.Sprintf("e%d", n)
	rests := fmt.Sprintf("sum(((%s - %s * 8) * %s::DOUBLE)::BIGINT)", d, e, unitsPerOne)
	odd := fmt.Sprintf("bit_or(CASE WHEN %[1]s IS NOT NULL OR %[2]s IS NULL THEN NULL WHEN isnan(%[2]s) THEN %[3]d WHEN %[2]s = 'inf'::DOUBLE THEN %[4]d WHEN %[2]s = '-inf'::DOUBLE THEN %[5]d ELSE error(%[6]s) END)::BIGINT",
		d, x, window.OddNaN, window.OddPositive, window.OddNegative, text(splitMarker))
	return append(append(wideSQL("sum("+e+"::BIGINT)"), wideSQL(rests)...), "count("+x+")", odd)
}

// squaresSQL returns the columns of window.Squares for a double that can be split.
func squaresSQL(d string) []string {
	a := fmt.Sprintf("trunc(%s / %s)", d, twoTo24)
	rest := fmt.Sprintf("(%s - %s * %s)", d, a, twoTo24)
	b := fmt.Sprintf("trunc(%s * %s)", rest, twoTo18)
	c := fmt.Sprintf("((%s - %s / %s) * %s::DOUBLE)", rest, b, twoTo18, unitsPerOne)
	a, b, c = a+"::BIGINT::HUGEINT", b+"::BIGINT::HUGEINT", c+"::BIGINT::HUGEINT"
	var out []string
	for _, factor := range []string{a + " * " + a, "2 * " + a + " * " + b, "2 * " + a + " * " + c + " + " + b + " * " + b, "2 * " + b + " * " + c, c + " * " + c} {
		out = append(out, wideSQL("sum("+factor+")")...)
	}
	return out
}
