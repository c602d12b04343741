package expect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/columntest"
	"github.com/fstore-dev/fstore/monitor/expect"
)

// few are values that occur often, so that bounds and sets meet them.
func few(t *rapid.T, of fstore.Type) any {
	switch of {
	case fstore.Bool:
		return rapid.Bool().Draw(t, "bool")
	case fstore.Int32:
		return rapid.Int32Range(-2, 2).Draw(t, "int32")
	case fstore.Int64:
		return rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, 1 << 53, 1<<53 + 1, math.MaxInt64}).Draw(t, "int64")
	case fstore.Float32:
		return rapid.SampledFrom([]float32{float32(math.Inf(-1)), -1, float32(math.Copysign(0, -1)), 0, 0.1, 1, float32(math.Inf(1)), float32(math.NaN())}).Draw(t, "float32")
	case fstore.Float64:
		return rapid.SampledFrom([]float64{math.Inf(-1), -1, math.Copysign(0, -1), 0, 0.1, 1, 1e300, math.Inf(1), math.NaN()}).Draw(t, "float64")
	case fstore.String:
		return rapid.SampledFrom([]string{"", "a", "b", "ab", "é", "a\x00"}).Draw(t, "string")
	case fstore.Bytes:
		return []byte(rapid.SampledFrom([]string{"", "a", "\xff"}).Draw(t, "bytes"))
	default:
		return fstore.FromMicros(rapid.Int64Range(-2, 2).Draw(t, "timestamp"))
	}
}

func drawColumn(t *rapid.T, name string, of fstore.Type, rows int) fstore.Column {
	if of.IsList() {
		c := columntest.Draw(t, of, rows)
		c.Name = name
		return c
	}
	c := fstore.NewColumn(name, of, rows)
	nulls := rapid.IntRange(0, 3).Draw(t, "nulls")
	for range rows {
		if rapid.IntRange(0, 3).Draw(t, "null") < nulls {
			c.AppendNull()
		} else {
			c.Append(few(t, of))
		}
	}
	return c
}

// literal draws a value of a type as JSON. A bound cannot be NaN.
func literal(t *rapid.T, of fstore.Type) json.RawMessage {
	for {
		c := fstore.NewColumn("", of, 1)
		c.Append(few(t, of))
		if raw := c.AppendJSON(nil, 0); string(raw) != `"NaN"` {
			return raw
		}
	}
}

// drawExpectation draws an expectation of values that fits a type.
func drawExpectation(t *rapid.T, of fstore.Type) fstore.Expectation {
	fits := []fstore.Check{fstore.ExpectNotNull, fstore.ExpectNullRate}
	number := slices.Contains([]fstore.Type{fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64}, of)
	if number || of == fstore.Timestamp {
		fits = append(fits, fstore.ExpectBetween)
	}
	if number {
		fits = append(fits, fstore.ExpectMean)
	}
	if of == fstore.String {
		fits = append(fits, fstore.ExpectMatches)
	}
	if !of.IsList() {
		fits = append(fits, fstore.ExpectIn)
	}
	e := fstore.Expectation{Check: rapid.SampledFrom(fits).Draw(t, "check")}
	bound := of
	if e.Check == fstore.ExpectMean {
		bound = fstore.Float64
	}
	switch e.Check {
	case fstore.ExpectBetween, fstore.ExpectMean:
		if rapid.Bool().Draw(t, "low") {
			e.Low = literal(t, bound)
		}
		if e.Low == nil || rapid.Bool().Draw(t, "high") {
			e.High = literal(t, bound)
		}
		if e.CheckType(of) != nil { // low above high
			e.Low, e.High = e.High, e.Low
		}
	case fstore.ExpectIn:
		for range rapid.IntRange(1, 4).Draw(t, "set") {
			c := fstore.NewColumn("", of, 1)
			c.Append(few(t, of))
			e.Values = append(e.Values, c.AppendJSON(nil, 0))
		}
	case fstore.ExpectMatches:
		e.Pattern = rapid.SampledFrom([]string{"^a", "b$", "^$", ".", "(?i)AB", "\\x00"}).Draw(t, "pattern")
	case fstore.ExpectNullRate:
		e.Max = rapid.SampledFrom([]float64{0, 0.25, 0.5, 1}).Draw(t, "max")
	default:
	}
	if e.Check.TakesMostly() && rapid.Bool().Draw(t, "lenient") {
		e.Mostly = rapid.SampledFrom([]float64{0.25, 0.5, 0.9, 1}).Draw(t, "mostly")
	}
	return e
}

// number returns a boxed number or instant for comparison. Integers beyond 2^53 are compared as such, below.
func number(v any) float64 {
	switch v := v.(type) {
	case int32:
		return float64(v)
	case int64:
		return float64(v)
	case float32:
		return float64(v)
	case float64:
		return v
	}
	return float64(fstore.Micros(v.(time.Time)))
}

// below reports whether a < b, by the values themselves.
func below(a, b any) bool {
	if x, ok := a.(int64); ok {
		return x < b.(int64)
	}
	return number(a) < number(b)
}

func parsed(t *rapid.T, of fstore.Type, raw json.RawMessage) any {
	c := fstore.NewColumn("", of, 1)
	if err := c.AppendParsed(raw); err != nil {
		t.Fatal(err)
	}
	return c.Value(0)
}

// holds is the oracle of a single value that is not null.
func holds(t *rapid.T, e *fstore.Expectation, of fstore.Type, v any) bool {
	isNaN := func(v any) bool { return v != v } // boxed, NaN still differs from itself
	switch e.Check {
	case fstore.ExpectBetween:
		return !isNaN(v) && (e.Low == nil || !below(v, parsed(t, of, e.Low))) && (e.High == nil || !below(parsed(t, of, e.High), v))
	case fstore.ExpectIn:
		for _, raw := range e.Values {
			switch known := parsed(t, of, raw).(type) {
			case []byte:
				if string(known) == string(v.([]byte)) {
					return true
				}
			default:
				if known == v || isNaN(known) && isNaN(v) {
					return true
				}
			}
		}
		return false
	case fstore.ExpectMatches:
		return regexp.MustCompile(e.Pattern).MatchString(v.(string))
	default:
		return true
	}
}

// exact is a sum of numbers as a fraction of big integers, which loses nothing.
type exact struct {
	finite  *big.Rat
	special float64 // the sum of NaN and infinities
}

func newExact() *exact { return &exact{finite: new(big.Rat)} }

func (s *exact) add(v any) {
	if n, ok := v.(int64); ok {
		s.finite.Add(s.finite, new(big.Rat).SetInt64(n))
		return
	}
	x := new(big.Rat).SetFloat64(number(v))
	if x == nil {
		s.special += number(v)
		return
	}
	s.finite.Add(s.finite, x)
}

// over returns the sum divided by a number of values, rounded once.
func (s *exact) over(count int64) float64 {
	if s.special != 0 {
		return s.special
	}
	mean, _ := new(big.Rat).Quo(s.finite, new(big.Rat).SetInt64(count)).Float64()
	return mean
}

// oracle says by one value after the other how an expectation of a column comes out.
func oracle(t *rapid.T, e *fstore.Expectation, columns []fstore.Column) (outcome expect.Outcome, checked, bad int64) {
	rows, nulls, sum := int64(0), int64(0), newExact()
	for c := range columns {
		of := columns[c].Type
		for i := range columns[c].Len {
			rows++
			v := columns[c].Value(i)
			switch {
			case v == nil:
				nulls++
			case e.Check == fstore.ExpectMean:
				sum.add(v)
			case !holds(t, e, of, v):
				bad++
			}
		}
	}
	checked = rows - nulls
	verdict := func(ok bool) expect.Outcome {
		if ok {
			return expect.Passed
		}
		return expect.Failed
	}
	switch e.Check {
	case fstore.ExpectNullRate:
		if rows == 0 {
			return expect.Skipped, 0, 0
		}
		return verdict(float64(nulls)/float64(rows) <= e.Max), rows, nulls
	case fstore.ExpectNotNull:
		checked, bad = rows, nulls
	default:
	}
	if checked == 0 {
		return expect.Skipped, 0, 0
	}
	if e.Check == fstore.ExpectMean {
		mean := sum.over(checked)
		low, high := math.Inf(-1), math.Inf(1)
		if e.Low != nil {
			low = number(parsed(t, fstore.Float64, e.Low))
		}
		if e.High != nil {
			high = number(parsed(t, fstore.Float64, e.High))
		}
		return verdict(mean >= low && mean <= high), checked, 0
	}
	least := e.Mostly
	if least == 0 {
		least = 1
	}
	return verdict(float64(checked-bad)/float64(checked) >= least), checked, bad
}

func TestChecksOfValuesAgreeWithAnOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.SampledFrom(columntest.Types()).Draw(t, "type")
		var rules []expect.Rule
		for range rapid.IntRange(1, 4).Draw(t, "rules") {
			e := drawExpectation(t, of)
			if err := e.CheckType(of); err != nil {
				t.Fatalf("%s on %s: %v", &e, of, err)
			}
			rules = append(rules, expect.Rule{Expectation: e, Feature: "x"})
		}
		run, err := expect.Begin(rules, expect.Columns{All: []fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "x", Type: of}}, Keys: 1, Event: -1}, expect.Shown)
		if err != nil {
			t.Fatal(err)
		}
		var columns []fstore.Column
		for range rapid.IntRange(0, 3).Draw(t, "batches") {
			n := rapid.IntRange(0, 20).Draw(t, "rows")
			keys := fstore.NewColumn("k", fstore.Int64, n)
			for i := range n {
				keys.AppendInt64(int64(i))
			}
			columns = append(columns, drawColumn(t, "x", of, n))
			run.Rows(&fstore.Batch{Columns: []fstore.Column{keys, columns[len(columns)-1]}, Len: n})
		}
		results, err := run.Results(context.Background(), expect.Facts{})
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			outcome, checked, bad := oracle(t, &rules[i].Expectation, columns)
			if r.Outcome != outcome || r.Checked != checked || r.Bad != bad {
				t.Fatalf("%s is %s with %d of %d bad; want %s with %d of %d", r.Expectation, r.Outcome, r.Bad, r.Checked, outcome, bad, checked)
			}
			if (r.Outcome == expect.Passed) != (r.Why == "") || len(r.Sample) > expect.Shown || r.Outcome != expect.Failed && r.Sample != nil {
				t.Fatalf("%+v", r)
			}
			shows := bad > 0 && outcome == expect.Failed && r.Check != fstore.ExpectNullRate
			if got := len(r.Sample); shows && int64(got) != min(bad, expect.Shown) {
				t.Fatalf("%s has %d bad rows and shows %d", r.Expectation, bad, got)
			}
			for _, row := range r.Sample {
				if !json.Valid(row) {
					t.Fatalf("%s shows %s", r.Expectation, row)
				}
			}
		}
	})
}

// Checks of rows, by their facts.
func TestChecksOfRows(t *testing.T) {
	at := fstore.FromMicros(1_000_000_000_000_000)
	count := func(n int64) *int64 { return &n }
	rows := func(n int, newest time.Duration) *fstore.Batch {
		event := fstore.NewColumn("", fstore.Timestamp, n)
		for i := range n {
			event.Append(at.Add(-newest).Add(-time.Duration(i) * time.Hour))
		}
		return &fstore.Batch{Columns: []fstore.Column{event}, Len: n}
	}
	rowsOf := func(e fstore.Expectation) fstore.Expectation { e.Check = fstore.ExpectRows; return e }
	fresh := func(warn, fail time.Duration) fstore.Expectation {
		return fstore.Expectation{Check: fstore.ExpectFreshness, WarnAge: fstore.Duration(warn), ErrorAge: fstore.Duration(fail)}
	}
	deleted := fstore.Expectation{Check: fstore.ExpectKeysDeleted, Max: 0.1}
	for name, c := range map[string]struct {
		e     fstore.Expectation
		rows  *fstore.Batch
		facts expect.Facts
		want  string
	}{
		"enough":                        {rowsOf(fstore.Expectation{MinRows: count(3)}), rows(3, 0), expect.Facts{}, "passed error"},
		"too few":                       {rowsOf(fstore.Expectation{MinRows: count(4)}), rows(3, 0), expect.Facts{}, "failed error: there are 3, fewer than 4"},
		"none":                          {rowsOf(fstore.Expectation{MinRows: count(1)}), rows(0, 0), expect.Facts{}, "failed error: there are 0, fewer than 1"},
		"too many":                      {rowsOf(fstore.Expectation{MaxRows: count(2)}), rows(3, 0), expect.Facts{}, "failed error: there are 3, more than 2"},
		"no change":                     {rowsOf(fstore.Expectation{Change: 0.3}), rows(3, 0), expect.Facts{Before: count(3)}, "passed error"},
		"a change at the bound":         {rowsOf(fstore.Expectation{Change: 0.25}), rows(3, 0), expect.Facts{Before: count(4)}, "passed error"},
		"29 of 100 is 29%":              {rowsOf(fstore.Expectation{Change: 0.29}), rows(129, 0), expect.Facts{Before: count(100)}, "passed error"},
		"none after none":               {rowsOf(fstore.Expectation{Change: 0.29}), rows(0, 0), expect.Facts{Before: count(0)}, "passed error"},
		"more than before":              {rowsOf(fstore.Expectation{Change: 0.3}), rows(3, 0), expect.Facts{Before: count(2)}, "failed error: there are 3; the last publication had 2"},
		"fewer than before":             {rowsOf(fstore.Expectation{Change: 0.3}), rows(3, 0), expect.Facts{Before: count(6)}, "failed error: there are 3; the last publication had 6"},
		"rows after none":               {rowsOf(fstore.Expectation{Change: 0.3}), rows(3, 0), expect.Facts{Before: count(0)}, "skipped error: there is nothing to compare with: the last publication had no rows"},
		"nothing to compare with":       {rowsOf(fstore.Expectation{Change: 0.3}), rows(3, 0), expect.Facts{Unknown: "why"}, "skipped error: there is nothing to compare with: why"},
		"a bound and nothing before":    {rowsOf(fstore.Expectation{MinRows: count(3), Change: 0.3}), rows(3, 0), expect.Facts{Unknown: "why"}, "passed error; skipped error: there is nothing to compare with: why"},
		"no key deleted":                {deleted, rows(3, 0), expect.Facts{Before: count(10)}, "passed error"},
		"keys deleted up to the bound":  {deleted, rows(3, 0), expect.Facts{Before: count(10), Deleted: 1}, "passed error"},
		"at least so many keys deleted": {deleted, rows(3, 0), expect.Facts{Before: count(10), Deleted: 2, AtLeast: true}, "failed error: at least 2 of 10 published keys would be deleted (20%)"},
		"keys deleted beyond the bound": {deleted, rows(3, 0), expect.Facts{Before: count(10), Deleted: 2}, "failed error: 2 of 10 published keys would be deleted (20%)"},
		"no keys to delete":             {deleted, rows(3, 0), expect.Facts{Before: count(0)}, "skipped error: there were no keys to delete"},
		"keys before are unknown":       {deleted, rows(3, 0), expect.Facts{Unknown: "why"}, "skipped error: there is nothing to compare with: why"},
		"fresh at the bound":            {fresh(time.Hour, 2*time.Hour), rows(3, time.Hour), expect.Facts{}, "passed warn; passed error"},
		"fresh enough not to fail":      {fresh(time.Hour, 2*time.Hour), rows(3, time.Hour+time.Microsecond), expect.Facts{}, "failed warn: the newest row is from 2001-09-09T00:46:39.999999Z, 1h before 2001-09-09T01:46:40Z; passed error"},
		"old":                           {fresh(time.Hour, 2*time.Hour), rows(3, 3*time.Hour), expect.Facts{}, "failed warn: the newest row is from 2001-09-08T22:46:40Z, 3h before 2001-09-09T01:46:40Z; failed error: the newest row is from 2001-09-08T22:46:40Z, 3h before 2001-09-09T01:46:40Z"},
		"old with a warning alone":      {fresh(time.Hour, 0), rows(3, 3*time.Hour), expect.Facts{}, "failed warn: the newest row is from 2001-09-08T22:46:40Z, 3h before 2001-09-09T01:46:40Z"},
		"no row is not fresh":           {fresh(0, time.Hour), rows(0, 0), expect.Facts{}, "failed error: there are no rows"},
		"a row of the future is fresh":  {fresh(0, time.Hour), rows(1, -time.Hour), expect.Facts{}, "passed error"},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := expect.Begin(expect.OfSource(&fstore.Source{Expect: []fstore.Expectation{c.e}}), expect.Columns{All: []fstore.Field{{Type: fstore.Timestamp}}, Event: 0}, 5)
			if err != nil {
				t.Fatal(err)
			}
			run.Rows(c.rows)
			c.facts.At = at
			results, err := run.Results(t.Context(), c.facts)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, r := range results {
				text := fmt.Sprintf("%s %s", r.Outcome, r.Severity)
				if r.Why != "" {
					text += ": " + r.Why
				}
				all = append(all, text)
			}
			got := strings.Join(all, "; ")
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if blocks := expect.Error(results) != nil; blocks != strings.Contains(got, "failed error") {
				t.Errorf("it blocks: %v", blocks)
			}
		})
	}
}
