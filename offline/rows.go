package offline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
)

// rows is the history of a view version as a relation of the session: k0, k1…, event, created, f0, f1…
// A null created is the event time in it; a static view's rows have the event of the epoch.
type rows struct {
	name   string // of the relation
	ref    fstore.ViewRef
	view   *fstore.View
	record []fstore.Feature // f0, f1…: the features in name order
	cut    cut              // what of the sources it was made from
	nulls  []DroppedRows    // rows left out

	fields []field // the columns that are converted
	source *source // of a view that takes a source's columns as they are
	sql    string  // else the relation that is its query
}

// rows makes the history of a view version. Rows of a query are computed once and kept; those of a source are
// read where they are needed.
func (s *session) rows(ctx context.Context, v *fstore.ViewVersion, c cut) (*rows, error) {
	r := &rows{ref: v.Ref, view: &v.View, record: v.View.Record(), cut: c, name: fmt.Sprintf("_rows_%d", s.tables)}
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
	}
	from, columns, err := s.from(ctx, v, &v.View, r.cut, r.name)
	if err != nil {
		return err
	}
	selected, err := r.columns(columns)
	if err != nil {
		return err
	}
	all, kind := r.name+"_all", "TABLE"
	if v.View.Source != "" {
		kind = "VIEW"
		if r.source, err = s.source(ctx, v.Source(v.View.Source)); err != nil {
			return err
		}
	} else {
		r.sql = from
	}
	if err := s.exec(ctx, "CREATE TEMP "+kind+" "+all+" AS\nSELECT\n  "+list(selected)+"\nFROM "+from); err != nil {
		return s.locate(ctx, []*rows{r}, err)
	}
	where := []string{"event IS NOT NULL"}
	if r.cut.known != nil && r.view.Created != "" {
		where = append(where, "created <= "+instant(*r.cut.known))
	}
	if err := s.exec(ctx, "CREATE TEMP VIEW "+r.name+" AS\nSELECT *\nFROM "+all+"\nWHERE "+and(where)); err != nil {
		return err
	}
	if r.cut.visible != nil { // training sets say what was dropped
		return nil
	}
	return s.countNulls(ctx, r, v)
}

// columns returns the columns of the history from those of the view's source or query.
func (r *rows) columns(have []fstore.EngineColumn) ([]string, error) {
	var out []string
	for i, k := range r.view.Keys {
		x, err := r.column(have, k.Name, k.Type)
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%s AS k%d", x, i))
	}
	times, err := timeColumns(r.view, have)
	if err != nil {
		return nil, err
	}
	out = append(out, times...)
	for i, f := range r.record {
		x, err := r.column(have, f.Column, f.Type)
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%s AS f%d", x, i))
	}
	return out, nil
}

// column converts a column to a declared type and remembers that it does.
func (r *rows) column(have []fstore.EngineColumn, name string, to fstore.Type) (string, error) {
	f, err := newField(have, name, to)
	if err != nil {
		return "", err
	}
	r.fields = append(r.fields, f)
	return f.sql("view " + r.ref.String()), nil
}

// newField finds a column and checks that it may be declared as a type.
func newField(have []fstore.EngineColumn, name string, to fstore.Type) (field, error) {
	i := columnIndex(have, name)
	if i < 0 {
		return field{}, fstore.Errorf(fstore.ErrInvalid, "there is no column %s", name).WithHint("the columns are %s", columnNames(have))
	}
	f := field{column: name, from: parseType(have[i].Type), to: to}
	if !f.from.converts(to) {
		return field{}, fstore.Errorf(fstore.ErrInvalid, "column %s is %s, which cannot be declared %s", name, have[i].Type, to)
	}
	return f, nil
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
		return "", fstore.Errorf(fstore.ErrInvalid, "there is no column %s", name).WithHint("the columns are %s", columnNames(have))
	}
	t := parseType(have[i].Type)
	if !t.isTime() {
		return "", fstore.Errorf(fstore.ErrInvalid, "column %s is %s, not a time", name, have[i].Type)
	}
	return roundedUp(ident(name), t), nil
}

// from returns the FROM item of what a view reads and its columns: the source, or the view's query, for which all
// that it names is made. The name begins the names of what is made.
func (s *session) from(ctx context.Context, v *fstore.ViewVersion, view *fstore.View, c cut, name string) (string, []fstore.EngineColumn, error) {
	if view.Source != "" {
		src, err := s.source(ctx, v.Source(view.Source))
		if err != nil {
			return "", nil, err
		}
		return "(\n" + src.sql(c) + "\n)", src.columns, nil
	}
	if view == &v.View {
		if err := s.inputs(ctx, v, c, name); err != nil {
			return "", nil, err
		}
	}
	query := name + "_sql"
	if err := s.exec(ctx, "CREATE TEMP VIEW "+query+" AS\n"+view.SQL); err != nil {
		return "", nil, err
	}
	columns, err := s.describe(ctx, "SELECT *\nFROM "+query)
	return query, columns, err
}

// inputs makes the sources and upstream views of a version under their own names.
func (s *session) inputs(ctx context.Context, v *fstore.ViewVersion, c cut, name string) error {
	for i := range v.Sources {
		if err := s.sourceView(ctx, &v.Sources[i], c); err != nil {
			return err
		}
	}
	for i := range v.Views {
		up := &v.Views[i]
		from, columns, err := s.from(ctx, v, up, c, fmt.Sprintf("%s_%d", name, i))
		if err == nil {
			err = s.upstream(ctx, up, from, columns)
		}
		if err != nil {
			return fmt.Errorf("view %s: %w", up.Name, err)
		}
	}
	return nil
}

func (s *session) sourceView(ctx context.Context, def *fstore.Source, c cut) error {
	src, err := s.source(ctx, def)
	if err != nil {
		return err
	}
	return s.exec(ctx, "CREATE OR REPLACE TEMP VIEW "+ident(def.Name)+" AS\n"+src.settled(c))
}

// settled returns the query that reads the source for SQL: max(), DISTINCT and whatever else keeps one of equal values
// would keep 0.0 or -0.0, and any NaN, so that there is one of each.
func (src *source) settled(c cut) string {
	var columns []string
	for _, col := range src.columns {
		x := ident(col.Name)
		if to, ok := map[string]fstore.Type{"DOUBLE": fstore.Float64, "FLOAT": fstore.Float32}[col.Type]; ok {
			columns = append(columns, canonical(x, to)+" AS "+x)
		}
	}
	if len(columns) == 0 {
		return src.sql(c)
	}
	return "SELECT * REPLACE (\n  " + list(columns) + "\n)\nFROM (\n" + src.sql(c) + "\n)"
}

// upstream makes the relation that SQL reads of a view: keys, event and created under their declared names,
// features by name and declared type.
func (s *session) upstream(ctx context.Context, v *fstore.View, from string, have []fstore.EngineColumn) error {
	var columns []string
	add := func(column, name string, to fstore.Type) error {
		f, err := newField(have, column, to)
		columns = append(columns, f.sql("view "+v.Name)+" AS "+ident(name))
		return err
	}
	for _, k := range v.Keys {
		if err := add(k.Name, k.Name, k.Type); err != nil {
			return err
		}
	}
	var where []string
	for _, name := range []string{v.Event, v.Created} {
		if name == "" {
			continue
		}
		x, err := timeColumn(have, name)
		if err != nil {
			return err
		}
		columns = append(columns, x+" AS "+ident(name))
		if name == v.Event {
			where = append(where, ident(name)+" IS NOT NULL")
		}
	}
	for _, f := range v.Features {
		if err := add(f.Column, f.Name, f.Type); err != nil {
			return err
		}
	}
	return s.exec(ctx, "CREATE OR REPLACE TEMP VIEW "+ident(v.Name)+" AS\nSELECT\n  "+list(columns)+"\nFROM "+from+"\nWHERE "+and(where))
}

// countNulls counts the rows left out because their event is null, of the sources and of the view's query.
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

// locate adds to the error of a value that does not fit where it is: the file and row of a source, or the key of
// a query's row.
func (s *session) locate(ctx context.Context, all []*rows, err error) error {
	var f *failure
	if !errors.As(err, &f) || !strings.HasPrefix(f.message, misfit) {
		return s.blame(ctx, err)
	}
	wrong := fstore.Errorf(fstore.ErrInvalid, "%s", f.message).WithHint("declare a type that holds it, or correct the data")
	for _, r := range all {
		prefix := misfit + "view " + r.ref.String() + ", column "
		for _, f := range r.fields {
			if f.unfit() == "" || !strings.HasPrefix(wrong.Message, prefix+f.column+": ") {
				continue
			}
			where, err := s.whereabouts(ctx, r, f)
			if err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
			wrong.Message += where
			return wrong
		}
	}
	return wrong
}

func (s *session) whereabouts(ctx context.Context, r *rows, f field) (string, error) {
	if r.source == nil {
		keys := []string{"''"}
		for _, k := range r.view.Keys {
			keys = append(keys, text(" "+k.Name+" ")+" || coalesce("+ident(k.Name)+"::VARCHAR, 'null')")
		}
		b, err := s.query(ctx, "SELECT "+strings.Join(keys, " || ")+"\nFROM "+r.sql+"\nWHERE "+f.unfit()+"\nLIMIT 1")
		if err != nil || b.Len == 0 {
			return "", err
		}
		return ", in the row of" + b.Columns[0].Strings[0], nil
	}
	raw := r.source.raw
	file, row := unused(raw, "_file"), rowNumber
	options := []string{"filename = " + text(file), rowNumber + " = true"}
	if named(raw, rowNumber) >= 0 { // then the engine cannot count them
		row, options = "-1", options[:1]
	}
	x := ident(raw[columnIndex(r.source.columns, f.column)].Name)
	f.column = "x"
	b, err := s.query(ctx, "SELECT file, (row + 1)::BIGINT\nFROM (\n  SELECT "+x+" AS x, "+ident(file)+" AS file, "+row+" AS row\n  FROM "+
		r.source.read(options...)+"\n)\nWHERE "+f.unfit()+"\nORDER BY ALL\nLIMIT 1")
	if err != nil || b.Len == 0 {
		return "", err
	}
	if row != rowNumber {
		return ", in " + b.Columns[0].Strings[0], nil
	}
	return fmt.Sprintf(", in %s row %d", b.Columns[0].Strings[0], b.Columns[1].Int64s[0]), nil
}
