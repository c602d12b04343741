package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// The commands of the scripts about bad input, testdata/script/bad_*.txtar.

// writeParquet FILE QUERY writes the rows of a query to a Parquet file.
func writeParquet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: parquet FILE QUERY")
	}
	db, err := duckdb.Open(duckdb.Config{Threads: 1})
	ts.Check(err)
	defer db.Close()
	conn, err := db.Connect(context.Background())
	ts.Check(err)
	defer conn.Close()
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	query := strings.ReplaceAll(args[1], "$WORK", ts.Getenv("WORK"))
	ts.Check(conn.Exec(context.Background(), "COPY ("+query+") TO '"+path+"' (FORMAT parquet)"))
}

// writeBytes FILE TEXT writes a text in which \x.. and \n stand for bytes.
func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bytes FILE TEXT")
	}
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// toSQLite FILE SQL runs statements on a SQLite database, which is made where there is none, and leaves it without a log
// beside it.
func toSQLite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sqlite FILE SQL")
	}
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	for _, statements := range []string{"pragma journal_mode = delete", args[1]} {
		_, err = db.Exec(statements)
		ts.Check(err)
	}
}

type keptKey struct{}

// keep PATH… remembers files and folders to the byte; kept says that they are what they were, with nothing beside them.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: keep PATH…")
	}
	held, _ := ts.Value(keptKey{}).(*kept)
	held.paths, held.content = args, content(ts, args)
}

func checkKept(ts *testscript.TestScript, neg bool, args []string) {
	held, _ := ts.Value(keptKey{}).(*kept)
	if neg || len(args) > 0 || held.paths == nil {
		ts.Fatalf("usage: kept, behind keep PATH…")
	}
	if d := cmp.Diff(held.content, content(ts, held.paths)); d != "" {
		ts.Fatalf("changed (-was +is)\n%s", d)
	}
}

type kept struct {
	paths   []string
	content map[string]string
}

// content returns what there is at paths: of a file its digest, of anything else what it is. The cache of digests does not
// count: whatever reads files fills it, and a command that fails later does, too.
func content(ts *testscript.TestScript, paths []string) map[string]string {
	out := map[string]string{}
	for _, p := range paths {
		if _, err := os.Lstat(ts.MkAbs(p)); err != nil {
			out[p] = "nothing"
			continue
		}
		ts.Check(filepath.WalkDir(ts.MkAbs(p), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if e.Name() == "digests.json" || e.IsDir() && e.Name() == "state" {
				return nil
			}
			out[path] = e.Type().String()
			if e.Type().IsRegular() {
				text, err := os.ReadFile(path)
				out[path] = fmt.Sprintf("%d bytes %x", len(text), sha256.Sum256(text))
				return err
			}
			return nil
		}))
	}
	return out
}
