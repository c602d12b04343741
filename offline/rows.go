package offline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// rows is the history of a view version as a relation of the session: k0, k1…, event, created, f0, f1…
// A null created is replaced by the event time. The rows of a static view have the Unix epoch as event. Floats may still
// be -0.0 or any NaN: feature returns their values.
type rows struct {
	name   string // of the relation
	by     readers
	ref    fstore.ViewRef
	view   *fstore.View
	record []fstore.Feature // f0, f1…: the features in name order
	cut    cut              // which rows of the sources it was made from
	nulls  []DroppedRows    // rows that were left out

	source *source    // of a view over a source; nil: the view is SQL
	parts  []rowsPart // of the source's files; of SQL there is one
}

// rowsPart is a relation from which rows are read, with its columns that are converted.
type rowsPart struct {
	relation
	fields []field
}

// rows makes the history of a view version. The rows of SQL are computed once and kept. The rows of a source are read
// whenever they are needed.
func (s *session) rows(ctx context.Context, v *fstore.ViewVersion, c cut) (*rows, error) {
	return s.rowsFor(ctx, v, c, severalQueries)
}

func (s *session) rowsFor(ctx context.Context, v *fstore.ViewVersion, c cut, by readers) (*rows, error) {
	r := &rows{ref: v.Ref, view: &v.View, record: v.View.ByName(), cut: c, name: fmt.Sprintf("_rows_%d", s.tables), by: by}
	s.tables++
	if err := s.makeRows(ctx, r, v); err != nil {
		return nil, fmt.Errorf("view %s: %w", v.Ref, err)
	}
	return r, nil
}

func (s *session) makeRows(ctx context.Context, r *rows, v *fstore.ViewVersion) error {
	for i := range v.Sources {
		if err := s.checkNanos(ctx, &v.Sources[i]); err != nil {
			return err
		}
		if err := s.checkFooters(ctx, &v.Sources[i], keyNames(v)); err != nil {
			return err
		}
	}
	from, err := s.from(ctx, v, &v.View, r.cut, r.name, nil)
	if err != nil {
		return err
	}
	if v.View.Source != "" {
		if r.source, err = s.source(ctx, v.Source(v.View.Source)); err != nil {
			return err
		}
	}
	var queries []string
	for _, rel := range from {
		selected, err := r.columns(rel)
		if err != nil {
			return err
		}
		queries = append(queries, "SELECT\n  "+list(selected)+"\nFROM "+rel.from)
	}
	s.convertsFields("view "+r.ref.String(), r.source, r.cut, r.view, from[0].from, r.parts[0].fields)
	all := "(\n" + strings.Join(queries, "\nUNION ALL\n") + "\n)"
	if r.source == nil && r.by == severalQueries {
		if err := s.exec(ctx, "CREATE TEMP TABLE "+r.name+"_all AS\nFROM "+all); err != nil {
			return s.locate(ctx, err)
		}
		all = r.name + "_all"
	}
	where := []string{"event IS NOT NULL"}
	if r.cut.known != nil && r.view.Created != "" {
		where = append(where, "created <= "+instant(*r.cut.known))
	}
	if err := s.exec(ctx, "CREATE TEMP VIEW "+r.name+" AS\nSELECT *\nFROM "+all+"\nWHERE "+and(where)); err != nil {
		return s.locate(ctx, err)
	}
	if r.cut.visible != nil { // only training sets report dropped rows
		return nil
	}
	return s.countNulls(ctx, r, v)
}

// feature returns the value of a feature, given the history's column x. It makes floats canonical only here, because most
// rows of a history are never asked for: making all of them canonical took a tenth of the time of winnersSQL.
func (r *rows) feature(i int, x string) string {
	if t := r.record[i].Type; isFloat(t) {
		return canonical(x, t)
	}
	return x
}

// keyNames returns the names of the join keys of a view and of the views that it reads.
func keyNames(v *fstore.ViewVersion) []string {
	var names []string
	for _, view := range append(slices.Clone(v.Views), v.View) {
		for _, k := range view.Keys {
			names = append(names, k.Name)
		}
	}
	return names
}

// columns returns the history's columns from a relation's, and remembers how they are converted.
func (r *rows) columns(rel relation) ([]string, error) {
	p := rowsPart{relation: rel}
	column := func(name string, to fstore.Type) (string, error) {
		f, err := newField(rel, name, to)
		p.fields = append(p.fields, f)
		return f.asStored("view " + r.ref.String()), err
	}
	var out []string
	for i, k := range r.view.Keys {
		x, err := column(k.Name, k.Type)
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%s AS k%d", x, i))
	}
	times, err := timeColumns(r.view, rel.columns)
	if err != nil {
		return nil, err
	}
	out = append(out, times...)
	for i, f := range r.record {
		x, err := column(f.Column, f.Type)
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%s AS f%d", x, i))
	}
	r.parts = append(r.parts, p)
	return out, nil
}

// newField finds a column and checks that it may be declared as a type.
func newField(rel relation, name string, to fstore.Type) (field, error) {
	have := rel.columns
	i := columnIndex(have, name)
	if i < 0 {
		return field{}, noColumn(have, name)
	}
	f := field{column: name, from: sqltype.Parse(have[i].Type), to: to}
	if rel.of != nil && rel.of[i].isNull(f.from, to) {
		f.from = sqltype.Null
	}
	if !f.from.Converts(to) {
		in := ""
		if rel.file != "" {
			in = " in " + rel.file
		}
		return field{}, fstore.Errorf(fstore.ErrInvalid, "column %s is %s%s, which cannot be declared %s", name, have[i].Type, in, to)
	}
	return f, nil
}

func noColumn(have []fstore.EngineColumn, name string) *fstore.Error {
	names := make([]string, 0, len(have))
	for _, c := range have {
		names = append(names, c.Name)
	}
	return fstore.Errorf(fstore.ErrInvalid, "there is no column %s", name).WithHint("%s", otherNames(name, names))
}

// timeColumns returns event and created.
func timeColumns(v *fstore.View, have []fstore.EngineColumn) ([]string, error) {
	if v.Static() {
		return []string{"make_timestamp(0) AS event", "make_timestamp(0) AS created"}, nil
	}
	event, err := timeColumn(have, v.Event)
	if err != nil {
		return nil, err
	}
	if v.Created == "" {
		return []string{event + " AS event", event + " AS created"}, nil
	}
	created, err := timeColumn(have, v.Created)
	if err != nil {
		return nil, err
	}
	return []string{event + " AS event", "coalesce(" + created + ", " + event + ") AS created"}, nil
}

func timeColumn(have []fstore.EngineColumn, name string) (string, error) {
	i := columnIndex(have, name)
	if i < 0 {
		return "", noColumn(have, name)
	}
	t := sqltype.Parse(have[i].Type)
	if !t.IsTime() {
		return "", fstore.Errorf(fstore.ErrInvalid, "column %s is %s, not a time", name, have[i].Type)
	}
	return roundedUp(ident(name), t), nil
}

// from returns the relations that a view reads: the parts of its source, or its query. For a query, from first makes the
// relations that the query names; their names begin with name. For a view that another view reads, these relations were
// made before, and are given in reads.
func (s *session) from(ctx context.Context, v *fstore.ViewVersion, view *fstore.View, c cut, name string, reads []fstore.Relation) ([]relation, error) {
	if view.Source != "" {
		src, err := s.source(ctx, v.Source(view.Source))
		if err != nil {
			return nil, err
		}
		wanted, err := src.named(taken(view)...)
		if err == nil {
			err = s.findEmpty(ctx, src, view)
		}
		if err != nil {
			return nil, err
		}
		return src.relations(c, wanted), nil
	}
	if view == &v.View {
		var err error
		if reads, err = s.inputs(ctx, v, c, name); err != nil {
			return nil, err
		}
	}
	if err := s.admit(ctx, view.SQL, reads); err != nil {
		return nil, invalid(err)
	}
	query := name + "_sql"
	if err := s.exec(ctx, "CREATE TEMP VIEW "+query+" AS\n"+view.SQL); err != nil {
		return nil, err
	}
	columns, err := s.describe(ctx, "SELECT *\nFROM "+query)
	if i := columnIndex(columns, view.Event); err == nil && i >= 0 && columns[i].Type == "DATE" && s.pinned == nil {
		err = unstatedDay(view.Available, view.Event, "")
	}
	return []relation{{from: query, columns: columns}}, err
}

// taken returns the columns that a view takes from its source, except event and created.
func taken(v *fstore.View) []string {
	var out []string
	for _, k := range v.Keys {
		out = append(out, k.Name)
	}
	for _, f := range v.Features {
		out = append(out, f.Column)
	}
	return out
}

// inputs makes the sources and upstream views of a version under their own names, and returns them.
func (s *session) inputs(ctx context.Context, v *fstore.ViewVersion, c cut, name string) (made []fstore.Relation, err error) {
	queries := []string{v.View.SQL}
	for _, up := range v.Views {
		queries = append(queries, up.SQL)
	}
	used, err := s.usageOf(ctx, slices.DeleteFunc(queries, func(sql string) bool { return sql == "" })...)
	if err != nil {
		return nil, err
	}
	add := func(name string) error {
		columns, err := s.describe(ctx, "SELECT *\nFROM "+ident(name))
		made = append(made, fstore.Relation{Name: name, Columns: columns})
		return err
	}
	for i := range v.Sources {
		if err := s.sourceView(ctx, &v.Sources[i], c, used); err != nil {
			return nil, err
		}
		if err := add(v.Sources[i].Name); err != nil {
			return nil, err
		}
	}
	for i := range v.Views {
		up := &v.Views[i]
		from, err := s.from(ctx, v, up, c, fmt.Sprintf("%s_%d", name, i), made)
		if err == nil {
			err = s.upstream(ctx, v, up, c, from)
		}
		if err == nil {
			err = add(up.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("view %s: %w", up.Name, err)
		}
	}
	return made, nil
}

// sourceView makes a relation of a source, under its own name, with the columns that are used.
func (s *session) sourceView(ctx context.Context, def *fstore.Source, c cut, used *usage) error {
	src, err := s.source(ctx, def)
	if err != nil {
		return err
	}
	columns, err := used.columns(src)
	if err != nil {
		return err
	}
	sql, err := s.sourceSQL(ctx, src, c, columns)
	if err != nil {
		return err
	}
	return s.createInput(ctx, def.Name, sql, c)
}

// upstream makes the relation of a view that SQL reads: keys, event and created under their declared names, and features
// by name in their declared types.
func (s *session) upstream(ctx context.Context, of *fstore.ViewVersion, v *fstore.View, c cut, from []relation) error {
	var queries []string
	var fields []field
	for _, rel := range from {
		q, converted, err := upstreamSQL(v, rel)
		if err != nil {
			return err
		}
		queries, fields = append(queries, q), converted
	}
	var src *source
	if v.Source != "" {
		var err error
		if src, err = s.source(ctx, of.Source(v.Source)); err != nil {
			return err
		}
	}
	s.convertsFields("view "+v.Name, src, c, v, from[0].from, fields)
	return s.createInput(ctx, v.Name, strings.Join(queries, "\nUNION ALL\n"), c)
}

func upstreamSQL(v *fstore.View, rel relation) (sql string, fields []field, err error) {
	var columns []string
	add := func(column, name string, to fstore.Type) error {
		f, err := newField(rel, column, to)
		fields = append(fields, f)
		columns = append(columns, f.sql("view "+v.Name)+" AS "+ident(name))
		return err
	}
	for _, k := range v.Keys {
		if err := add(k.Name, k.Name, k.Type); err != nil {
			return "", nil, err
		}
	}
	var where []string
	for _, name := range []string{v.Event, v.Created} {
		if name == "" {
			continue
		}
		x, err := timeColumn(rel.columns, name)
		if err != nil {
			return "", nil, err
		}
		columns = append(columns, x+" AS "+ident(name))
		if name == v.Event {
			where = append(where, ident(name)+" IS NOT NULL")
		}
	}
	for _, f := range v.Features {
		if err := add(f.Column, f.Name, f.Type); err != nil {
			return "", nil, err
		}
	}
	return "SELECT\n  " + list(columns) + "\nFROM " + rel.from + "\nWHERE " + and(where), fields, nil
}

// countNulls counts the rows that were left out because their event is null, for each source and for the view's query.
func (s *session) countNulls(ctx context.Context, r *rows, v *fstore.ViewVersion) error {
	for i := range v.Sources {
		src, err := s.source(ctx, &v.Sources[i])
		if err != nil {
			return err
		}
		n, err := s.dropped(ctx, src)
		if err != nil {
			return err
		}
		r.nulls = append(r.nulls, DroppedRows{"source " + src.def.Name, n})
	}
	if r.source != nil {
		return nil
	}
	b, err := s.query(ctx, "SELECT count(*)\nFROM "+r.name+"_all\nWHERE event IS NULL")
	if err != nil {
		return err
	}
	r.nulls = append(r.nulls, DroppedRows{"view " + r.ref.String(), b.Columns[0].Int64s[0]})
	return nil
}
