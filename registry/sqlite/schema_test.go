package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

// A registry of an older fstore opens, and has what it had; opened for reading it is not changed.
func TestARegistryOfSchema1(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "registry.db")
	db, err := openURL(ctx, "sqlite://"+path)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, db, shop(t))
	apply(t, db, shop(t, "ttl: 90d", "ttl: 30d"))
	want := revision(t, db)
	db.Close()
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	fresh := schemaText(t, raw)
	if _, err := raw.Exec("drop table model_aliases; drop table models; drop table idle; drop table publications; drop table expected; drop table checked; drop table monitored; drop table alerts; pragma user_version = 1"); err != nil {
		t.Fatal(err)
	}
	raw.Close()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	if db, err = openReadOnly(ctx, "sqlite://"+path); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want.Live(), revision(t, db).Live()); d != "" {
		t.Error(d)
	}
	if p := plan(t, db, shop(t)); p.Empty() {
		t.Error("no plan")
	}
	db.Close()
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Error("reading changed the file", err)
	}

	if db, err = openURL(ctx, "sqlite://"+path); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if d := cmp.Diff(want.Live(), revision(t, db).Live()); d != "" {
		t.Error(d)
	}
	list, err := revision(t, db).HeadService("churn")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.PinModel(ctx, "shop", registry.Pin{Model: fstore.ModelRef{Name: "fraud", Version: "1"}, List: list, Now: epoch}); err != nil {
		t.Error(err)
	}
	lives, err := db.Lives(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lives {
		if !l.Live && !l.Idle.IsZero() {
			t.Errorf("%s is idle since %s, which nobody can know", l.Ref, l.Idle)
		}
	}
	if err := db.NoteIdle(ctx, "shop", epoch); err != nil {
		t.Fatal(err)
	}
	if raw, err = sql.Open("sqlite", path); err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if d := cmp.Diff(fresh, schemaText(t, raw)); d != "" {
		t.Errorf("what an older registry becomes is not what a new one is:\n%s", d)
	}
}

func schemaText(t *testing.T, db *sql.DB) (out []string) {
	t.Helper()
	rows, err := db.Query("select coalesce(sql, name) from sqlite_schema order by name")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}
