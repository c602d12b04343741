package fstore

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Check names what an expectation checks, as definitions write it.
type Check string

// The checks. The first six look at the values of one column, the others at all rows of a source or a view.
const (
	ExpectNotNull     Check = "not_null"
	ExpectNullRate    Check = "null_rate"
	ExpectBetween     Check = "between"
	ExpectIn          Check = "in"
	ExpectMatches     Check = "matches"
	ExpectMean        Check = "mean"
	ExpectUnique      Check = "unique"
	ExpectRows        Check = "rows"
	ExpectKeysDeleted Check = "keys_deleted"
	ExpectFreshness   Check = "freshness"
	ExpectSQL         Check = "sql"
)

// OfColumn reports whether the check looks at the values of one column.
func (c Check) OfColumn() bool {
	switch c {
	case ExpectNotNull, ExpectNullRate, ExpectBetween, ExpectIn, ExpectMatches, ExpectMean:
		return true
	case ExpectUnique, ExpectRows, ExpectKeysDeleted, ExpectFreshness, ExpectSQL:
	}
	return false
}

// TakesMostly reports whether the check decides about each value, so that a share of them may fail it.
func (c Check) TakesMostly() bool {
	return c == ExpectNotNull || c == ExpectBetween || c == ExpectIn || c == ExpectMatches
}

// Severity says what follows when an expectation fails.
type Severity string

// The severities.
const (
	SeverityError Severity = "error" // nothing is published, and no training set is made
	SeverityWarn  Severity = "warn"  // it is reported
)

// Expectation is what a definition expects of a source's rows, a view's rows or a feature's values. It never changes a value,
// so it makes no new version. docs/expectations.md says what each check means.
type Expectation struct {
	Check    Check    `json:"check"`
	Column   string   `json:"column,omitempty"`   // that a check of values on a source or a view looks at; empty on a feature
	Severity Severity `json:"severity,omitempty"` // empty: SeverityError
	Mostly   float64  `json:"mostly,omitempty"`   // the smallest share of good values that passes; 0: all of them
	Pos      Pos      `json:"position,omitzero"`  // in the definitions, when they were applied

	Low     json.RawMessage   `json:"low,omitempty"`     // of between and mean, as JSON of the column's type; absent: no bound
	High    json.RawMessage   `json:"high,omitempty"`    // likewise; both bounds belong to the range
	Values  []json.RawMessage `json:"values,omitempty"`  // of in, likewise
	Pattern string            `json:"pattern,omitempty"` // of matches: an RE2 expression
	Columns []string          `json:"columns,omitempty"` // of unique
	Max     float64           `json:"max,omitempty"`     // the greatest share, of null_rate and keys_deleted

	MinRows *int64  `json:"min_rows,omitempty"` // of rows
	MaxRows *int64  `json:"max_rows,omitempty"`
	Change  float64 `json:"change,omitempty"` // of rows: the greatest change since the last publication, as a share of it; 0: any

	WarnAge  Duration `json:"warn_age,omitzero"`  // of freshness: the age of the newest row from which it warns; 0: it does not
	ErrorAge Duration `json:"error_age,omitzero"` // likewise, from which it is an error
	SQL      string   `json:"sql,omitempty"`      // of sql: the query that returns bad rows
	SQLFile  string   `json:"sql_file,omitempty"`
}

// IsWarning reports whether a failure of the expectation is only reported.
func (e *Expectation) IsWarning() bool { return e.Severity == SeverityWarn }

// String writes the expectation in words, with its severity if it only warns.
func (e *Expectation) String() string {
	if e.IsWarning() {
		return e.Text() + " (warn)"
	}
	return e.Text()
}

// Text writes what is expected in words: order_value between [0, 1e6], mostly 99%.
func (e *Expectation) Text() string {
	var b strings.Builder
	if e.Column != "" {
		b.WriteString(e.Column + " ")
	}
	b.WriteString(string(e.Check))
	switch e.Check {
	case ExpectBetween, ExpectMean:
		b.WriteString(e.bounds())
	case ExpectIn:
		b.WriteString(" [" + joinJSON(e.Values) + "]")
	case ExpectMatches:
		b.WriteString(" " + strconv.Quote(e.Pattern))
	case ExpectUnique:
		b.WriteString(" [" + strings.Join(e.Columns, ", ") + "]")
	case ExpectNullRate, ExpectKeysDeleted:
		b.WriteString(" at most " + Percent(e.Max))
	case ExpectRows:
		b.WriteString(e.rows())
	case ExpectFreshness:
		b.WriteString(e.ages())
	case ExpectSQL:
		b.WriteString(" " + e.SQLFile)
	case ExpectNotNull: // says it all
	}
	if e.Mostly > 0 {
		b.WriteString(", mostly " + Percent(e.Mostly))
	}
	return b.String()
}

func (e *Expectation) bounds() string {
	text := func(bound json.RawMessage) string {
		if bound == nil {
			return "null"
		}
		return string(bound)
	}
	between := " "
	if e.Check == ExpectMean {
		between = " between "
	}
	return between + "[" + text(e.Low) + ", " + text(e.High) + "]"
}

func joinJSON(values []json.RawMessage) string {
	const shown = 8
	texts := make([]string, 0, shown+1)
	for i, v := range values {
		if i == shown {
			texts = append(texts, fmt.Sprintf("… %d in all", len(values)))
			break
		}
		texts = append(texts, string(v))
	}
	return strings.Join(texts, ", ")
}

func (e *Expectation) rows() string {
	var parts []string
	if e.MinRows != nil {
		parts = append(parts, fmt.Sprintf("at least %d", *e.MinRows))
	}
	if e.MaxRows != nil {
		parts = append(parts, fmt.Sprintf("at most %d", *e.MaxRows))
	}
	if e.Change > 0 {
		parts = append(parts, "change at most "+Percent(e.Change))
	}
	return " " + strings.Join(parts, ", ")
}

func (e *Expectation) ages() string {
	var parts []string
	if e.WarnAge > 0 {
		parts = append(parts, "warn over "+e.WarnAge.String())
	}
	if e.ErrorAge > 0 {
		parts = append(parts, "error over "+e.ErrorAge.String())
	}
	return " " + strings.Join(parts, ", ")
}

// Percent writes a share as a percentage with at most 6 digits: 0.015 is 1.5%.
func Percent(share float64) string { return strconv.FormatFloat(share*100, 'g', 6, 64) + "%" }

// Bounds reads the bounds of between as values of a column's type, and those of mean as float64. A bound that is absent is
// nil. The error says which bound is not such a value.
func (e *Expectation) Bounds(t Type) (low, high *Value, err error) {
	if e.Check == ExpectMean {
		t = Float64
	}
	if low, err = valueOf(t, e.Low); err != nil {
		return nil, nil, err
	}
	high, err = valueOf(t, e.High)
	return low, high, err
}

func valueOf(t Type, raw json.RawMessage) (*Value, error) {
	if raw == nil {
		return nil, nil
	}
	v := &Value{NewColumn("", t, 1)}
	return v, appendWritten(&v.Column, raw)
}

// appendWritten adds a value as a definition has it. YAML takes 1e6 for text, and ${VAR} gives text.
func appendWritten(c *Column, raw json.RawMessage) error {
	err := c.AppendParsed(raw)
	var text string
	if err == nil || json.Unmarshal(raw, &text) != nil {
		return err
	}
	if c.AppendText(text) != nil {
		return err
	}
	return nil
}

// Set reads the values of in as a column of a type.
func (e *Expectation) Set(t Type) (Column, error) {
	c := NewColumn("", t, len(e.Values))
	for _, raw := range e.Values {
		if string(raw) == "null" {
			return c, Errorf(ErrInvalid, "in cannot list null").WithHint("in ignores nulls; not_null refuses them")
		}
		if err := appendWritten(&c, raw); err != nil {
			return c, err
		}
	}
	return c, nil
}

// CheckType returns an error if the expectation cannot be checked on a column of a type.
func (e *Expectation) CheckType(t Type) error {
	fits := true
	want := ""
	switch e.Check {
	case ExpectNotNull, ExpectNullRate:
	case ExpectBetween:
		fits, want = isNumber(t) || t == Timestamp, "between is for numbers and timestamps"
	case ExpectMean:
		fits, want = isNumber(t), "mean is for numbers"
	case ExpectIn:
		fits, want = !t.IsList(), "in is for single values"
	case ExpectMatches:
		fits, want = t == String, "matches is for strings"
	case ExpectUnique, ExpectRows, ExpectKeysDeleted, ExpectFreshness, ExpectSQL:
		fits, want = false, string(e.Check)+" is for sources and views"
	}
	if !fits {
		return Errorf(ErrInvalid, "%s cannot be checked on %s", e.Check, t.WithArticle()).WithHint("%s", want)
	}
	low, high, err := e.Bounds(t)
	if err != nil {
		return err
	}
	if low != nil && high != nil && CompareElements(&low.Column, 0, &high.Column, 0) > 0 {
		return Errorf(ErrInvalid, "the lower bound %s is above the upper bound %s", e.Low, e.High)
	}
	for _, bound := range []*Value{low, high} {
		if bound != nil && isNaN(&bound.Column) {
			return Errorf(ErrInvalid, "a bound cannot be NaN")
		}
	}
	if _, err := e.Set(t); err != nil {
		return err
	}
	if _, err := regexp.Compile(e.Pattern); err != nil {
		return Errorf(ErrInvalid, "the pattern is not an RE2 expression: %v", err).WithHint("see https://pkg.go.dev/regexp/syntax")
	}
	return nil
}

// CheckAnyType returns an error if the expectation cannot be checked on any type: it is for a column whose type is not known.
func (e *Expectation) CheckAnyType() error {
	types := append([]Type{String}, Scalars()...) // the error is that of the first
	if e.Check == ExpectBetween || e.Check == ExpectMean {
		types = []Type{Float64, Timestamp}
		if isText(e.Low) || e.Low == nil && isText(e.High) {
			slices.Reverse(types)
		}
	}
	var first error
	for _, t := range types {
		err := e.CheckType(t)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func isText(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '"' }

func isNumber(t Type) bool { return slices.Contains([]Type{Int32, Int64, Float32, Float64}, t) }

func isNaN(c *Column) bool {
	return len(c.Float64s) > 0 && c.Float64s[0] != c.Float64s[0] || len(c.Float32s) > 0 && c.Float32s[0] != c.Float32s[0]
}
