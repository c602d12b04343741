package definition

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
)

// oneCheck is a check that an entry has, and how its arguments are read.
type oneCheck struct {
	check fstore.Check
	read  func(*checker, *ExpectSpec, *fstore.Expectation) bool
}

// checks returns the checks that an entry has.
func (s *ExpectSpec) checks() []oneCheck {
	var out []oneCheck
	for _, check := range []struct {
		given bool
		oneCheck
	}{
		{s.NotNull.Value != "", oneCheck{fstore.ExpectNotNull, (*checker).expectNotNull}},
		{s.NullRate != nil, oneCheck{fstore.ExpectNullRate, func(c *checker, s *ExpectSpec, e *fstore.Expectation) bool {
			return c.atMost(s.NullRate, "null_rate", e)
		}}},
		{s.Between.given(), oneCheck{fstore.ExpectBetween, func(c *checker, s *ExpectSpec, e *fstore.Expectation) bool { return c.bounds(s.Between, e) }}},
		{s.In.given(), oneCheck{fstore.ExpectIn, (*checker).expectIn}},
		{s.Matches.Value != "", oneCheck{fstore.ExpectMatches, func(_ *checker, s *ExpectSpec, e *fstore.Expectation) bool { e.Pattern = s.Matches.Value; return true }}},
		{s.Mean != nil, oneCheck{fstore.ExpectMean, func(c *checker, s *ExpectSpec, e *fstore.Expectation) bool { return c.bounds(s.Mean.Between, e) }}},
		{s.Unique != nil, oneCheck{fstore.ExpectUnique, (*checker).expectUnique}},
		{s.Rows != nil, oneCheck{fstore.ExpectRows, (*checker).expectRows}},
		{s.KeysDeleted != nil, oneCheck{fstore.ExpectKeysDeleted, func(c *checker, s *ExpectSpec, e *fstore.Expectation) bool {
			return c.atMost(s.KeysDeleted, "keys_deleted", e)
		}}},
		{s.Freshness != nil, oneCheck{fstore.ExpectFreshness, (*checker).expectFreshness}},
		{s.SQL.Value != "", oneCheck{fstore.ExpectSQL, (*checker).expectSQL}},
	} {
		if check.given {
			out = append(out, check.oneCheck)
		}
	}
	return out
}

func (c *checker) expectNotNull(spec *ExpectSpec, _ *fstore.Expectation) bool {
	alone := spec.NotNull.Pos == spec.Pos
	switch value := spec.NotNull.Value; {
	case alone && value == string(fstore.ExpectNotNull), !alone && value == "true":
		return true
	case alone:
		hint := otherChecks(value)
		if hint == "" {
			hint = "not_null, or a mapping such as {between: [0, 100]}"
		}
		c.problems.add(spec.Pos, hint, "unknown expectation %q", value)
	default:
		c.problems.add(spec.NotNull.Pos, "not_null: true", "not_null is %q", value)
	}
	return false
}

func (c *checker) expectSeverity(spec *ExpectSpec, e *fstore.Expectation) {
	switch s := fstore.Severity(spec.Severity.Value); {
	case !spec.Severity.given() || s == fstore.SeverityError || s == "":
	case e.Check == fstore.ExpectFreshness:
		c.problems.add(spec.Severity.Pos, "freshness: {warn: 2h}", "severity beside freshness, which has an age for each severity")
	case s == fstore.SeverityWarn:
		e.Severity = s
	default:
		c.problems.add(spec.Severity.Pos, fstore.DidYouMean(string(s), []string{"error", "warn"}), "severity is error or warn, not %q", s)
	}
}

func (c *checker) atMost(spec *AtMostSpec, what string, e *fstore.Expectation) bool {
	e.Max = c.share(spec.Max, what+": max")
	return spec.Max.Value != ""
}

// share reads a share from 0 to 1, written as a number or as a percentage.
func (c *checker) share(t Text, what string) float64 {
	if t.Value == "" {
		return 0 // reported
	}
	text, percent := strings.CutSuffix(t.Value, "%")
	text = strings.TrimSpace(text)
	if percent { // the share itself is rounded once: 99.9 / 100 is more than 0.999
		text += "e-2"
	}
	x, err := strconv.ParseFloat(text, 64) // refuses a percentage with an exponent, which has two now
	if err != nil || !(x >= 0 && x <= 1) {
		c.problems.add(t.Pos, "from 0 to 1 or from 0% to 100%, for example 0.01 or 1%", "%s is %s, which is not a share", what, t.Value)
		return 0
	}
	return x
}

// bounds reads [low, high], where null leaves a side open.
func (c *checker) bounds(l Literal, e *fstore.Expectation) bool {
	if !l.given() {
		return false // reported
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(l.JSON, &parts); err != nil || len(parts) != 2 {
		c.problems.add(l.Pos, "between: [0, 100]; null leaves a side open", "between is not a list of two bounds")
		return false
	}
	isNull := func(raw json.RawMessage) bool { return string(raw) == "null" }
	for i, raw := range parts { // YAML takes 1e6 for text
		var text string
		var number float64
		if json.Unmarshal(raw, &text) == nil && json.Unmarshal([]byte(text), &number) == nil {
			parts[i] = json.RawMessage(text)
		}
	}
	if isNull(parts[0]) && isNull(parts[1]) {
		c.problems.add(l.Pos, "between: [0, null] has no upper bound", "between has no bound")
		return false
	}
	if !isNull(parts[0]) {
		e.Low = parts[0]
	}
	if !isNull(parts[1]) {
		e.High = parts[1]
	}
	if e.Check == fstore.ExpectMean {
		if _, _, err := e.Bounds(fstore.Float64); err != nil {
			c.problems.addError(l.Pos, err)
			return false
		}
	}
	return true
}

// maxValues bounds the values of in, which every value is looked up among.
const maxValues = 10_000

func (c *checker) expectIn(spec *ExpectSpec, e *fstore.Expectation) bool {
	err := json.Unmarshal(spec.In.JSON, &e.Values)
	switch {
	case err != nil || len(e.Values) == 0:
		c.problems.add(spec.In.Pos, "in: [a, b]", "in is not a list of values")
	case len(e.Values) > maxValues:
		c.problems.add(spec.In.Pos, "compare with a source in SQL: sql: bad_rows.sql", "in has %d values; the limit is %d", len(e.Values), maxValues)
	default:
		return true
	}
	return false
}

func (c *checker) expectUnique(spec *ExpectSpec, e *fstore.Expectation) bool {
	for _, t := range spec.Unique {
		if slices.Contains(e.Columns, t.Value) {
			c.problems.add(t.Pos, "", "column %s is listed twice", t.Value)
		}
		e.Columns = append(e.Columns, t.Value)
	}
	if len(e.Columns) == 0 {
		c.problems.add(spec.Pos, "unique: [a, b]", "unique names no column")
	}
	return len(e.Columns) > 0
}

func (c *checker) expectRows(spec *ExpectSpec, e *fstore.Expectation) bool {
	r := spec.Rows
	e.MinRows, e.MaxRows = c.count(r.Min, "rows: min"), c.count(r.Max, "rows: max")
	if r.Change.given() {
		e.Change = c.share(r.Change, "rows: change")
		if e.Change == 0 && r.Change.Value != "" {
			c.problems.add(r.Change.Pos, "for example 30%", "rows: change is 0")
		}
	}
	switch {
	case !r.Min.given() && !r.Max.given() && !r.Change.given():
		c.problems.add(spec.Pos, "rows: {min: 1000}", "rows has no bound")
	case e.MinRows != nil && e.MaxRows != nil && *e.MinRows > *e.MaxRows:
		c.problems.add(r.Min.Pos, "", "rows: min %d is above max %d", *e.MinRows, *e.MaxRows)
	}
	return true
}

func (c *checker) count(t Text, what string) *int64 {
	if t.Value == "" {
		return nil
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(t.Value, "_", ""), 10, 64)
	if err != nil || n < 0 {
		c.problems.add(t.Pos, "for example 1000", "%s is %s, which is not a number of rows", what, t.Value)
		return nil
	}
	return &n
}

func (c *checker) expectFreshness(spec *ExpectSpec, e *fstore.Expectation) bool {
	f := spec.Freshness
	for _, bound := range []struct {
		text Text
		into *fstore.Duration
		name string
	}{{f.Warn, &e.WarnAge, "warn"}, {f.Error, &e.ErrorAge, "error"}} {
		if d := c.duration(bound.text); d != nil {
			*bound.into = *d
			if *d == 0 {
				c.problems.add(bound.text.Pos, "for example 2h", "freshness: %s is 0", bound.name)
			}
		}
	}
	switch {
	case !f.Warn.given() && !f.Error.given():
		c.problems.add(spec.Pos, "freshness: {warn: 2h, error: 6h}", "freshness has no age")
	case e.WarnAge > 0 && e.ErrorAge > 0 && e.WarnAge > e.ErrorAge:
		c.problems.add(f.Warn.Pos, "", "freshness warns from %s, which is later than the error from %s", e.WarnAge, e.ErrorAge)
	}
	return true
}

// expectSQL reads the query of bad rows. The engine checks it once the columns are known: see checkSQL.
func (c *checker) expectSQL(spec *ExpectSpec, e *fstore.Expectation) bool {
	e.SQLFile, e.SQL = spec.SQL.Value, c.repo.sql[spec.SQL.Value]
	return true
}
