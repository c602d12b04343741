package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/onlinetest"
	"github.com/fstore-dev/fstore/online/sqlite"
)

func open(t testing.TB) online.Backend {
	b, err := sqlite.Open(filepath.Join(t.TempDir(), "dir", "online ?#%.db"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) { onlinetest.Run(t, open) }

func BenchmarkBackend(b *testing.B) { onlinetest.Benchmark(b, open) }

var ctx = context.Background()

func at(t testing.TB, path string) *sqlite.Backend {
	t.Helper()
	b, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func put(k, v string) online.Commit {
	return online.Commit{Set: []online.KV{{Key: []byte(k), Value: []byte(v)}}}
}

func value(t testing.TB, b online.Backend, k string) string {
	t.Helper()
	records, _, err := b.Get(ctx, online.Read{Keys: [][]byte{[]byte(k)}})
	if err != nil {
		t.Fatal(err)
	}
	return string(records[0])
}

func TestReadingMakesNoFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	b := at(t, filepath.Join(dir, "online.db"))
	if got := value(t, b, "k"); got != "" {
		t.Errorf("got %q", got)
	}
	if err := b.Scan(ctx, nil, func([]byte) error { return errors.New("called") }); err != nil {
		t.Error(err)
	}
	if warnings, err := b.Check(ctx); err != nil || len(warnings) > 0 {
		t.Error(warnings, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
	if err := at(t, filepath.Join(dir, "online.db")).Commit(ctx, put("k", "v")); err != nil {
		t.Fatal(err)
	}
	if got := value(t, b, "k"); got != "v" {
		t.Errorf("a reader from before does not see the file: got %q", got)
	}
}

// Each backend has its own connections, as processes have.
func TestSeveralWritersTakeTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "online.db")
	const writers, each = 6, 20
	var all sync.WaitGroup
	for range writers {
		b := at(t, path)
		all.Go(func() {
			for n := 0; n < each; {
				records, _, err := b.Get(ctx, online.Read{Keys: [][]byte{[]byte("n")}})
				if err != nil {
					t.Error(err)
					return
				}
				count, _ := strconv.Atoi(string(records[0]))
				c := put("n", strconv.Itoa(count+1))
				c.Guards = []online.Guard{{Key: []byte("n"), Want: records[0]}}
				switch err := b.Commit(ctx, c); {
				case err == nil:
					n++
				case !errors.Is(err, fstore.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if got := value(t, at(t, path), "n"); got != strconv.Itoa(writers*each) {
		t.Errorf("got %s, want %d", got, writers*each)
	}
}

func TestADeletedOrReplacedFileIsNoticed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "online.db")
	b := at(t, path)
	if err := b.Commit(ctx, put("k", "1")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if got := value(t, b, "k"); got != "" {
		t.Errorf("got %q", got)
	}
	if err := at(t, path).Commit(ctx, put("k", "2")); err != nil {
		t.Fatal(err)
	}
	if got := value(t, b, "k"); got != "2" {
		t.Errorf("got %q", got)
	}
}

func TestWritersThatMakeTheFileTogetherAllWrite(t *testing.T) {
	for range 10 {
		path := filepath.Join(t.TempDir(), "dir", "online.db")
		var all sync.WaitGroup
		for n := range 8 {
			b := at(t, path)
			all.Go(func() {
				if err := b.Commit(ctx, put(strconv.Itoa(n), "v")); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		b := at(t, path)
		for n := range 8 {
			if got := value(t, b, strconv.Itoa(n)); got != "v" {
				t.Errorf("what writer %d wrote is not there: %q", n, got)
			}
		}
	}
}

func TestARestoredCopyIsAsGoodAsTheFileWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "online.db")
	if err := at(t, path).Commit(ctx, put("k", "v")); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	backup := path + ".backup"
	if _, err := db.Exec("vacuum into ?", backup); err != nil {
		t.Fatal(err)
	}
	b := at(t, backup)
	if got := value(t, b, "k"); got != "v" {
		t.Errorf("got %q", got)
	}
	if err := b.Commit(ctx, put("k", "w")); err != nil {
		t.Fatal(err)
	}
	var mode string
	restored, err := sql.Open("sqlite", backup)
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	if err := restored.QueryRow("pragma journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %s: readers and the writer would wait for each other: %v", mode, err)
	}
}

func TestFilesThatAreNoStoreAreRefusedAndLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		sql  string
		kind error
		says string
	}{
		"another program's": {"create table t (x)", fstore.ErrInvalid, "another program"},
		"a later format":    {"create table kv (x); pragma application_id = 1718842482; pragma user_version = 99", fstore.ErrInvalid, "use a newer fstore"},
		"no database":       {"", fstore.ErrCorrupt, "remove the file and run fstore materialize, which fills it again; otherwise online: names a file of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "online.db")
			if c.sql == "" {
				if err := os.WriteFile(path, bytes.Repeat([]byte("text "), 1000), 0o666); err != nil {
					t.Fatal(err)
				}
			} else {
				db, err := sql.Open("sqlite", path)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.Exec(c.sql); err != nil {
					t.Fatal(err)
				}
				db.Close()
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b := at(t, path)
			_, _, get := b.Get(ctx, online.Read{Keys: [][]byte{[]byte("k")}})
			_, check := b.Check(ctx)
			for _, err := range []error{get, check, b.Commit(ctx, put("k", "v"))} {
				if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
					t.Errorf("got %v", err)
				}
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestAnEmptyPathIsInvalid(t *testing.T) {
	if _, err := sqlite.Open(""); !errors.Is(err, fstore.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestAFileBeneathAnotherFileIsInvalid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := at(t, filepath.Join(file, "online.db")).Commit(ctx, put("k", "v")); !errors.Is(err, fstore.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// A file that another process holds for itself alone costs each caller its own deadline, not those before it too.
func TestAFileHeldByAnotherCostsADeadline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "online.db")
	b := at(t, path)
	if err := b.Commit(ctx, put("k", "1")); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", path+"?_pragma=locking_mode(exclusive)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	tx, err := raw.Begin()
	if err != nil {
		t.Fatal(err)
	}
	b = at(t, path)
	begin := time.Now()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			if _, _, err := b.Get(short, online.Read{Keys: [][]byte{[]byte("k")}}); !errors.Is(err, fstore.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("20 calls with a deadline of 0.2 s at once took %s", took)
	}
	if err := errors.Join(tx.Rollback(), raw.Close()); err != nil {
		t.Fatal(err)
	}
	if got := value(t, b, "k"); got != "1" {
		t.Errorf("got %q", got)
	}
}

// While the file is replaced again and again, each reader finds the one or the other, and no error.
func TestReadersOfAFileThatIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "online.db")
	var files [2][]byte
	for i := range files {
		one := filepath.Join(dir, strconv.Itoa(i))
		b := at(t, one)
		if err := b.Commit(ctx, put("k", strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(one); err != nil {
			t.Fatal(err)
		}
	}
	replace := func(i int) {
		if err := errors.Join(os.WriteFile(path+".new", files[i%2], 0o644), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	replace(0)
	b := at(t, path)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				records, _, err := b.Get(ctx, online.Read{Keys: [][]byte{[]byte("k")}})
				if got := string(records[0]); err != nil || got != "0" && got != "1" {
					t.Errorf("got %q, %v", got, err)
					return
				}
			}
		})
	}
	for i := range 100 {
		replace(i)
		time.Sleep(time.Millisecond) // so that there are readers of each
	}
	close(stop)
	all.Wait()
}
