package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// labelQuery stands for the file in places in the SQL of labels.
const labelQuery = "the query for labels"

// LabelInputs returns what a query for labels reads: the sources, those behind views included, in name order, and the
// views, each behind those it reads, all as head has them. The gate holds for it as for a view's SQL, or its labels
// could not be made again. The errors are ErrInvalid, with the place in the query.
func (s *Snapshot) LabelInputs(ctx context.Context, engine Engine, sql string) ([]fstore.Source, []fstore.View, error) {
	root, err := newFingerprinter(engine).tree(ctx, sql)
	if p, ok := sqlProblem(labelQuery, sql, err); ok {
		return nil, nil, fstore.Errorf(fstore.ErrInvalid, "%s: %s", p.Pos, p.Message).WithHint("%s", p.Hint)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", labelQuery, err)
	}
	q := inspect(root, sql)
	if len(q.refused) > 0 {
		f := q.refused[0]
		return nil, nil, fstore.Errorf(fstore.ErrInvalid, "%s: %s", fstore.PosIn(labelQuery, sql, f.offset), f.message).WithHint("%s", f.hint)
	}
	sources, views := map[string]fstore.Source{}, []fstore.View{}
	for _, t := range q.tables {
		name := strings.ToLower(t.name)
		if src, ok := s.state.sources[name]; ok {
			sources[name] = src
			continue
		}
		v := s.state.headViews[name]
		if v == nil {
			return nil, nil, fstore.Errorf(fstore.ErrInvalid, "%s: unknown source or view %q", fstore.PosIn(labelQuery, sql, t.offset), t.name).
				WithHint("%s", DidYouMean(name, append(sortedKeys(s.state.sources), sortedKeys(s.state.headViews)...)))
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
