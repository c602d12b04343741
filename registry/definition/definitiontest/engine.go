package definitiontest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/fstore-dev/fstore"

	_ "github.com/duckdb/duckdb-go/v2" // parses the SQL that definitions are checked with
)

// Engine is as much of DuckDB as definitions need. The test names its tables, which stand for files.
type Engine struct {
	DB    *sql.DB
	Files map[string][]fstore.EngineColumn // by path as written
}

var shared = sync.OnceValues(func() (*sql.DB, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.Exec(`create macro exact_sum(x) as sum(x::decimal(38, 9))::double; create macro exact_avg(x) as avg(x::decimal(38, 9))`)
	return db, err
})

// New returns an engine without files.
func New(t testing.TB) *Engine {
	t.Helper()
	db, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return &Engine{DB: db, Files: map[string][]fstore.EngineColumn{}}
}

var infinite = regexp.MustCompile(`"value":(-?Infinity)`)

func (e *Engine) ParseSQL(ctx context.Context, text string) ([]byte, error) {
	var tree []byte
	err := e.DB.QueryRowContext(ctx, "select json_serialize_sql(?::varchar)::varchar", text).Scan(&tree)
	return infinite.ReplaceAll(tree, []byte(`"value":"$1"`)), err
}

func (e *Engine) SourceColumns(_ context.Context, s *fstore.Source) ([]fstore.EngineColumn, error) {
	columns, ok := e.Files[s.Path]
	if !ok {
		return nil, fstore.Errorf(fstore.ErrNotFound, "no file matches %s", s.Path).WithHint("set the variable in it, or create the data")
	}
	return columns, nil
}

func (e *Engine) BindSQL(ctx context.Context, text string, inputs []fstore.Relation) ([]fstore.EngineColumn, error) {
	conn, err := e.empty(ctx, inputs)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	rows, err := conn.QueryContext(ctx, "describe "+text)
	if err != nil {
		return nil, &fstore.SQLError{Message: err.Error(), Offset: -1}
	}
	defer rows.Close()
	var out []fstore.EngineColumn
	for rows.Next() {
		var c fstore.EngineColumn
		var rest [4]sql.NullString
		if err := rows.Scan(&c.Name, &c.Type, &rest[0], &rest[1], &rest[2], &rest[3]); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

func (e *Engine) PlanSQL(ctx context.Context, text string, inputs []fstore.Relation) ([]fstore.EngineColumn, []byte, error) {
	out, err := e.BindSQL(ctx, text, inputs)
	if err != nil {
		return nil, nil, err
	}
	conn, err := e.empty(ctx, inputs)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	var plan []byte
	err = conn.QueryRowContext(ctx, "select json_serialize_plan(?::varchar)::varchar", text).Scan(&plan)
	if bytes.Contains(plan[:min(len(plan), 20)], []byte(`"error":true`)) {
		return nil, nil, &fstore.SQLError{Message: string(plan), Offset: -1}
	}
	return out, infinite.ReplaceAll(plan, []byte(`"value":"$1"`)), err
}

// empty returns a connection with an empty table for each input.
func (e *Engine) empty(ctx context.Context, inputs []fstore.Relation) (*sql.Conn, error) {
	conn, err := e.DB.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for _, in := range inputs {
		columns := make([]string, len(in.Columns))
		for i, c := range in.Columns {
			columns[i] = fmt.Sprintf("%q %s", c.Name, c.Type)
		}
		if _, err := conn.ExecContext(ctx, fmt.Sprintf("create or replace temp table %q (%s)", in.Name, strings.Join(columns, ", "))); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// HasNoValues returns false: every column of a test's tables has values.
func (e *Engine) HasNoValues(context.Context, *fstore.Source, string, string) (bool, error) {
	return false, nil
}

// ParseTables reads "path: column TYPE, column TYPE" lines.
func ParseTables(text string) map[string][]fstore.EngineColumn {
	files := map[string][]fstore.EngineColumn{}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		path, columns, found := strings.Cut(line, ": ")
		if !found {
			continue
		}
		for _, c := range strings.Split(columns, "; ") {
			name, typ, _ := strings.Cut(strings.TrimSpace(c), " ")
			files[path] = append(files[path], fstore.EngineColumn{Name: name, Type: typ})
		}
	}
	return files
}

// NoEngine has no files and parses no SQL.
type NoEngine struct{}

func (NoEngine) ParseSQL(context.Context, string) ([]byte, error) {
	return nil, &fstore.SQLError{Message: "no", Offset: 0}
}

func (NoEngine) SourceColumns(context.Context, *fstore.Source) ([]fstore.EngineColumn, error) {
	return nil, fstore.ErrNotFound
}

func (NoEngine) PlanSQL(context.Context, string, []fstore.Relation) ([]fstore.EngineColumn, []byte, error) {
	return nil, nil, fstore.ErrNotFound
}

func (NoEngine) HasNoValues(context.Context, *fstore.Source, string, string) (bool, error) {
	return false, nil
}
