package definition

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/sqlgate"
	"github.com/fstore-dev/fstore/sqltype"
	"github.com/fstore-dev/fstore/window"
)

// aggregations reads the windowed features of a view. What their expressions refer to is checked afterwards, once the
// columns are known.
func (c *checker) aggregations(v *view) {
	before := len(c.problems)
	if v.spec.Features != nil {
		c.problems.add(v.spec.Pos, "move one of them to a view of its own", "feature_view %s has both features and aggregations", v.def.Name)
	}
	if len(v.spec.Aggregations) == 0 {
		c.problems.add(v.spec.Pos, "aggregations: [{name: orders, function: count, type: int64, windows: [7d]}]", "feature_view %s has no aggregations", v.def.Name)
	}
	if v.def.TTL != nil {
		c.problems.add(v.spec.TTL.Pos, "remove it: a value leaves with the rows of its window", "ttl beside aggregations")
	}
	if v.def.Offline {
		c.problems.add(v.spec.Online.Pos, "remove it: other views cannot read windows", "online: false beside aggregations")
	}
	names, features := map[string]fstore.Pos{}, map[string]fstore.Pos{}
	expect := map[*AggregationSpec][]fstore.Feature{}
	for i := range v.spec.Aggregations {
		spec := &v.spec.Aggregations[i]
		if !c.name(spec.Name) || c.isDuplicate("aggregation", spec.Name, names) {
			continue
		}
		base, ok := c.aggregation(v, spec)
		if !ok {
			continue
		}
		hop, from := c.hop(spec), len(v.def.Features)
		for _, w := range spec.Windows {
			c.window(v, spec, base, w, hop, features)
		}
		expect[spec] = v.def.Features[from:]
	}
	v.ok = v.ok && len(c.problems) == before
	for i := range v.spec.Aggregations { // afterwards: the view is whole whatever is wrong with its expectations and thresholds
		spec := &v.spec.Aggregations[i]
		if of := expect[spec]; len(of) > 0 {
			all := c.featureExpectations(spec.Expect, &v.def, spec.Name.Value, of[0].Type)
			rule := c.driftRule(spec.Drift, of[0].Type)
			for f := range of {
				of[f].Expect, of[f].Drift = all, rule
			}
		}
	}
}

// aggregation reads what all windows of an aggregation share.
func (c *checker) aggregation(v *view, spec *AggregationSpec) (f fstore.Feature, ok bool) {
	before := len(c.problems)
	t, known := c.typ(spec.Type)
	w := &fstore.Window{Function: fstore.Function(spec.Function.Value), Expression: strings.TrimSpace(spec.Expression.Value), Where: strings.TrimSpace(spec.Where.Value)}
	f = fstore.Feature{Type: t, Window: w, Meta: meta(spec.MetaSpec)}
	if !slices.Contains(fstore.Functions(), w.Function) {
		if spec.Function.Value != "" {
			c.problems.add(spec.Function.Pos, c.suggest(spec.Function.Value, functionNames()), "unknown function %q", spec.Function.Value)
		}
		return f, false
	}
	if known {
		if want, fits := window.ResultTypes(w.Function, t); !fits {
			c.problems.add(spec.Type.Pos, "type: "+want, "aggregation %s: %s does not give %s", spec.Name.Value, w.Function, t.WithArticle())
		}
		f.Default = c.defaultValue(spec.Default, t)
	}
	if w.Expression == "" && w.Function != fstore.Count {
		c.problems.add(spec.Pos, "expression: the column, or SQL over the columns of one row", "aggregation %s: %s needs an expression", spec.Name.Value, w.Function)
	}
	if v.spec.Publish == nil && window.NeedsPublish(w.Function) {
		c.problems.add(spec.Function.Pos, "publish: {every: 1d}, or move the aggregation to a view that has it",
			"aggregation %s: %s needs publish, because a record cannot hold the values of all rows", spec.Name.Value, w.Function)
	}
	c.percentile(spec, w)
	c.lastN(spec, w)
	if spec.Windows != nil && len(spec.Windows) == 0 {
		c.problems.add(spec.Pos, "windows: [1d, 7d, 30d]", "aggregation %s has no windows", spec.Name.Value)
	}
	return f, known && len(c.problems) == before
}

func functionNames() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, f := range fstore.Functions() {
			if !yield(string(f)) {
				return
			}
		}
	}
}

func (c *checker) percentile(spec *AggregationSpec, w *fstore.Window) {
	if w.Function != fstore.Percentile {
		if spec.P.given() {
			c.problems.add(spec.P.Pos, "remove it", "p is for percentile, not for %s", w.Function)
		}
		return
	}
	p, err := strconv.ParseFloat(spec.P.Value, 64)
	switch {
	case !spec.P.given():
		c.problems.add(spec.Pos, "p: 0.5 for the median", "aggregation %s: percentile needs p", spec.Name.Value)
	case err != nil || !(p >= 0 && p <= 1):
		c.problems.add(spec.P.Pos, "for example 0.95", "p is %s, which is not a number from 0 to 1", spec.P.Value)
	}
	w.P = p
}

func (c *checker) lastN(spec *AggregationSpec, w *fstore.Window) {
	if w.Function != fstore.LastN {
		if spec.N.given() {
			c.problems.add(spec.N.Pos, "remove it", "n is for last_n, not for %s", w.Function)
		}
		return
	}
	n, err := strconv.Atoi(spec.N.Value)
	switch {
	case !spec.N.given():
		c.problems.add(spec.Pos, "n: 10", "aggregation %s: last_n needs n", spec.Name.Value)
	case err != nil || n < 1 || n > window.MostOfLastN:
		c.problems.add(spec.N.Pos, "for example 10", "n is %s, which is not a whole number from 1 to %d", spec.N.Value, window.MostOfLastN)
	}
	w.N = n
}

// window adds the feature of one window. hop is what the aggregation states, or 0.
func (c *checker) window(v *view, spec *AggregationSpec, f fstore.Feature, text Text, hop fstore.Duration, seen map[string]fstore.Pos) {
	w := *f.Window
	f.Window = &w
	if text.Value == "" {
		return // reported by the loader
	}
	f.Name = spec.Name.Value + "_" + text.Value
	if first, twice := seen[f.Name]; twice {
		if slices.ContainsFunc(spec.Windows, func(o Text) bool { return o.Pos == first }) {
			c.problems.add(text.Pos, "remove one of them", "window %s is listed twice", text.Value)
		} else {
			c.problems.add(text.Pos, "rename one of the aggregations, or remove the window", "feature %s is there twice, first at %s", f.Name, first)
		}
		return
	}
	if text.Value != lifetime {
		if w.Length = c.windowLength(text); w.Length == 0 {
			return
		}
		w.Hop = c.hopOf(v, spec, w.Length, hop, text)
	}
	if same := slices.IndexFunc(v.def.Features, func(o fstore.Feature) bool { return *o.Window == w }); same >= 0 {
		c.problems.add(text.Pos, "remove one of them", "feature %s is the same as %s", f.Name, v.def.Features[same].Name)
		return
	}
	seen[f.Name] = text.Pos
	if err := fstore.CheckName(f.Name); err != nil {
		c.problems.addError(text.Pos, err)
		return
	}
	if slices.ContainsFunc(v.def.Keys, func(k fstore.Field) bool { return k.Name == f.Name }) {
		c.problems.add(text.Pos, "rename the aggregation", "feature %s has the name of a join key", f.Name)
	}
	if v.spec.Publish == nil {
		c.nest(v, spec, &f)
	}
	v.def.Features = append(v.def.Features, f)
}

// lifetime is the window that holds every row.
const lifetime = "lifetime"

// windowLength reads the length of a window. It returns 0 where it is wrong.
func (c *checker) windowLength(text Text) fstore.Duration {
	length, err := fstore.ParseDuration(text.Value)
	switch {
	case err != nil:
		c.problems.add(text.Pos, "for example 7d, 12h, or lifetime for all time", "%q is not a window", text.Value)
		return 0
	case length == 0:
		c.problems.add(text.Pos, "for example 7d, or lifetime", "a window of 0s holds nothing")
	}
	return length
}

// windowed checks the expressions of a view's aggregations over the columns of its input.
func (c *checker) windowed(v *view, columns []fstore.EngineColumn) {
	if v.def.Static() {
		c.problems.add(v.spec.Aggregations[0].Pos, "windows need an event_timestamp", "feature_view %s aggregates rows that have no event time", v.def.Name)
	}
	types := map[string]string{}
	for i := range v.spec.Aggregations {
		spec := &v.spec.Aggregations[i]
		if got, ok := c.expression(v, spec.Where, columns, types); ok && got != "BOOLEAN" {
			c.problems.add(spec.Where.Pos, "a condition, such as quantity > 0", "where is %s, not BOOLEAN", got)
		}
		got, ok := c.expression(v, spec.Expression, columns, types)
		f := fstore.Function(spec.Function.Value)
		t, err := fstore.ParseType(spec.Type.Value)
		if _, fits := window.ResultTypes(f, t); !ok || err != nil || !fits {
			continue
		}
		switch want := window.ValueType(f, t); {
		case f == fstore.Count:
		case want == fstore.Invalid:
			if _, ok := sqltype.Parse(got).Distinct(); !ok {
				c.problems.add(spec.Expression.Pos, "count distinct parts of it", "the expression is %s, whose values fstore cannot tell apart", got)
			}
		case !sqltype.Parse(got).Converts(want):
			c.problems.add(spec.Expression.Pos, castHint(spec.Expression.Value, got, want),
				"the expression is %s, which does not convert to %s", got, want)
		}
	}
}

// castHint says how to make an expression one of another type.
func castHint(expression, engineType string, want fstore.Type) string {
	if strings.HasSuffix(engineType, ")") && strings.HasPrefix(engineType, "STRUCT(") {
		return "one expression that gives one value, such as quantity * unit_price"
	}
	return fmt.Sprintf("CAST it: (%s)::%s", brief(expression), sqltype.Of(want))
}

// expression checks one expression over columns and returns the engine's type of it. types has those of the expressions
// that were checked before. ok is false where there is none, or something is wrong with it.
func (c *checker) expression(v *view, text Text, columns []fstore.EngineColumn, types map[string]string) (engineType string, ok bool) {
	if text.Value == "" {
		return "", false
	}
	if t, checked := types[text.Value]; checked {
		return t, t != ""
	}
	types[text.Value] = ""
	refused, err := c.prints.gate.Expression(c.ctx, text.Value)
	if err != nil {
		c.expressionError(text, sqlgate.ExpressionQuery(text.Value), columns, err)
		return "", false
	}
	for _, f := range refused {
		c.problems.add(text.Pos, f.Hint, "%s", f.Message)
	}
	if len(refused) > 0 {
		return "", false
	}
	const input = "_input"
	query := sqlgate.ExpressionQuery(text.Value) + "\nFROM " + input
	out, _, err := c.engine.PlanSQL(c.ctx, query, []fstore.Relation{{Name: input, Columns: columns}})
	if err != nil {
		c.expressionError(text, query, columns, err)
		return "", false
	}
	types[text.Value] = out[0].Type
	return out[0].Type, true
}

// expressionError reports what the engine says about the query of an expression.
func (c *checker) expressionError(text Text, query string, columns []fstore.EngineColumn, err error) {
	if f, ok := c.prints.gate.Explain(c.ctx, query, err); ok {
		message, unknown := strings.CutSuffix(f.Message, " in FROM clause!")
		if unknown && f.Hint == "" {
			f.Hint = suggestColumn(text.Value, columns)
		}
		if message == `syntax error at or near ")"` { // the query closes a bracket after the text
			message = "the expression is incomplete, or a bracket has no partner"
		}
		c.problems.add(text.Pos, f.Hint, "%s", message)
		return
	}
	c.engineError(text.Pos, "", err)
}
