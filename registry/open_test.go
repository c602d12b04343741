package registry_test

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
	db, err := registry.OpenReadOnly(ctx, "sqlite://"+path)
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

	if db, err = registry.Open(ctx, "sqlite://"+path); err != nil {
		t.Fatal(err)
	}
	apply(t, db, shop(t))
	db.Close()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if db, err = registry.OpenReadOnly(ctx, "sqlite://"+path); err != nil {
		t.Fatal(err)
	}
	if p := plan(t, db, shop(t)); !p.Empty() {
		t.Error(summary(p))
	}
	if _, err := db.Apply(ctx, plan(t, db, shop(t, "ttl: 90d", "ttl: 30d")), registry.CommitInfo{Now: epoch}); err == nil {
		t.Error("a registry opened for reading was written")
	}
	db.Close()

	foreign := filepath.Join(dir, "foreign.db")
	raw, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec("create table t (a); pragma user_version = 0"); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Open(ctx, "sqlite://"+foreign); !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "something else") {
		t.Error(err)
	}
	if _, err := raw.Exec("pragma user_version = 99"); err != nil {
		t.Fatal(err)
	}
	raw.Close()
	for _, f := range []func(context.Context, string) (*registry.DB, error){registry.Open, registry.OpenReadOnly} {
		if _, err := f(ctx, "sqlite://"+foreign); !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "newer fstore") {
			t.Error(err)
		}
	}
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Open(ctx, "sqlite://"+text); !errors.Is(err, fstore.ErrInvalid) {
		t.Error(err)
	}
	if _, err := registry.Open(ctx, "postgres://x"); !errors.Is(err, fstore.ErrInvalid) {
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
			db, err := registry.Open(context.Background(), url)
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
	db, err := registry.Open(ctx, "sqlite://"+cut)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, db, shop(t))
	db.Close()
	if err := os.Truncate(cut, 6000); err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]error{garbage: fstore.ErrInvalid, cut: fstore.ErrCorrupt} {
		db, err := registry.OpenReadOnly(ctx, "sqlite://"+path)
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
