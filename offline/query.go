package offline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// QueryRequest asks for rows: of the history of a view, of a source, or of a query over sources and views.
type QueryRequest struct {
	View   *fstore.ViewVersion // one of View, Source and SQL.SQL is given
	Source *fstore.Source
	SQL    Labels        // its SQL, Sources and Views
	Where  []ColumnValue // only rows with these values
	At     *time.Time    // only rows visible at this instant; nil: all
	Limit  int           // the most rows to return
}

// ColumnValue is a value that a column must have, written as text.
type ColumnValue struct{ Column, Value string }

// QueryResult has the rows. Times are timestamps and whole numbers are int64. A value whose type fstore does not have, such
// as a DECIMAL or a struct, is a string as the engine writes it.
type QueryResult struct {
	Rows *fstore.Batch
	More bool // more rows than the limit exist
}

// Names of the columns of a view's history other than its keys and features.
const (
	eventColumn     = "event"
	createdColumn   = "created"
	availableColumn = "available"
)

// Query returns the rows that a request asks for. The rows of a view are its history: keys, event, created, available (when
// the row became visible) and features, newest first. The rows of a source come in their own order. The rows of a query
// come in an order that does not depend on the number of threads.
func (e *Engine) Query(ctx context.Context, req QueryRequest) (*QueryResult, error) {
	v := req.View
	if v == nil {
		v = &fstore.ViewVersion{View: fstore.View{SQL: req.SQL.SQL}, Sources: req.SQL.Sources, Views: req.SQL.Views}
	}
	s, err := e.sessionFor(ctx, v, nil)
	if err != nil {
		return nil, err
	}
	defer s.close()
	from, order, columns, err := s.queried(ctx, &req)
	if err != nil {
		return nil, err
	}
	where, err := s.matching(ctx, columns, req.Where)
	if err != nil {
		return nil, err
	}
	b, err := s.query(ctx, fmt.Sprintf("SELECT\n  %s\nFROM (\nSELECT *\nFROM %s%s%s\nLIMIT %d\n)", list(allShown(columns)), from, where, order, req.Limit+1))
	if err != nil {
		return nil, s.locate(ctx, err)
	}
	if b.Len <= req.Limit {
		return &QueryResult{Rows: b}, nil
	}
	return &QueryResult{Rows: first(b, req.Limit), More: true}, nil
}

// allShown returns expressions that show columns under their names.
func allShown(columns []fstore.EngineColumn) []string {
	selected := make([]string, 0, len(columns))
	for _, c := range columns {
		selected = append(selected, shown(ident(c.Name), sqltype.Parse(c.Type))+" AS "+ident(c.Name))
	}
	return selected
}

// theQuery is what errors call the query of a request.
const theQuery = "the query"

// queried returns the FROM item of the rows asked for, their ORDER BY, and their columns.
func (s *session) queried(ctx context.Context, req *QueryRequest) (from, order string, columns []fstore.EngineColumn, err error) {
	if req.View != nil {
		if req.View.View.Windowed() {
			return "", "", nil, fstore.Errorf(fstore.ErrInvalid, "%s aggregates rows over windows, and has none of its own", req.View.Ref).
				WithHint("query what it reads: %s", strings.Join(req.View.View.Inputs, ", "))
		}
		c := cut{visible: req.At}
		r, err := s.rows(ctx, req.View, c)
		if err != nil {
			return "", "", nil, err
		}
		from, order = r.listing(c)
		columns, err = s.describe(ctx, "SELECT *\nFROM "+from)
		return from, order, columns, err
	}
	from, columns, err = s.queriedSQL(ctx, req)
	return from, "", columns, err
}

// queriedSQL makes a view of a source's rows, or of a query's rows in their order. It returns the view's name and columns.
func (s *session) queriedSQL(ctx context.Context, req *QueryRequest) (view string, columns []fstore.EngineColumn, err error) {
	if req.Source != nil {
		req.SQL = Labels{SQL: "SELECT *\nFROM " + ident(req.Source.Name), Sources: []fstore.Source{*req.Source}}
	}
	v := &fstore.ViewVersion{View: fstore.View{SQL: req.SQL.SQL}, Sources: req.SQL.Sources, Views: req.SQL.Views}
	reads, err := s.inputs(ctx, v, cut{visible: req.At}, "_query_input")
	if err != nil {
		return "", nil, err
	}
	if err := s.admit(ctx, req.SQL.SQL, reads); err != nil {
		return "", nil, placed(err, theQuery, req.SQL.SQL)
	}
	const prefix = "CREATE TEMP VIEW _query_sql AS\n"
	if err := translate(s.conn.Exec(ctx, prefix+req.SQL.SQL)); err != nil {
		return "", nil, placed(sqlError(err, prefix, req.SQL.SQL), theQuery, req.SQL.SQL)
	}
	columns, err = s.describe(ctx, "SELECT *\nFROM _query_sql")
	if err != nil || req.Source != nil {
		return "_query_sql", columns, err
	}
	ordered, err := s.totalOrder(ctx, "_query_sql", req.SQL.SQL, len(columns))
	if err != nil {
		return "", nil, err
	}
	return "_query_ordered", columns, s.exec(ctx, "CREATE TEMP VIEW _query_ordered AS\n"+ordered)
}

// listing returns the FROM item of a view's history under the names of the view, and its order: the newest row first.
func (r *rows) listing(c cut) (from, order string) {
	var columns, names []string
	add := func(x, name string) {
		columns, names = append(columns, x+" AS "+ident(name)), append(names, ident(name))
	}
	for i, k := range r.view.Keys {
		add(fmt.Sprintf("k%d", i), k.Name)
	}
	where, by := "", ""
	if !r.view.Static() {
		event, at := unusedName(r.view, eventColumn), available("event", "created", r.view.Available)
		add("event", event)
		add("created", unusedName(r.view, createdColumn))
		add("greatest(event, "+at+")", unusedName(r.view, availableColumn))
		if conditions := c.conditions("event", "created", r.view.Available); len(conditions) > 0 {
			where = "\n  WHERE " + and(conditions)
		}
		by = ident(event) + " DESC, " + ident(unusedName(r.view, createdColumn)) + " DESC, "
	}
	sorted := names
	for i, f := range r.record {
		add(r.feature(i, fmt.Sprintf("f%d", i)), f.Name)
		sorted = append(sorted[:len(sorted):len(sorted)], ident(f.Name)+" DESC NULLS LAST") // among ties, the row that counts is first
	}
	return "(\n  SELECT\n  " + list(columns) + "\n  FROM " + r.name + where + "\n)", "\nORDER BY " + by + list(sorted)
}

// unusedName returns a name for a column of a history that is not the name of a key or feature.
func unusedName(v *fstore.View, name string) string {
	for slices.ContainsFunc(v.Keys, func(k fstore.Field) bool { return k.Name == name }) || v.Feature(name) != nil {
		name = "_" + name
	}
	return name
}

// matching returns the WHERE clause for rows with certain values.
func (s *session) matching(ctx context.Context, columns []fstore.EngineColumn, values []ColumnValue) (string, error) {
	var out []string
	for _, v := range values {
		i := columnIndex(columns, v.Column)
		if i < 0 {
			return "", fstore.Errorf(fstore.ErrInvalid, "there is no column %s", v.Column).WithHint("the columns are %s", columnNames(columns))
		}
		cast := text(v.Value) + "::" + columns[i].Type
		b, err := s.query(ctx, "SELECT TRY_CAST("+text(v.Value)+" AS "+columns[i].Type+") IS NOT NULL")
		if err != nil || !b.Columns[0].Bools[0] {
			return "", fstore.Errorf(fstore.ErrInvalid, "column %s is %s, and %q is not one", v.Column, columns[i].Type, v.Value)
		}
		out = append(out, ident(v.Column)+" = "+cast)
	}
	if len(out) == 0 {
		return "", nil
	}
	return "\nWHERE " + and(out), nil
}

// shown converts a column to a type that a batch can have.
func shown(x string, t sqltype.Type) string {
	switch {
	case t.Name == "BOOLEAN" || t.Name == "BLOB" || t.Mantissa > 0:
		return x
	case t.Bits > 0 && (t.Bits < 64 || t.Bits == 64 && !t.Unsigned):
		return x + "::BIGINT"
	case t.IsTime():
		return "CASE WHEN isfinite(" + x + "::TIMESTAMP) THEN " + roundedDown(x, t) + " ELSE " + x + "::TIMESTAMP END"
	}
	return x + "::VARCHAR"
}

// first returns the first rows of a batch.
func first(b *fstore.Batch, n int) *fstore.Batch {
	out := &fstore.Batch{Len: n}
	for i := range b.Columns {
		c := fstore.NewColumn(b.Columns[i].Name, b.Columns[i].Type, n)
		for row := range n {
			c.AppendFrom(&b.Columns[i], row)
		}
		out.Columns = append(out.Columns, c)
	}
	return out
}
