package offline

import (
	"context"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// part is a group of a source's files that one read_parquet reads, because the wanted columns have the same types in all of
// them. Most sources have one part.
type part struct {
	files       []string
	partitioned bool
	values      []string       // the expressions of the wanted columns
	types       []sqltype.Type // and their types
}

// read returns the FROM item of the files.
func (p *part) read(options ...string) string { return readParquet(p.files, p.partitioned, options...) }

// parts returns how the wanted columns are read, in the order of the parts' first files.
func (src *source) parts(wanted []*sourceColumn) []*part {
	var out []*part
	known := map[string]*part{}
	ofShape := map[*shape]string{}
	for i, file := range src.files {
		sh := src.shapes[i]
		if _, ok := ofShape[sh]; !ok {
			ofShape[sh] = shapeKey(sh, wanted)
		}
		p := &part{}
		folders := src.folderReads(i, wanted, p)
		key := ofShape[sh] + "\x00" + strings.Join(folders, "\x00")
		if same := known[key]; same != nil {
			same.files = append(same.files, file)
			continue
		}
		p.files = []string{file}
		for k, c := range wanted {
			value, t := ident(c.file), sqltype.Folder
			if c.folder {
				value = folders[k]
			} else {
				t = sh.types[c.file]
			}
			if value == "" || t.Text == "" || src.isTime(c) && c.isNull(t, fstore.Timestamp) { // the file lacks the column, or values in it
				value, t = "NULL", sqltype.Null
			}
			p.values, p.types = append(p.values, value), append(p.types, t)
		}
		known[key], out = p, append(out, p)
	}
	return out
}

// shapeKey is the same for shapes that are read in the same way.
func shapeKey(sh *shape, wanted []*sourceColumn) string {
	var b strings.Builder
	for _, c := range wanted {
		b.WriteString(sh.types[c.file].Text)
		b.WriteByte(0)
	}
	return b.String()
}

// folderReads returns the expressions of the wanted columns that come from the folders of a file: the engine's column, or
// the value itself if the engine would misread it. It is empty for other columns, and if the folders lack the column.
func (src *source) folderReads(i int, wanted []*sourceColumn, p *part) []string {
	if !src.partitioned {
		return nil
	}
	out := make([]string, len(wanted))
	hidden := src.hiddenByFolders(src.files[i], wanted)
	for k, c := range wanted {
		for _, v := range src.folders[i] {
			switch {
			case !c.folder || v.name != c.file:
			case v.misread():
				out[k] = text(v.text())
			case hidden && v.isNull():
				out[k] = "NULL::VARCHAR"
			case hidden:
				out[k] = text(v.text())
			default:
				out[k], p.partitioned = ident(c.file), true
			}
		}
	}
	return out
}

// hiddenByFolders reports whether a folder above the file, even above the repo, has the name of a wanted column. The engine
// would then read the folder's value instead of the file's.
func (src *source) hiddenByFolders(file string, wanted []*sourceColumn) bool {
	for _, dir := range strings.Split(file, "/") {
		name, _, ok := strings.Cut(dir, "=")
		if !ok {
			continue
		}
		for _, c := range wanted {
			if !c.folder && strings.EqualFold(c.file, name) {
				return true
			}
		}
	}
	return false
}

// relation is a FROM item and its columns.
type relation struct {
	from    string
	columns []fstore.EngineColumn
	of      []*sourceColumn // the source's columns; nil: the relation is a query
	file    string          // its first file, if other files of the source have other types
}

// relations returns the rows of the source, part by part, in the files' types. Columns are renamed, and event and created
// are in microseconds UTC. Rows whose event is null, and rows that the cut hides, are left out.
func (src *source) relations(c cut, wanted []*sourceColumn) []relation {
	var out []relation
	parts := src.parts(wanted)
	for _, p := range parts {
		r := relation{of: wanted}
		if len(parts) > 1 {
			r.file = p.files[0]
		}
		selected := make([]string, 0, len(wanted))
		for k, col := range wanted {
			x, t := p.values[k], p.types[k].Text
			if src.isTime(col) {
				x, t = roundedUp(x, p.types[k]), "TIMESTAMP"
			}
			if as := ident(col.name); as != x {
				x += " AS " + as
			}
			selected, r.columns = append(selected, x), append(r.columns, fstore.EngineColumn{Name: col.name, Type: t})
		}
		if len(selected) == 0 { // only the number of rows counts
			selected = []string{"NULL AS " + ident("_")}
		}
		q := "SELECT\n  " + list(selected) + "\nFROM " + p.read()
		if !src.def.Static() {
			event := ident(src.def.Event)
			where := append([]string{event + " IS NOT NULL"}, c.conditions(event, createdOr(src.def.Created, event), src.def.Available)...)
			q = "SELECT *\nFROM (\n" + q + "\n)\nWHERE " + and(where)
		}
		r.from = "(\n" + q + "\n)"
		out = append(out, r)
	}
	return out
}

// createdOr returns the created time of a row, or its event time if that is null.
func createdOr(column, event string) string {
	if column == "" {
		return event
	}
	return "coalesce(" + ident(column) + ", " + event + ")"
}

// conditions returns the conditions under which the cut shows a row with an event and a created time.
func (c cut) conditions(event, created string, a fstore.Available) []string {
	var out []string
	if c.visible != nil {
		out = append(out, event+" <= "+instant(*c.visible))
		if at := available(event, created, a); at != event {
			out = append(out, at+" <= "+instant(*c.visible))
		}
	}
	if c.known != nil && created != event {
		out = append(out, created+" <= "+instant(*c.known))
	}
	return out
}

// available returns when a row becomes available. A null created has been replaced by the event.
func available(event, created string, a fstore.Available) string {
	switch {
	case a.Created:
		return created
	case a.Lag == 0:
		return event
	}
	return event + " + " + interval(a.Lag)
}

// dropped counts the rows that are left out because their event is null.
func (s *session) dropped(ctx context.Context, src *source) (int64, error) {
	if src.def.Static() {
		return 0, nil
	}
	event, err := src.named(src.def.Event)
	if err != nil {
		return 0, err
	}
	event = event[:1:1]
	var counts []string
	for _, p := range src.parts(event) {
		counts = append(counts, "SELECT count(*) AS n\nFROM "+p.read()+"\nWHERE "+p.values[0]+" IS NULL")
	}
	b, err := s.query(ctx, "SELECT sum(n)::BIGINT\nFROM (\n"+strings.Join(counts, "\nUNION ALL\n")+"\n)")
	if err != nil {
		return 0, err
	}
	return b.Columns[0].Int64s[0], nil
}

// sqlColumn is a column as SQL sees it.
type sqlColumn struct {
	t       sqltype.Type
	nulls   map[string]bool // types in which the files hold no value: the column is null there
	untyped *fstore.Error   // why there is no type; nil if there is one
}

// sqlType finds the type in which SQL sees a column. It reads values only if they decide the type (see common).
func (s *session) sqlType(ctx context.Context, src *source, c *sourceColumn) (*sqlColumn, error) {
	if c.sql != nil {
		return c.sql, nil
	}
	found := &sqlColumn{}
	t, ok, err := s.commonType(ctx, src, c, nil)
	if err == nil && !ok {
		found.nulls = map[string]bool{}
		for _, t := range c.types {
			if found.nulls[t.Type], err = s.isEmpty(ctx, src, c, sqltype.Parse(t.Type)); err != nil {
				return nil, err
			}
		}
		t, ok, err = s.commonType(ctx, src, c, found.nulls)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case src.isTime(c):
		t, ok = sqltype.Parse("TIMESTAMP"), true
	case t.Is(sqltype.Null):
		t = sqltype.Parse("INTEGER") // like the engine
	case t.Is(sqltype.Folder):
		t = sqltype.Parse("VARCHAR")
	}
	found.t = t
	if !ok {
		a, b := unlike(c.types)
		found.untyped = fstore.Errorf(fstore.ErrInvalid, "column %s is %s in %s but %s in %s, and no type holds the values of both", c.name, a.Type, a.File, b.Type, b.File).
			WithHint("write the files with one type")
	}
	c.sql = found
	return found, nil
}

// commonType returns the smallest type that holds every value of a column, ignoring types in which the files hold no value;
// false if there is none.
func (s *session) commonType(ctx context.Context, src *source, c *sourceColumn, nulls map[string]bool) (sqltype.Type, bool, error) {
	var types []sqltype.Type
	for _, t := range c.types {
		if !nulls[t.Type] {
			types = append(types, sqltype.Parse(t.Type))
		}
	}
	whole := false
	if undecided(types) {
		var err error
		if whole, err = s.allWhole(ctx, src, c); err != nil {
			return sqltype.Null, false, err
		}
	}
	t, ok := common(types, whole)
	return t, ok, nil
}

// unlike returns two types without a common type; the first two if all pairs have one.
func unlike(types []fstore.ColumnType) (a, b fstore.ColumnType) {
	for i, b := range types {
		for _, a := range types[:i] {
			if _, ok := least(sqltype.Parse(a.Type), sqltype.Parse(b.Type)); !ok {
				return a, b
			}
		}
	}
	return types[0], types[1]
}

// allWhole reports whether all floats in a column are whole numbers.
func (s *session) allWhole(ctx context.Context, src *source, c *sourceColumn) (bool, error) {
	for _, p := range src.parts([]*sourceColumn{c}) {
		if p.types[0].Mantissa == 0 {
			continue
		}
		x := p.values[0]
		b, err := s.query(ctx, "SELECT 1\nFROM "+p.read()+"\nWHERE "+x+" IS NOT NULL AND ("+isWhole(x)+") IS NOT TRUE\nLIMIT 1")
		if err != nil || b.Len > 0 {
			return false, err
		}
	}
	return true, nil
}

// sourceSQL returns the query that reads a source as SQL sees it.
func (s *session) sourceSQL(ctx context.Context, src *source, c cut, wanted []*sourceColumn) (string, error) {
	to := make([]sqltype.Type, len(wanted))
	for k, col := range wanted {
		seen, err := s.sqlType(ctx, src, col)
		if err == nil && seen.untyped != nil {
			err = seen.untyped
		}
		if err != nil {
			return "", fmt.Errorf("source %s: %w", src.def.Name, err)
		}
		to[k] = seen.t
	}
	at := site{relation: "source " + src.def.Name, source: src, cut: c, hint: "correct the data, or write the files with one type"}
	for k, col := range wanted {
		at.columns = append(at.columns, widened{column: col.name, to: to[k]}.converted())
	}
	s.sites = append(s.sites, at)
	var queries []string
	for _, r := range src.relations(c, wanted) {
		columns, same := make([]string, len(wanted)), true
		for k := range wanted {
			w := widened{r.columns[k].Name, sqltype.Parse(r.columns[k].Type), to[k]}
			if wanted[k].sql.nulls[w.from.Text] {
				w.from = sqltype.Null
			}
			columns[k], same = w.sql("source "+src.def.Name), same && w.from.Is(w.to)
		}
		if same {
			columns = []string{"*"}
		}
		queries = append(queries, "SELECT\n  "+list(columns)+"\nFROM "+r.from)
	}
	return oneZero(strings.Join(queries, "\nUNION ALL\n"), wanted, to), nil
}

// oneZero returns a query in whose floats there is one zero and one NaN. Otherwise max(), DISTINCT and others, which keep
// one of equal values, would keep either 0.0 or -0.0.
func oneZero(query string, columns []*sourceColumn, types []sqltype.Type) string {
	var floats []string
	for i, c := range columns {
		if to, ok := map[string]fstore.Type{"DOUBLE": fstore.Float64, "FLOAT": fstore.Float32}[types[i].Name]; ok {
			floats = append(floats, canonical(ident(c.name), to)+" AS "+ident(c.name))
		}
	}
	if len(floats) == 0 {
		return query
	}
	return "SELECT * REPLACE (\n  " + list(floats) + "\n)\nFROM (\n" + query + "\n)"
}

// widened is a column that is read as the type in which SQL sees it.
type widened struct {
	column   string
	from, to sqltype.Type
}

// sql returns the converted column. If a value does not fit, the query fails with a message that begins with misfit.
func (w widened) sql(relation string) string {
	x := ident(w.column)
	c := widen(x, w.from, w.to)
	if c.fits == "" {
		if c.cast == x {
			return x
		}
		return c.cast + " AS " + x
	}
	complaint := fmt.Sprintf("error(%s || %s::VARCHAR || %s)", text(misfit+relation+", column "+w.column+": "), x, text(" is not "+w.expected()))
	return fmt.Sprintf("CASE WHEN %s IS NULL OR %s THEN %s ELSE %s END AS %s", x, c.fits, c.cast, complaint, x)
}

// expected says what the values should be.
func (w widened) expected() string {
	return withArticle(w.to.Text) + ", as which SQL reads the column"
}

// unfit returns the condition under which sql complains; empty if it never does.
func (w widened) unfit(x string) string {
	if c := widen(x, w.from, w.to); c.fits != "" {
		return fmt.Sprintf("%s IS NOT NULL AND (%s) IS NOT TRUE", x, c.fits)
	}
	return ""
}
