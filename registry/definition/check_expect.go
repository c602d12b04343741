package definition

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// otherNames maps the names of checks in other tools, such as Great Expectations and dbt, to how they are written here.
var otherNames = map[string]string{
	"accepted_values": "in: [a, b]", "accepted_range": "between: [0, 100]", "row_count": "rows: {min: 1}", "regex": "matches: '^…$'",
	"unique_combination_of_columns": "unique: [a, b]", "unique_combination": "unique: [a, b]", "mean_between": "mean: {between: [0, 1]}",
	"not_null_proportion": "null_rate: {max: 1%}", "values": "in: [a, b]", "recency": "freshness: {error: 1d}", "required": "not_null",
	"expect_column_values_to_not_be_null":                "not_null",
	"expect_column_values_to_be_between":                 "between: [0, 100]",
	"expect_column_values_to_be_unique":                  "unique: [a]",
	"expect_compound_columns_to_be_unique":               "unique: [a, b]",
	"expect_column_values_to_be_in_set":                  "in: [a, b]",
	"expect_column_values_to_match_regex":                "matches: '^…$'",
	"expect_table_row_count_to_be_between":               "rows: {min: 1, max: 100}",
	"expect_column_mean_to_be_between":                   "mean: {between: [0, 1]}",
	"expect_column_proportion_of_non_null_values":        "null_rate: {max: 1%}",
	"expect_query_results_to_be_empty":                   "sql: bad_rows.sql",
	"unexpected_rows_expectation":                        "sql: bad_rows.sql",
	"expect_column_max_to_be_between":                    "between: [0, 100]",
	"expect_column_min_to_be_between":                    "between: [0, 100]",
	"expect_column_proportion_of_non_null_to_be_between": "null_rate: {max: 1%}",
	"expect_row_values_to_have_recent_data":              "freshness: {error: 1d}",
}

// otherChecks returns the hint for a check that is named as another tool names it, with or without the tool's name before
// it: dbt_expectations.expect_…, dbt_utils.accepted_range, ExpectColumnValuesToNotBeNull. It returns "" for other names.
func otherChecks(name string) string {
	name = name[strings.LastIndexByte(name, '.')+1:]
	if strings.HasPrefix(name, "Expect") || name == "UnexpectedRowsExpectation" {
		var snake strings.Builder
		for i, r := range name {
			if i > 0 && r >= 'A' && r <= 'Z' {
				snake.WriteByte('_')
			}
			snake.WriteRune(r)
		}
		name = strings.ToLower(snake.String())
	}
	if here, ok := otherNames[name]; ok {
		return "write " + here
	}
	return ""
}

// expected is where expectations stand: what they may look at.
type expected struct {
	what    string         // source, feature_view or feature
	name    string         // of it
	feature fstore.Type    // the type of the feature; Invalid elsewhere
	columns []fstore.Field // of the source or view, Invalid where no check can look at the type; nil: not known
	tiles   bool           // windows end at the clock: there are no values until somebody asks
	event   bool           // rows have an event time by which they can be fresh
	keys    bool           // rows are the keys of a view that is published
}

// expectations reads the expectations of a source, a view or a feature.
func (c *checker) expectations(specs []ExpectSpec, on expected) []fstore.Expectation {
	var out []fstore.Expectation
	for i := range specs {
		before := len(c.problems)
		e, ok := c.expectation(&specs[i], on)
		if ok && len(c.problems) == before {
			out = append(out, e)
		}
	}
	return out
}

func (c *checker) expectation(spec *ExpectSpec, on expected) (fstore.Expectation, bool) {
	e := fstore.Expectation{Pos: spec.Pos, Column: spec.Column.Value}
	checks := spec.checks()
	if len(checks) != 1 {
		wrong := spec.Unknown || spec.NotNull.given() || spec.Matches.given() || spec.SQL.given() // and reported
		if len(checks) == 0 && !wrong {
			c.problems.add(spec.Pos, "for example not_null, or {between: [0, 100], severity: warn}", "the expectation has no check")
		} else if len(checks) > 1 {
			c.problems.add(spec.Pos, "give each its own entry of expect", "the expectation has several checks: %s and %s", checks[0].check, checks[1].check)
		}
		return e, false
	}
	e.Check = checks[0].check
	if !checks[0].read(c, spec, &e) {
		return e, false
	}
	c.expectSeverity(spec, &e)
	if spec.Mostly.given() {
		e.Mostly = c.share(spec.Mostly, "mostly")
		if e.Mostly == 0 && spec.Mostly.Value != "" {
			c.problems.add(spec.Mostly.Pos, "a share above 0, such as 99%", "mostly is 0")
		}
		if !e.Check.TakesMostly() {
			c.problems.add(spec.Mostly.Pos, "remove it", "mostly is for checks of single values, not for %s", e.Check)
		}
	}
	if on.tiles && e.Check != fstore.ExpectRows && e.Check != fstore.ExpectKeysDeleted && e.Check != fstore.ExpectFreshness {
		c.problems.add(spec.Pos, "publish: {every: 1d}, or expect it of what the view reads",
			"%s checks values, but those of %s are computed only when they are asked for: its windows end at the clock", e.Check, on.name)
		return e, false
	}
	if e.Check.OfColumn() {
		return e, c.columnCheck(spec, &e, on)
	}
	return e, c.tableCheck(spec, &e, on)
}

// columnCheck checks an expectation of the values of a column against the column's type.
func (c *checker) columnCheck(spec *ExpectSpec, e *fstore.Expectation, on expected) bool {
	t := on.feature
	switch {
	case on.what == "feature" && spec.Column.given():
		c.problems.add(spec.Column.Pos, "remove it", "an expectation of a feature takes no column")
		return false
	case on.what != "feature" && e.Column == "":
		if !spec.Column.given() {
			c.problems.add(spec.Pos, "column: NAME", "%s on a %s needs the column whose values it checks", e.Check, on.what)
		}
		return false
	case on.what != "feature":
		var ok bool
		if t, ok = c.expectedColumn(spec.Column, on); !ok {
			return false
		}
	}
	err := e.CheckType(t)
	if t == fstore.Invalid { // the source's files cannot be read here, or the type is wrong and reported
		err = e.CheckAnyType()
	}
	if err != nil {
		c.problems.addError(spec.Pos, err)
		return false
	}
	return true
}

// tableCheck checks an expectation of all rows.
func (c *checker) tableCheck(spec *ExpectSpec, e *fstore.Expectation, on expected) bool {
	switch {
	case on.what == "feature":
		c.problems.add(spec.Pos, "move it to the expect of the view, or of the source", "%s cannot be expected of a feature", e.Check)
		return false
	case spec.Column.given():
		c.problems.add(spec.Column.Pos, "remove it", "%s checks whole rows and takes no column", e.Check)
		return false
	case e.Check == fstore.ExpectKeysDeleted && !on.keys || e.Check == fstore.ExpectRows && e.Change > 0 && !on.keys:
		c.problems.add(spec.Pos, "move it to a view that is published", "%s compares with the last publication, but %s is not published", e.Check, on.name)
		return false
	case e.Check == fstore.ExpectFreshness && !on.event:
		c.problems.add(spec.Pos, "remove it, or move it to a source with an event time", "freshness needs an event time, and the rows of %s have none of their own", on.name)
		return false
	}
	for _, name := range spec.Unique {
		if _, ok := c.expectedColumn(name, on); !ok {
			return false
		}
	}
	return true
}

// expectedColumn returns the type of a column that an expectation names; Invalid where the columns are not known.
func (c *checker) expectedColumn(name Text, on expected) (t fstore.Type, ok bool) {
	if on.columns == nil {
		return fstore.Invalid, true
	}
	names := make([]string, len(on.columns))
	for i, f := range on.columns {
		names[i] = f.Name
		if f.Name != name.Value {
			continue
		}
		if f.Type == fstore.Invalid {
			c.problems.add(name.Pos, "check it in SQL: sql: bad_rows.sql", "column %s has a type that only sql can check", f.Name)
		}
		return f.Type, f.Type != fstore.Invalid
	}
	c.problems.add(name.Pos, fstore.DidYouMean(name.Value, names), "%s %s has no column %q", on.what, on.name, name.Value)
	return fstore.Invalid, false
}

// expectedSQL checks a query of bad rows with the gate and the engine: it reads the rows of its source or view and nothing
// else.
func (c *checker) expectedSQL(all []fstore.Expectation, name string, columns []fstore.EngineColumn) {
	for i := range all {
		e := &all[i]
		if e.Check != fstore.ExpectSQL {
			continue
		}
		v := &view{def: fstore.View{SQLFile: e.SQLFile}, text: e.SQL}
		tree, err := c.prints.gate.Parse(c.ctx, e.SQL)
		if err != nil {
			c.sqlError(v, err)
			continue
		}
		q := tree.Inspect()
		for _, f := range q.Refused {
			c.problems.add(c.sqlPos(v, f.Offset), f.Hint, "%s", f.Message)
		}
		for _, t := range q.Tables {
			if !strings.EqualFold(t.Name, name) {
				c.problems.add(c.sqlPos(v, t.Offset), "from "+name, "a query of bad rows may read only %s, not %q", name, t.Name)
			}
		}
		if len(q.Tables)+len(q.Refused) == 0 {
			c.problems.add(c.sqlPos(v, 0), "from "+name, "a query of bad rows must read %s", name)
		}
		if columns == nil || len(q.Refused) > 0 || q.TooLarge {
			continue
		}
		if _, _, err := c.engine.PlanSQL(c.ctx, e.SQL, []fstore.Relation{{Name: name, Columns: columns}}); err != nil {
			c.sqlError(v, err)
		}
	}
}

// sourceExpectations reads the expectations of a source once its columns are known.
func (c *checker) sourceExpectations(s *source) {
	on := expected{what: "source", name: s.def.Name, event: !s.def.Static()}
	for _, col := range s.columns {
		t, _ := sqltype.Parse(col.Type).Natural()
		on.columns = append(on.columns, fstore.Field{Name: col.Name, Type: t})
	}
	s.def.Expect = c.expectations(s.spec.Expect, on)
	c.expectedSQL(s.def.Expect, s.def.Name, s.columns)
}

// viewExpectations reads the expectations of a view once its features are known.
func (c *checker) viewExpectations(v *view) {
	if !v.ok || len(v.spec.Expect) == 0 {
		return
	}
	on := expected{what: "feature_view", name: v.def.Name, tiles: v.def.Sawtooth(), event: !v.def.Static() && !v.def.Windowed(), keys: !v.def.Offline, columns: slices.Clone(v.def.Keys)}
	for _, f := range v.def.Features {
		on.columns = append(on.columns, fstore.Field{Name: f.Name, Type: f.Type})
	}
	columns := []fstore.EngineColumn{}
	for _, f := range on.columns {
		columns = append(columns, fstore.EngineColumn{Name: f.Name, Type: sqltype.Of(f.Type)})
	}
	columns = append(columns, fstore.EngineColumn{Name: v.def.EventColumn(), Type: sqltype.Of(fstore.Timestamp)})
	v.def.Expect = c.expectations(v.spec.Expect, on)
	c.expectedSQL(v.def.Expect, v.def.Name, columns)
}

// featureExpectations reads the expectations of a feature.
func (c *checker) featureExpectations(specs []ExpectSpec, of *fstore.View, name string, t fstore.Type) []fstore.Expectation {
	return c.expectations(specs, expected{what: "feature", name: name, feature: t, tiles: of.Sawtooth()})
}

// expect lists the expectations of a definition as plan shows them.
func (l *Fields) expect(prefix string, all []fstore.Expectation) {
	seen := map[string]int{}
	for i := range all {
		e := &all[i]
		path := prefix + "expect." + string(e.Check)
		if e.Column != "" {
			path = prefix + "expect." + e.Column + "." + string(e.Check)
		}
		if seen[path]++; seen[path] > 1 {
			path += fmt.Sprintf(".%d", seen[path])
		}
		value := e.String()
		if e.Check == fstore.ExpectSQL {
			value += "\n" + e.SQL
		}
		l.silent(path, value, "an expectation changes no value")
	}
}
