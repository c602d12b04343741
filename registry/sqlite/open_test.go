package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

func TestOpening(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	path := filepath.Join(dir, "deep", "a b?#%.db")
	db, err := openReadOnly(ctx, "sqlite://"+path)
	if err != nil {
		t.Fatal(err)
	}
	if p := plan(t, db, shop(t)); p.Empty() {
		t.Error("the plan for a registry that does not exist is empty")
	}
	db.Close()
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Error("a plan created the registry")
	}

	if db, err = openURL(ctx, "sqlite://"+path); err != nil {
		t.Fatal(err)
	}
	apply(t, db, shop(t))
	db.Close()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if db, err = openReadOnly(ctx, "sqlite://"+path); err != nil {
		t.Fatal(err)
	}
	if p := plan(t, db, shop(t)); !p.Empty() {
		t.Error(summary(p))
	}
	if _, err := db.Apply(ctx, plan(t, db, shop(t, "ttl: 90d", "ttl: 30d")), registry.CommitInfo{Now: epoch}); err == nil {
		t.Error("a registry opened for reading was written")
	}
	db.Close()

	if _, err := openURL(ctx, "postgres://x"); !errors.Is(err, fstore.ErrInvalid) {
		t.Error(err)
	}
}

// Several processes may come to a new registry at once.
func TestOpeningAtOnce(t *testing.T) {
	url := "sqlite://" + filepath.Join(t.TempDir(), "registry.db")
	d := shop(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			db, err := openURL(context.Background(), url)
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			project := fmt.Sprintf("project%d", i)
			p, err := db.Plan(context.Background(), project, d)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := db.Apply(context.Background(), p, registry.CommitInfo{Now: epoch}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// What is wrong with the file of a registry comes with what to do about it.
func TestABrokenRegistrySaysWhatToDo(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 999)), 0o644); err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut.db")
	db, err := openURL(ctx, "sqlite://"+cut)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, db, shop(t))
	db.Close()
	if err := os.Truncate(cut, 6000); err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]error{garbage: fstore.ErrInvalid, cut: fstore.ErrCorrupt} {
		db, err := openReadOnly(ctx, "sqlite://"+path)
		if err == nil {
			_, err = db.Plan(ctx, "shop", shop(t))
			db.Close()
		}
		var e *fstore.Error
		if !errors.Is(err, kind) || !errors.As(err, &e) || !strings.Contains(e.Hint, "backup") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A file that is not a registry, or one of a newer fstore, is refused with words that say so, by readers and writers,
// and stays as it is to the byte.
func TestFilesThatAreNoRegistry(t *testing.T) {
	ctx := context.Background()
	query := func(t *testing.T, path, statement string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	made := func(t *testing.T, path string) {
		t.Helper()
		db, err := openURL(ctx, "sqlite://"+path)
		if err != nil {
			t.Fatal(err)
		}
		apply(t, db, shop(t))
		db.Close()
	}
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		kind error
		want string
	}{
		{"another program's database", func(t *testing.T, path string) { query(t, path, "create table t (a)") }, fstore.ErrInvalid, "it is a database of something else"},
		{"another program's, of our version", func(t *testing.T, path string) { query(t, path, "create table projects (a); pragma user_version = 1") }, fstore.ErrInvalid, "it is a database of something else"},
		{"another program's, of a later version", func(t *testing.T, path string) { query(t, path, "create table t (a); pragma user_version = 12") }, fstore.ErrInvalid, "it is a database of something else"},
		{"an empty database of another program", func(t *testing.T, path string) { query(t, path, "pragma user_version = 3") }, fstore.ErrInvalid, "it is a database of something else"},
		{"a newer registry", func(t *testing.T, path string) {
			made(t, path)
			query(t, path, "pragma user_version = 99")
		}, fstore.ErrInvalid, "it has schema 99, this fstore knows 4 (use the newer fstore that wrote it)"},
		{"text", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o644); err != nil {
				t.Fatal(err)
			}
		}, fstore.ErrInvalid, "file is not a database"},
		{"cut off", func(t *testing.T, path string) {
			made(t, path)
			if err := os.Truncate(path, 6000); err != nil {
				t.Fatal(err)
			}
		}, fstore.ErrCorrupt, "malformed"},
		{"cut off early", func(t *testing.T, path string) {
			made(t, path)
			if err := os.Truncate(path, 50); err != nil {
				t.Fatal(err)
			}
		}, nil, "open registry "},
		{"a folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}, fstore.ErrInvalid, "it is a folder (registry: names a file of its own)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.db")
			c.make(t, path)
			before, _ := os.ReadFile(path) // of a folder nothing
			for how, open := range map[string]func(context.Context, string) (*registry.Store, error){"to write": openURL, "to read": openReadOnly} {
				db, err := open(ctx, "sqlite://"+path)
				if err == nil {
					db.Close()
					t.Fatalf("%s: it was opened", how)
				}
				if c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: got %v, want %v: %s", how, err, c.kind, c.want)
				}
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
			if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
				t.Errorf("beside it are %v, %v", left, err)
			}
		})
	}
	for _, beneath := range []string{"file/r.db", "file/deep/r.db"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := openURL(ctx, "sqlite://"+filepath.Join(dir, beneath)); !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("%s: got %v", beneath, err)
		}
	}
}
