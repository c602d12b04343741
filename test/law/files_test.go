package law

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/fstore-dev/fstore"
)

// Tables are written and read back by a DuckDB of the test's own, so that what reads a training set here is
// nothing that wrote it.

var duck = sync.OnceValue(func() *sql.DB {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		panic(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("SET TimeZone = 'UTC'; SET threads = 1"); err != nil {
		panic(err)
	}
	return db
})

var sqlTypes = map[fstore.Type]string{
	fstore.Bool: "BOOLEAN", fstore.Int32: "INTEGER", fstore.Int64: "BIGINT", fstore.Float32: "FLOAT",
	fstore.Float64: "DOUBLE", fstore.String: "VARCHAR", fstore.Bytes: "BLOB", fstore.Timestamp: "TIMESTAMP",
}

func sqlType(t fstore.Type) string {
	if t.IsList() {
		return sqlTypes[t.Elem()] + "[]"
	}
	return sqlTypes[t]
}

// writeTable writes rows to a Parquet file.
func writeTable(t testing.TB, path string, columns []fstore.Field, rows [][]any) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	var names, lines []string
	for _, c := range columns {
		names = append(names, `"`+c.Name+`"`)
	}
	for _, r := range rows {
		var cells []string
		for i, c := range columns {
			cells = append(cells, literal(c.Type, r[i]))
		}
		lines = append(lines, "("+strings.Join(cells, ", ")+")")
	}
	where := ""
	if len(rows) == 0 {
		var cells []string
		for _, c := range columns {
			cells = append(cells, literal(c.Type, nil))
		}
		lines, where = []string{"(" + strings.Join(cells, ", ") + ")"}, " WHERE false"
	}
	copyTo(t, path, "SELECT * FROM (VALUES "+strings.Join(lines, ",\n")+") t("+strings.Join(names, ", ")+")"+where)
}

// copyTo writes the result of a query to a Parquet file.
func copyTo(t testing.TB, path, query string) {
	t.Helper()
	if _, err := duck().Exec("COPY (" + query + ") TO '" + path + "' (FORMAT parquet)"); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
}

func literal(t fstore.Type, v any) string {
	if v == nil {
		return "NULL::" + sqlType(t)
	}
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("decode(unhex('%x'))", v)
	case []byte:
		return fmt.Sprintf("unhex('%x')", v)
	case float64:
		return "'" + strconv.FormatFloat(v, 'g', -1, 64) + "'::DOUBLE"
	case float32:
		return "'" + strconv.FormatFloat(float64(v), 'g', -1, 32) + "'::FLOAT"
	case []float32:
		var elems []string
		for _, f := range v {
			elems = append(elems, literal(fstore.Float32, f))
		}
		return "[" + strings.Join(elems, ", ") + "]::FLOAT[]"
	case int64:
		if t == fstore.Timestamp {
			return fmt.Sprintf("make_timestamp(%d::BIGINT)", v)
		}
	}
	return fmt.Sprintf("'%v'::%s", v, sqlType(t))
}

// readTable returns the rows of a query, values as drawn and parsed here: instants are int64 microseconds.
func readTable(t testing.TB, query string) (columns []string, out [][]any) {
	t.Helper()
	rows, err := duck().Query(query)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer rows.Close()
	columns, err = rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		cells, ptrs := make([]any, len(columns)), make([]any, len(columns))
		for i := range cells {
			ptrs[i] = &cells[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			t.Fatal(err)
		}
		for i := range cells {
			cells[i] = plain(cells[i])
		}
		out = append(out, cells)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return columns, out
}

// plain turns what a driver or a column returns into the Go types of drawn values.
func plain(v any) any {
	switch v := v.(type) {
	case time.Time:
		return fstore.Micros(v)
	case []any:
		list := []float32{}
		for _, e := range v {
			list = append(list, e.(float32))
		}
		return list
	}
	return v
}

// yamlView writes the definitions of a case: entity e, source or SQL over src, view v, service s.
func (c *testCase) yaml(path string) string {
	var b strings.Builder
	v := &c.view
	entities := "[]"
	if len(v.Keys) > 0 {
		entities = "[e]"
		b.WriteString("kind: entity\nname: e\njoin_keys:\n")
		for _, k := range v.Keys {
			fmt.Fprintf(&b, "  - {name: %s, type: %s}\n", k.Name, k.Type)
		}
		b.WriteString("---\n")
	}
	times := func(withAvailability bool) {
		if !v.Static() {
			b.WriteString("event_timestamp: event\n")
		}
		if v.Created != "" {
			b.WriteString("created_timestamp: created\n")
		}
		if withAvailability && !v.Static() {
			fmt.Fprintf(&b, "availability: %s\n", v.Available)
		}
	}
	fmt.Fprintf(&b, "kind: source\nname: src\npath: %s\n", path)
	if c.sql == "" {
		times(true)
	} else {
		b.WriteString("event_timestamp: event\n")
		if c.sourceHas("created") {
			b.WriteString("created_timestamp: created\n")
		}
	}
	fmt.Fprintf(&b, "---\nkind: feature_view\nname: v\nentities: %s\n", entities)
	if c.sql == "" {
		b.WriteString("source: src\n")
	} else {
		b.WriteString("sql: v.sql\n")
		times(false)
	}
	if v.TTL != nil {
		fmt.Fprintf(&b, "ttl: %s\n", v.TTL)
	}
	if p := v.Publish; p != nil {
		fmt.Fprintf(&b, "publish: {every: %s, offset: %s, delay: %s}\n", p.Every, p.Offset, p.Delay)
	}
	b.WriteString("features:\n")
	for i := range v.Features {
		f := &v.Features[i]
		fmt.Fprintf(&b, "  - {name: %s, type: %q", f.Name, f.Type)
		if f.Column != f.Name {
			fmt.Fprintf(&b, ", column: %s", f.Column)
		}
		if f.Default != nil {
			fmt.Fprintf(&b, ", default: %s", f.Default.AppendJSON(nil, 0))
		}
		b.WriteString("}\n")
	}
	b.WriteString("---\nkind: feature_service\nname: s\nfeatures: [v.*]\n")
	return b.String()
}

func (c *testCase) sourceHas(column string) bool {
	for _, f := range c.columns {
		if f.Name == column {
			return true
		}
	}
	return false
}
