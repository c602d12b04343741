package offline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// places are the places of a query where a relation can be named.
var places = []string{
	"SELECT k, event, x FROM %s",
	"FROM lines, %s",
	"SELECT * FROM lines JOIN %s ON true",
	"SELECT * FROM lines LEFT JOIN LATERAL (FROM %s) ON true",
	"SELECT k, event, (SELECT count(*) FROM %s) AS x FROM lines",
	"SELECT * FROM lines WHERE EXISTS (FROM %s)",
	"SELECT * FROM lines WHERE k IN (SELECT 1 FROM %s)",
	"SELECT k FROM lines GROUP BY k HAVING count(*) > (SELECT count(*) FROM %s)",
	"SELECT k, row_number() OVER (PARTITION BY k ORDER BY (SELECT count(*) FROM %s), event) AS x FROM lines",
	"SELECT k FROM lines QUALIFY row_number() OVER (ORDER BY event) > (SELECT count(*) FROM %s)",
	"SELECT * FROM lines ORDER BY (SELECT count(*) FROM %s), k",
	"SELECT * FROM lines ORDER BY k LIMIT (SELECT count(*) FROM %s)",
	"SELECT k FROM lines UNION ALL SELECT 1 FROM %s",
	"SELECT k FROM lines EXCEPT SELECT 1 FROM %s",
	"WITH c AS (FROM %s) FROM c, lines",
	"WITH c AS MATERIALIZED (FROM %s) SELECT lines.* FROM lines, c",
	"WITH c AS (WITH d AS (FROM %s) FROM d) FROM c",
	"WITH RECURSIVE %[1]s AS (SELECT * FROM %[1]s UNION ALL SELECT * FROM %[1]s) SELECT count(*) FROM %[1]s",
	"WITH RECURSIVE r AS (SELECT 1 AS n FROM %s UNION ALL SELECT n + 1 FROM r WHERE n < 3) FROM r",
	"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, %s WHERE n < 3) FROM r",
	"SELECT CASE WHEN x > 0 THEN (SELECT count(*) FROM %s) END FROM lines",
	"FROM (VALUES ((SELECT count(*) FROM %s)))",
	"FROM (PIVOT (FROM %s) ON k IN (1) USING count(*))",
	"SELECT sum(x ORDER BY (SELECT count(*) FROM %s)) FILTER (WHERE x > 0) FROM lines",
}

// undeclared are relations that exist and are not declared: files, catalogs, settings, and fstore's own.
func undeclared(secret string) []string {
	out := []string{
		"duckdb_views", "duckdb_settings", "duckdb_settings()", "duckdb_tables()", "sqlite_master", "information_schema.tables", "pg_catalog.pg_class",
		"pragma_database_list", "pragma_version()", "pg_tables", "memory.information_schema.tables", "duckdb_temporary_files()", "duckdb_secrets()", "duckdb_logs()",
		"_rows_0", "_rows_0_all", "_rows_0_sql", "_labels", "_label_rows", "range(3)", "query('FROM duckdb_settings()')", "query_table('duckdb_settings')",
	}
	for _, ending := range []string{"csv", "csv.gz", "json", "ndjson", "parquet", "db", "txt", "tsv"} {
		out = append(out, ident(secret+"."+ending), `"."."`+secret+"."+ending+`"`)
	}
	for _, function := range []string{"read_csv", "read_json", "read_parquet", "read_text", "read_blob", "glob", "sniff_csv", "parquet_schema", "parquet_metadata", "read_duckdb"} {
		out = append(out, function+"("+text(secret+".csv")+")", function+"("+text(secret+"*")+")")
	}
	return out
}

// hostile returns the SQL of a view that reads something undeclared, at every place of a query.
func hostile(secret string) []string {
	var out []string
	for _, relation := range undeclared(secret) {
		for _, place := range places {
			out = append(out, fmt.Sprintf(place, relation))
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 { // a place within a place within a place
		relation := undeclared(secret)[random.IntN(len(undeclared(secret)))]
		for range 2 + random.IntN(2) {
			relation = "(" + fmt.Sprintf(places[random.IntN(len(places))], relation) + ")"
		}
		out = append(out, "SELECT * FROM lines, "+relation+" AS q")
	}
	for _, value := range []string{
		"now()", "current_date", "current_timestamp", "localtime", "MAIN.age(event)", "system.age(event)", "event.age()", "lines.event.age()", "random()", "uuid()",
		"current_schema", "current_schema()", "current_setting('threads')", "getenv('HOME')", "current_database()", "version()", "current_query()", "txid_current()", "nextval('s')",
		"list_aggregate([x], 'approx_count_distinct')", "in_search_path('a', 'b')", "pg_typeof(x) || current_schema", "list_transform([1], lambda e: random())",
	} {
		out = append(out, "SELECT k, event, "+value+" AS x FROM lines", "SELECT k, event, x FROM lines ORDER BY "+value,
			"SELECT k, event, x FROM lines WHERE ("+value+") IS NULL", "SELECT k, max("+value+") OVER (PARTITION BY k) AS x FROM lines")
	}
	return out
}

// canaries writes files that nothing may read, and returns how their paths begin.
func (r *repo) canaries() string {
	r.Helper()
	secret := filepath.Join(r.dir, "canary", "secret")
	if err := os.MkdirAll(filepath.Dir(secret), 0o755); err != nil {
		r.Fatal(err)
	}
	for _, ending := range []string{"csv", "csv.gz", "json", "ndjson", "db", "txt", "tsv"} {
		if err := os.WriteFile(secret+"."+ending, []byte("k,event,x\n1,2011-12-01,42\n"), 0o644); err != nil {
			r.Fatal(err)
		}
	}
	r.write("canary/secret.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | 42"))
	return secret
}

var lineColumns = []fstore.EngineColumn{{Name: "k", Type: "BIGINT"}, {Name: "event", Type: "TIMESTAMP"}, {Name: "x", Type: "BIGINT"}}

// The plan of users' SQL reads what is declared and nothing else, whatever the gate of the registry thinks of its text.
func TestPlansReadOnlyWhatIsDeclared(t *testing.T) {
	r := newRepo(t, 1)
	secret := r.canaries()
	opened := watchOpens(t, filepath.Dir(secret))
	inputs := []fstore.Relation{{Name: "lines", Columns: lineColumns}}
	for _, sql := range hostile(secret) {
		var wrong *fstore.SQLError
		if _, err := r.e.BindSQL(t.Context(), sql, inputs); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if files := opened(); len(files) > 0 {
		t.Errorf("opened %s", files)
	}
	for _, place := range places {
		if strings.HasPrefix(place, "WITH RECURSIVE %[1]s") {
			continue // it names a CTE like the relation
		}
		if _, err := r.e.BindSQL(t.Context(), fmt.Sprintf(place, "lines"), inputs); err != nil && !strings.Contains(err.Error(), "mbiguous") && !strings.Contains(err.Error(), "Duplicate alias") {
			t.Errorf("%s: %v", place, err)
		}
	}
}

// Neither a training set nor materialize runs SQL whose plan reads something else: nothing that was not declared is
// opened. The SQL comes to the engine as a lock or a registry has it.
func TestEnginesRunOnlyWhatIsDeclared(t *testing.T) {
	r := newRepo(t, 1)
	secret := r.canaries()
	r.write("lines.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | 7"))
	r.write("l.parquet", pad(values("k BIGINT | t TIMESTAMP", "1 | 2011-12-09")))
	src := source_("lines.parquet")
	src.Name = "lines"
	opened := watchOpens(t, filepath.Dir(secret))
	queries := hostile(secret)
	for i := 0; i < len(queries); i += 37 { // each is bound above
		sql := queries[i]
		v := query(sql, []string{"k int64"}, []string{"x int64"}, src)
		if _, err := r.asOf(v, day); err == nil {
			t.Errorf("materialize: %s", sql)
		}
		req := r.request("l.parquet", all(v))
		if _, err := r.e.TrainingSet(t.Context(), req); err == nil {
			t.Errorf("training set: %s", sql)
		}
		req = r.request("", all(query("SELECT * FROM lines", []string{"k int64"}, []string{"x int64"}, src)))
		req.Labels = Labels{SQL: sql, Sources: []fstore.Source{src}}
		if _, err := r.e.TrainingSet(t.Context(), req); err == nil {
			t.Errorf("labels: %s", sql)
		}
	}
	if files := opened(); len(files) > 0 {
		t.Errorf("opened %s", files)
	}
}

// A sealed database reads declared files only, even where nothing looked at the SQL, and keeps its settings.
func TestSealedDatabasesOpenOnlyDeclaredFiles(t *testing.T) {
	r := newRepo(t, 2)
	secret := r.canaries()
	name := "it's a, [1] day=2/x*.parquet"
	r.write(name, values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | 7"))
	if err := os.Symlink(filepath.Join(r.dir, name), filepath.Join(r.dir, "link.parquet")); err != nil {
		t.Fatal(err)
	}
	s, err := r.e.isolated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	out := filepath.Join(r.dir, "out, of 'it'")
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	declared := []string{filepath.Join(r.dir, name), filepath.Join(r.dir, "link.parquet")}
	if err := s.seal(t.Context(), declared, []string{out}); err != nil {
		t.Fatal(err)
	}
	opened := watchOpens(t, filepath.Dir(secret))
	for _, sql := range []string{
		"FROM " + readParquet(declared, false),
		"COPY (FROM " + readParquet(declared[:1], false, "filename = true") + ") TO " + text(filepath.Join(out, "o.parquet")) + " (FORMAT parquet)",
		"FROM " + readParquet([]string{filepath.Join(out, "o.parquet")}, false),
		"CREATE TEMP TABLE t AS SELECT i, md5(i::VARCHAR) AS m FROM range(100000) r(i) ORDER BY m",
	} {
		if err := s.exec(t.Context(), sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{
		"FROM " + ident(secret+".csv"), "FROM " + ident(secret+".parquet"), "FROM " + ident(secret+".json"), "FROM " + ident(secret+".db"),
		"FROM read_text(" + text(secret+".txt") + ")", "FROM glob(" + text(secret+"*") + ")", "FROM read_blob(" + text(filepath.Join(out, "../canary/secret.txt")) + ")",
		"COPY (SELECT 1) TO " + text(secret+".out"), "COPY t FROM " + text(secret+".csv"), "ATTACH " + text(secret+".db"), "EXPORT DATABASE " + text(filepath.Dir(secret)),
		"SET enable_external_access = true", "SET lock_configuration = false", "SET threads = 1", "SET allowed_paths = []", "SET memory_limit = '1TB'", "SET TimeZone = 'Asia/Tokyo'",
		"RESET allowed_directories", "PRAGMA threads = 3", "INSTALL httpfs", "LOAD httpfs",
	} {
		if err := s.exec(t.Context(), sql); err == nil {
			t.Errorf("%s went through", sql)
		}
	}
	if files := opened(); len(files) > 0 {
		t.Errorf("opened %s", files)
	}
}

// What users' SQL is bound with is gone afterwards, after an error and an interruption too.
func TestBindingLeavesNothingBehind(t *testing.T) {
	r := newRepo(t, 1)
	inputs := []fstore.Relation{{Name: "lines", Columns: lineColumns}}
	for _, sql := range []string{"FROM lines", "SELECT nothing FROM lines", "SELECT (", "FROM lines"} {
		_, _ = r.e.BindSQL(t.Context(), sql, inputs)
		if _, err := r.e.BindSQL(t.Context(), "FROM lines", nil); err == nil {
			t.Errorf("after %s there is a relation", sql)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Nanosecond)
	defer stop()
	if _, err := r.e.BindSQL(ctx, "FROM lines", inputs); err == nil {
		t.Error("bound without time")
	}
	if _, err := r.e.BindSQL(t.Context(), "FROM lines", inputs); err != nil {
		t.Error(err)
	}
}
