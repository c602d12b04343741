package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// A lock comes from anywhere, and its SQL is run: it passes the gate of definitions or is refused. One that another
// build has made gives the same content, and says so where the bytes are others.
func TestLocksOfOthers(t *testing.T) {
	sh := newRepo(t, "apply --yes", "training-set create churn --service churn --labels data/labels.parquet --out churn.parquet",
		"training-set create by_query --features 'customer_profile.*' --out by_query.parquet --labels-sql 'select customer_id, invoice_date as event_timestamp from lines where customer_id is not null order by quantity limit 100'")
	repo := filepath.Join(sh.dir, "shop")
	if _, err := os.Stat(repo); err != nil {
		repo = sh.dir
	}
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("a\n1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, of string
		edit     func(*lock.Lock)
		status   int
		want     string
	}{
		{"a file in a view", "churn", func(l *lock.Lock) {
			view(l, "customer_orders").View.SQL = "select 1 as customer_id, now() as invoice_date, now() as loaded_at, a::double as order_value, 1 as order_lines from read_csv('" + secret + "')"
		}, statusFailed, "read_csv() "},
		{"a file behind a view", "churn", func(l *lock.Lock) {
			v := view(l, "customer_large_orders")
			v.Views[0].SQL = "select * from '" + secret + "'"
		}, statusFailed, "is a file"},
		{"a file in labels", "by_query", func(l *lock.Lock) { l.Labels.SQL = "select a as customer_id from '" + secret + "'" }, statusFailed, "is a file"},
		{"no query", "by_query", func(l *lock.Lock) { l.Labels.SQL = "drop table lines" }, statusFailed, "the labels: "},
		{"several statements", "by_query", func(l *lock.Lock) { l.Labels.SQL += "; copy lines to '" + secret + "'" }, statusFailed, "the labels: "},
		{"another build", "churn", func(l *lock.Lock) { l.Build.DuckDB, l.Output.SHA256 = "v1.4.0", strings.Repeat("0", 64) }, statusDone, "content; other bytes, made by"},
		{"another setting", "churn", func(l *lock.Lock) { l.Settings[1].Value = "Europe/Paris" }, statusDone, "TimeZone: Europe/Paris then, UTC now"},
		{"as it is", "by_query", func(*lock.Lock) {}, statusDone, "content and bytes"},
	} {
		text, err := os.ReadFile(filepath.Join(repo, c.of+".lock.json"))
		if err != nil {
			t.Fatal(err)
		}
		l, err := lock.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		c.edit(l)
		if text, err = lock.Encode(l); err != nil {
			t.Fatal(err)
		}
		path, out := filepath.Join(t.TempDir(), "x"+".lock.json"), filepath.Join(t.TempDir(), "x.parquet")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		got := run([]string{"training-set", "rebuild", path, "--out", out, "--repo", repo}, nil, &stdout, &stderr)
		if got != c.status || !strings.Contains(stdout.String()+stderr.String(), c.want) {
			t.Errorf("%s: exit status %d, want %d with %q\n%s%s", c.name, got, c.status, c.want, &stdout, &stderr)
		}
		if _, err := os.Stat(out); (err == nil) != (c.status == statusDone) {
			t.Errorf("%s: written: %v", c.name, err)
		}
	}
}

// view returns a view version of a lock.
func view(l *lock.Lock, name string) *fstore.ViewVersion {
	for _, v := range l.Views {
		if v.Ref.Name == name {
			return v
		}
	}
	panic("the lock has no view " + name)
}
