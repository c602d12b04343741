package project

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/server/servedlog"
)

// A file of the log that is there twice counts once. Nobody can say which row was served if the two differ, or what its columns mean
// if it is of another registry: then nothing is joined, and the error names the file.
func TestOutcomesOfFilesThatDoNotAgree(t *testing.T) {
	t.Parallel()
	w := newOutcomesWorld(t, servedlog.PlainKeys, 13)
	var outcomes []keyOutcome
	for i := range w.served {
		if r := &w.served[i]; r.id >= 0 {
			outcomes = append(outcomes, keyOutcome{ID: &r.id, At: r.at, Churned: 1})
		}
	}
	w.write("labels.parquet", outcomes)
	files, err := filepath.Glob(filepath.Join(w.dir, "served", "*", "*", "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	db, err := duckdb.Open(duckdb.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	query := func(sql string) *fstore.Batch {
		t.Helper()
		rows, err := conn.Query(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		b, err := rows.Next()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	info := query("SELECT decode(value) FROM parquet_kv_metadata('" + files[0] + "') WHERE decode(key) = 'fstore'").Columns[0].Strings[0]
	copied := filepath.Join(filepath.Dir(files[0]), "20990101T000000Z-copy.parquet")
	for _, c := range []struct{ name, columns, info, message string }{
		{"copy", "*", info, ""},
		{"another value", "* REPLACE (n + 1 AS n)", info, " differs between "},
		{"another feature", "*", strings.Replace(info, `"bool"`, `"int32"`, 1), "the registry has other features or keys for service s@1"},
		{"another key", "*", strings.Replace(info, `"name":"id"`, `"name":"other"`, 1), "the registry has other features or keys for service s@1"},
	} {
		if changed := strings.HasPrefix(c.name, "another f") || strings.HasPrefix(c.name, "another k"); changed != (c.info != info) {
			t.Fatalf("%s: the metadata is %s", c.name, c.info)
		}
		query(fmt.Sprintf("COPY (SELECT %s FROM '%s') TO '%s' (FORMAT parquet, KV_METADATA {fstore: '%s'})", c.columns, files[0], copied, c.info))
		set, err := w.JoinOutcomes(t.Context(), OutcomesRequest{Labels: filepath.Join(w.dir, "labels.parquet"), Out: filepath.Join(w.dir, "set.parquet"), Replace: true})
		switch {
		case c.message == "":
			if err != nil || set.Served.Repeated == 0 || set.Served.Repeated != set.Served.Log-int64(len(w.served)) {
				t.Errorf("%s: %+v, %v", c.name, set, err)
			}
		case err == nil || !strings.Contains(err.Error(), c.message) || !strings.Contains(err.Error(), filepath.Base(copied)):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
