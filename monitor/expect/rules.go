package expect

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/fstore-dev/fstore"
)

// Rule is an expectation and the feature that it belongs to.
type Rule struct {
	fstore.Expectation
	Feature string // empty: it belongs to a view or a source
}

// column is the column that a check of values looks at.
func (r *Rule) column() string {
	if r.Feature != "" {
		return r.Feature
	}
	return r.Expectation.Column
}

// Name names the rule among those of a view or source: order_value between [0, 1e6].
func (r *Rule) Name() string {
	if r.Feature != "" {
		return r.Feature + " " + r.Text()
	}
	return r.Text()
}

// OfView returns the rules of a view: those of its features in declared order, then its own.
func OfView(v *fstore.View) []Rule {
	var out []Rule
	for i := range v.Features {
		for _, e := range v.Features[i].Expect {
			out = append(out, Rule{e, v.Features[i].Name})
		}
	}
	return append(out, ofRows(v.Expect)...)
}

// OfSource returns the rules of a source.
func OfSource(s *fstore.Source) []Rule { return ofRows(s.Expect) }

// ofRows returns a rule for each expectation of a source or a view. An expectation with two bounds becomes two rules, each with an
// outcome of its own: freshness with an age for each severity, and rows with a number and a change, which may have nothing to
// compare with.
func ofRows(all []fstore.Expectation) (out []Rule) {
	for _, e := range all {
		first, second := e, e
		switch {
		case e.WarnAge > 0:
			first.ErrorAge, first.Severity, second.WarnAge = 0, fstore.SeverityWarn, 0
			if e.ErrorAge == 0 {
				out = append(out, Rule{Expectation: first})
				continue
			}
		case e.Change > 0 && (e.MinRows != nil || e.MaxRows != nil):
			first.Change, second.MinRows, second.MaxRows = 0, nil, nil
		default:
			out = append(out, Rule{Expectation: e})
			continue
		}
		out = append(out, Rule{Expectation: first}, Rule{Expectation: second})
	}
	return out
}

// OfRows returns the rules that need only a number of rows.
func OfRows(rules []Rule) []Rule {
	var out []Rule
	for _, r := range rules {
		if r.Check == fstore.ExpectRows || r.Check == fstore.ExpectKeysDeleted {
			out = append(out, r)
		}
	}
	return out
}

// MostDeleted returns how many of the published keys the strictest rule lets a run delete, or false if there is no such rule.
func MostDeleted(rules []Rule, published int64) (most int64, limited bool) {
	for _, r := range rules {
		if r.Check != fstore.ExpectKeysDeleted {
			continue
		}
		if n := int64(r.Max * float64(published)); !limited || n < most {
			most, limited = n, true
		}
	}
	return most, limited
}

// Queries reports whether a rule needs a query of its own over the rows.
func Queries(rules []Rule) bool {
	for _, r := range rules {
		if r.Check == fstore.ExpectUnique || r.Check == fstore.ExpectSQL {
			return true
		}
	}
	return false
}

// SourceColumns returns the columns of a source that its rules look at, of those that it has. Rows of a source have no keys: a
// sample has the event time and the value.
func SourceColumns(rules []Rule, s *fstore.Source, has []fstore.Field) Columns {
	wanted, event := map[string]bool{}, false
	for i := range rules {
		ofColumn := rules[i].Check.OfColumn()
		wanted[rules[i].column()] = ofColumn
		event = event || ofColumn || rules[i].Check == fstore.ExpectFreshness
	}
	c := Columns{Event: -1}
	add := func(f fstore.Field) { c.All = append(c.All, f) }
	for _, f := range has {
		if event && f.Name == s.Event && s.Event != "" {
			add(f)
			c.Keys, c.Event = 1, 0
		}
	}
	for _, f := range has {
		if wanted[f.Name] && f.Name != s.Event {
			add(f)
		}
	}
	return c
}

// Digest identifies what is expected of a version of a view and of the sources that it reads, wherever the definitions say so.
// It is empty if nothing is.
func Digest(v *fstore.ViewVersion) string {
	x := fstore.ExpectationsOf(v)
	x.Drift = nil // thresholds of drift decide about no publication
	if x.Empty() {
		return ""
	}
	clearPos := func(all []fstore.Expectation) []fstore.Expectation {
		out := make([]fstore.Expectation, len(all))
		for i, e := range all {
			e.Pos = fstore.Pos{}
			out[i] = e
		}
		return out
	}
	x.View = clearPos(x.View)
	of := []map[string][]fstore.Expectation{x.Features, x.Sources}
	for name, up := range x.Views {
		x.Views[name] = fstore.ViewExpectations{View: clearPos(up.View), Features: up.Features}
		of = append(of, up.Features)
	}
	for _, all := range of {
		for name := range all {
			all[name] = clearPos(all[name])
		}
	}
	encoded, err := json.Marshal(x)
	if err != nil { // cannot be: the bound was read from JSON
		return "unknown"
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:8])
}
