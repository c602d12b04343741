package offline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
)

// infinite finds numbers too great for a DOUBLE, such as 1e400, which the engine writes in a way that is not JSON.
var infinite = regexp.MustCompile(`"value":(-?Infinity|NaN)\b`)

// ParseSQL returns the syntax tree of one SELECT statement, as DuckDB's json_serialize_sql writes it. Infinite numbers are
// strings in it. The error is an *fstore.SQLError.
func (e *Engine) ParseSQL(ctx context.Context, sql string) ([]byte, error) {
	var b *fstore.Batch
	err := e.bind(ctx, func(s *session) (err error) {
		b, err = s.query(ctx, "SELECT json_serialize_sql("+text(sql)+"::VARCHAR)::VARCHAR")
		return err
	})
	if err != nil {
		return nil, err
	}
	tree := infinite.ReplaceAllString(b.Columns[0].Strings[0], `"value":"$1"`)
	var answer struct {
		Error      bool              `json:"error"`
		Kind       string            `json:"error_type"`
		Message    string            `json:"error_message"`
		Position   string            `json:"position"`
		Statements []json.RawMessage `json:"statements"`
	}
	if err := json.Unmarshal([]byte(tree), &answer); err != nil {
		return nil, fmt.Errorf("read the tree of a statement: %w", err)
	}
	switch {
	case answer.Error && strings.HasPrefix(answer.Message, "Only SELECT"):
		return nil, &fstore.SQLError{Message: "only a SELECT statement can be a definition", Offset: 0}
	case answer.Error:
		at, err := strconv.Atoi(answer.Position)
		if err != nil {
			at = -1
		}
		return nil, &fstore.SQLError{Message: answer.Message, Offset: byteOffset(sql, at)}
	case len(answer.Statements) == 0:
		return nil, &fstore.SQLError{Message: "there is no statement", Offset: 0}
	case len(answer.Statements) > 1:
		return nil, &fstore.SQLError{Message: "there is more than one statement", Offset: firstPlace(answer.Statements[1])}
	}
	return []byte(tree), nil
}

var placeInTree = regexp.MustCompile(`"query_location":([0-9]{1,9})\b`)

// firstPlace returns the first offset in a statement's tree; -1 if nothing in it has one.
func firstPlace(tree []byte) int {
	if m := placeInTree.FindSubmatch(tree); m != nil {
		at, _ := strconv.Atoi(string(m[1]))
		return at
	}
	return -1
}

// SourceColumns returns the columns of a source as SQL sees them: renamed, with event and created as TIMESTAMP. It reads the
// footers of the files, and values only if they decide a type.
func (e *Engine) SourceColumns(ctx context.Context, def *fstore.Source) ([]fstore.EngineColumn, error) {
	s, err := e.session(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	src, err := s.source(ctx, def)
	if err != nil {
		return nil, err
	}
	out := make([]fstore.EngineColumn, 0, len(src.columns))
	for _, c := range src.columns {
		seen, err := s.sqlType(ctx, src, c)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", def.Name, err)
		}
		col := fstore.EngineColumn{Name: c.name, Type: seen.t.Text, Dates: c.dayFolder != "", Unreadable: c.unreadable, Untyped: seen.untyped}
		if seen.untyped != nil {
			col.Type = ""
		}
		if len(c.types) != 1 || c.types[0].Type != col.Type && !src.isTime(c) {
			col.Types = c.types
		}
		out = append(out, col)
	}
	return out, nil
}

// BindSQL returns the output columns of a query over relations, whose rows it does not need. The error is an
// *fstore.SQLError if the query is wrong, reads anything except the relations, or calls a function that is not on the list.
func (e *Engine) BindSQL(ctx context.Context, sql string, inputs []fstore.Relation) (out []fstore.EngineColumn, err error) {
	err = e.bind(ctx, func(s *session) (err error) {
		out, err = s.bindSQL(ctx, sql, inputs)
		return err
	})
	return out, err
}

func (s *session) bindSQL(ctx context.Context, sql string, inputs []fstore.Relation) ([]fstore.EngineColumn, error) {
	out, err := s.outputs(ctx, sql, inputs)
	if err != nil {
		return nil, err
	}
	plan, err := s.plan(ctx, sql, ", skip_null := true, skip_empty := true, skip_default := true")
	if err != nil {
		return nil, err
	}
	return out, checkPlan(plan, sql, inputs)
}

// outputs makes empty relations for inputs, and returns the output columns of a query over them.
func (s *session) outputs(ctx context.Context, sql string, inputs []fstore.Relation) ([]fstore.EngineColumn, error) {
	if err := s.empty(ctx, sql, inputs); err != nil {
		return nil, err
	}
	const prefix = "DESCRIBE "
	b, err := s.query(ctx, prefix+sql)
	if err != nil {
		return nil, sqlError(err, prefix, sql)
	}
	out := make([]fstore.EngineColumn, 0, b.Len)
	for i := range b.Len {
		out = append(out, fstore.EngineColumn{Name: b.Columns[0].Strings[i], Type: b.Columns[1].Strings[i]})
	}
	return out, nil
}

// PlanSQL is like BindSQL, and also returns the query's plan, bound and not optimized, as DuckDB's json_serialize_plan
// writes it.
func (e *Engine) PlanSQL(ctx context.Context, sql string, inputs []fstore.Relation) (out []fstore.EngineColumn, plan []byte, err error) {
	err = e.bind(ctx, func(s *session) (err error) {
		if out, err = s.outputs(ctx, sql, inputs); err != nil {
			return err
		}
		if plan, err = s.plan(ctx, sql, ""); err != nil {
			return err
		}
		if err = checkPlan(plan, sql, inputs); err != nil {
			return err
		}
		return s.convertConstants(ctx, plan, sql)
	})
	return out, plan, err
}

// plan returns the plan of a query as json_serialize_plan writes it with certain options. The error is an *fstore.SQLError
// if the query has no plan.
func (s *session) plan(ctx context.Context, sql, options string) ([]byte, error) {
	b, err := s.query(ctx, "SELECT json_serialize_plan("+text(sql)+"::VARCHAR"+options+")::VARCHAR")
	if err != nil {
		return nil, err
	}
	plan := infinite.ReplaceAll([]byte(b.Columns[0].Strings[0]), []byte(`"value":"$1"`))
	var answer struct {
		Error   bool   `json:"error"`
		Message string `json:"error_message"`
	}
	if err := json.Unmarshal(plan, &answer); err != nil {
		return nil, fmt.Errorf("read the plan of a query: %w", err)
	}
	if answer.Error {
		return nil, &fstore.SQLError{Message: answer.Message, Offset: -1}
	}
	return plan, nil
}

// empty makes empty relations with certain columns, for a query over them. It leaves out columns that cannot be read. If the
// query may use such a column, the query is wrong.
func (s *session) empty(ctx context.Context, sql string, inputs []fstore.Relation) error {
	for _, in := range inputs {
		if err := s.createEmpty(ctx, sql, in); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) createEmpty(ctx context.Context, sql string, in fstore.Relation) error {
	used := &usage{all: true, star: -1}
	if isPartlyReadable(in) {
		var err error
		if used, err = s.usageOf(ctx, sql); err != nil {
			return err
		}
	}
	columns := make([]string, 0, len(in.Columns))
	for _, c := range exactFirst(used, in.Columns, func(c fstore.EngineColumn) string { return c.Name }) {
		if wrong := cmp.Or(c.Unreadable, c.Untyped); wrong != nil && used.uses(c.Name) {
			return &fstore.SQLError{Message: "source " + in.Name + ": " + wrong.Message, Hint: wrong.Hint, Offset: used.place(c.Name)}
		}
	}
	for _, c := range in.Columns {
		if c.Unreadable == nil && c.Untyped == nil {
			columns = append(columns, ident(c.Name)+" "+c.Type)
		}
	}
	if len(columns) == 0 {
		columns = []string{ident("_") + " INTEGER"}
	}
	if err := s.exec(ctx, "CREATE TEMP TABLE "+ident(in.Name)+" (\n  "+list(columns)+"\n)"); err != nil {
		return fmt.Errorf("make an empty %s: %w", in.Name, err)
	}
	return nil
}

// isPartlyReadable reports whether some columns of a relation cannot be read.
func isPartlyReadable(r fstore.Relation) bool {
	return slices.ContainsFunc(r.Columns, func(c fstore.EngineColumn) bool { return c.Unreadable != nil || c.Untyped != nil })
}

// sqlError turns an error of the engine into one about a user's SQL, which came after a prefix.
func sqlError(err error, prefix, sql string) error {
	var e *duckdb.Error
	if !errors.As(err, &e) {
		return err
	}
	at := e.Offset - len(prefix)
	switch {
	case at < 0:
		at = -1
	case e.Type == "Parser":
		at = byteOffset(sql, at)
	}
	message := withoutAdvice(e.Message)
	switch e.Type {
	case "Parser", "Binder", "Catalog", "":
	default: // such as Invalid Input, whose messages say less
		message = strings.ToLower(e.Type) + ": " + message
	}
	return &fstore.SQLError{Message: message, Offset: at}
}

// byteOffset turns an offset in characters into one in bytes. DuckDB's parser counts characters, and its binder bytes.
func byteOffset(sql string, chars int) int {
	if chars < 0 {
		return -1
	}
	n := 0
	for i := range sql {
		if n == chars {
			return i
		}
		n++
	}
	return len(sql)
}
