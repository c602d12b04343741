package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// QueryText is a query over sources and views that is not part of a definition, such as one for labels.
type QueryText struct {
	Name string // what errors call it: "the query for labels"
	SQL  string
}

// errorAt returns an error about a place in the query.
func (t QueryText) errorAt(offset int, format string, args ...any) *fstore.Error {
	return fstore.Errorf(fstore.ErrInvalid, "%s: %s", fstore.PosIn(t.Name, t.SQL, offset), fmt.Sprintf(format, args...))
}

func (t QueryText) refused(f sqlgate.Finding) error {
	return t.errorAt(f.Offset, "%s", f.Message).WithHint("%s", f.Hint)
}

// QueryInputs returns what a query reads, as head has it: the sources in name order, including those that the views read,
// and the views, each after the views that it reads. The query must pass the same gate as a view's SQL, or a rebuild
// could give other rows. The errors are ErrInvalid, with the place in the query.
func (rev *Revision) QueryInputs(ctx context.Context, engine definition.Engine, text QueryText) ([]fstore.Source, []fstore.View, error) {
	sql := text.SQL
	gate := sqlgate.New(engine)
	tree, err := gate.Parse(ctx, sql)
	if f, ok := gate.Explain(ctx, sql, err); ok {
		return nil, nil, text.refused(f)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", text.Name, err)
	}
	q := tree.Inspect()
	if len(q.Refused) > 0 {
		return nil, nil, text.refused(q.Refused[0])
	}
	if err := rev.judgeQuery(ctx, engine, text, q); err != nil {
		return nil, nil, err
	}
	sources, views := map[string]fstore.Source{}, []fstore.View{}
	for _, t := range q.Tables {
		name := strings.ToLower(t.Name)
		if src, ok := rev.state.sources[name]; ok {
			sources[name] = src
			continue
		}
		v := rev.state.headViews[name]
		if v == nil && rev.state.headOnDemand[name] != nil {
			return nil, nil, text.errorAt(t.Offset, "%s is an on_demand_view, which has no rows", name).WithHint("query the views that it reads: fstore show %s lists them", name)
		}
		if v == nil {
			return nil, nil, text.errorAt(t.Offset, "unknown source or view %q", t.Name).
				WithHint("%s", fstore.DidYouMean(name, append(sortedKeys(rev.state.sources), sortedKeys(rev.state.headViews)...)))
		}
		for _, src := range v.Sources {
			sources[src.Name] = src
		}
		for _, up := range append(slices.Clone(v.Views), v.View) {
			if !slices.ContainsFunc(views, func(had fstore.View) bool { return had.Name == up.Name }) {
				views = append(views, up)
			}
		}
	}
	return byName(sources), views, nil
}

// judgeQuery judges the plan of a query. If a name or a file is missing, there is no plan, and the caller's next step
// reports the error.
func (rev *Revision) judgeQuery(ctx context.Context, engine definition.Engine, text QueryText, q *sqlgate.Query) error {
	var inputs []fstore.Relation
	seen := map[string]bool{}
	for _, t := range q.Tables {
		name := strings.ToLower(t.Name)
		in := fstore.Relation{Name: name}
		if src, ok := rev.state.sources[name]; ok {
			in.Columns, _ = engine.SourceColumns(ctx, &src)
		} else if v := rev.state.headViews[name]; v != nil {
			in.Columns = definition.Columns(&v.View)
		}
		if len(in.Columns) == 0 {
			return nil
		}
		if !seen[name] {
			inputs = append(inputs, in)
		}
		seen[name] = true
	}
	_, plan, err := engine.PlanSQL(ctx, text.SQL, inputs)
	if errors.As(err, new(*fstore.SQLError)) {
		return nil
	}
	if err != nil {
		return err
	}
	refused, err := q.Judge(plan, sqlgate.History{Event: -1, Created: -1})
	if len(refused) > 0 {
		return text.refused(refused[0])
	}
	return err
}
