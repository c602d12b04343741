package offline

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// A view's stamp is another one whenever its rows may be, for SQL over several sources, too.
func TestAViewsStampIsThatOfAllItsFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("rows/1.parquet", "one")
	write("rows/2.parquet", "two")
	write("fixed.parquet", "fixed")
	folder := "rows"
	e, err := Open(Options{Dir: dir, TempDir: t.TempDir(), Lookup: func(name string) (string, bool) { return folder, name == "ROWS" }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	v := &fstore.ViewVersion{Sources: []fstore.Source{{Name: "fixed", Path: "fixed.parquet"}, {Name: "rows", Path: "${ROWS}/*.parquet"}}}
	stamp := func(later time.Duration) string {
		t.Helper()
		s, err := e.session(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		return e.stampOf(s.sourceFilesOf(context.Background(), v, time.Now().Add(later)))
	}
	first := stamp(time.Hour)
	if first == "" || first != stamp(2*time.Hour) {
		t.Fatalf("the stamp of what nobody touched: %q, then %q", first, stamp(2*time.Hour))
	}
	if got := stamp(0); got != "" {
		t.Errorf("files were written just now: got %q", got)
	}
	seen := map[string]string{first: "at first"}
	for _, c := range []struct {
		name   string
		change func()
	}{
		{"a file more", func() { write("rows/3.parquet", "three") }},
		{"a file rewritten in place, its time put back", func() {
			path := filepath.Join(dir, "rows/1.parquet")
			was, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			write("rows/1.parquet", "eno")
			if err := os.Chtimes(path, was.ModTime(), was.ModTime()); err != nil {
				t.Fatal(err)
			}
		}},
		{"a file fewer", func() {
			if err := os.Remove(filepath.Join(dir, "rows/2.parquet")); err != nil {
				t.Fatal(err)
			}
		}},
		{"another name", func() {
			if err := os.Rename(filepath.Join(dir, "rows/3.parquet"), filepath.Join(dir, "rows/4.parquet")); err != nil {
				t.Fatal(err)
			}
		}},
		{"a file of the other source", func() { write("fixed.parquet", "another") }},
		{"another folder", func() { write("more/1.parquet", "more"); folder = "more" }},
		{"other threads", func() { e.opts.Threads = 3 }},
	} {
		c.change()
		got := stamp(time.Hour)
		if was, ok := seen[got]; ok || got == "" {
			t.Errorf("%s: the stamp is %q, as %s", c.name, got, was)
		}
		if changed, ok := Changes(first, got); !ok || len(changed) == 0 {
			t.Errorf("%s: of %q to %q, %q has changed", c.name, first, got, changed)
		}
		seen[got] = c.name
	}
	folder = "nowhere"
	if got := stamp(time.Hour); got != "" {
		t.Errorf("there are no files: got %q", got)
	}
}

// What differs between two stamps is named. Stamps of an older fstore tell nothing.
func TestWhatHasChangedBetweenTwoStamps(t *testing.T) {
	t.Parallel()
	const was = "duckdb:v1 threads:2 events=aa lines=bb"
	for _, c := range []struct {
		was, is string
		want    []string
		ok      bool
	}{
		{was, was, nil, true},
		{was, "duckdb:v1 threads:2 events=aa lines=cc", []string{"source lines"}, true},
		{was, "duckdb:v2 threads:3 events=cc lines=bb", []string{"the version of DuckDB", "the number of threads", "source events"}, true},
		{"duckdb:v1 threads:2", "duckdb:v1 threads:2", nil, true},
		{was, "", nil, false},
		{"", was, nil, false},
		{"", "", nil, false},
		{"9c1185a5c5e9fc54", "9c1185a5c5e9fc54", nil, false},
		{"9c1185a5c5e9fc54", was, nil, false},
		{was, "duckdb:v1 threads:2 events=aa", nil, false},
	} {
		if got, ok := Changes(c.was, c.is); ok != c.ok || !slices.Equal(got, c.want) {
			t.Errorf("from %q to %q: %q, %t", c.was, c.is, got, ok)
		}
	}
}
