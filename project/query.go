package project

import (
	"context"
	"fmt"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/registry"
)

// QueryRequest says which rows to show: those of a view or a source in head, or of a query over them.
type QueryRequest struct {
	Name  string // of a view or a source
	SQL   string // instead
	Where []offline.ColumnValue
	At    *time.Time // only rows that were visible at this instant; nil: all
	Limit int        // number of rows; 0: 20
}

// Query computes rows from the sources. It does not read the online store.
func (p *Project) Query(ctx context.Context, r QueryRequest) (*offline.QueryResult, error) {
	switch {
	case r.Limit < 0:
		return nil, fstore.Errorf(fstore.ErrUsage, "limit %d: it must be at least 1", r.Limit)
	case r.Limit == 0:
		r.Limit = 20
	}
	if err := oneOf("a view or source, or SQL", r.Name != "", r.SQL != ""); err != nil {
		return nil, err
	}
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	rev, err := p.Revision(ctx)
	if err != nil {
		return nil, err
	}
	req := offline.QueryRequest{Limit: r.Limit, Where: r.Where, At: r.At}
	if r.SQL != "" {
		req.SQL.SQL = r.SQL
		req.SQL.Sources, req.SQL.Views, err = rev.QueryInputs(ctx, engine, registry.QueryText{Name: "the query", SQL: r.SQL})
	} else {
		err = relation(rev, r.Name, &req)
	}
	if err != nil {
		return nil, err
	}
	result, err := engine.Query(ctx, req)
	switch {
	case err == nil:
		return result, nil
	case r.SQL != "":
		return nil, err // it begins with its place in the query
	}
	return nil, fmt.Errorf("query %s: %w", r.Name, err)
}

// relation finds a view or a source in head.
func relation(rev *registry.Revision, name string, req *offline.QueryRequest) error {
	var known []string
	for _, src := range rev.Sources() {
		if src.Name == name {
			req.Source = &src
			return nil
		}
		known = append(known, src.Name)
	}
	for _, v := range rev.Views() {
		if v.Ref.Name == name {
			req.View = rev.View(v.Ref)
			return nil
		}
		known = append(known, v.Ref.Name)
	}
	if v := rev.OnDemandView(fstore.ViewRef{Name: name}); v != nil {
		return fstore.Errorf(fstore.ErrInvalid, "on_demand_view %s has no rows: its features are computed for each request", name).
			WithHint("fstore training-set create or fstore get, with --features '%s.*'; fstore show %[1]s says what to send", name)
	}
	return fstore.Errorf(fstore.ErrNotFound, "there is no view or source %q", name).WithHint("%s", fstore.DidYouMean(name, known))
}
