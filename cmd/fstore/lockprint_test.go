package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// A definition in a lock is the one that its fingerprint is of, whatever program sealed the lock, and every command that
// goes by the definition says so where it is not. Between locks of other builds, diff shows the definitions that differ.
func TestEditedDefinitionsInLocks(t *testing.T) {
	sh := newRepo(t, "apply --yes", "training-set create churn --service churn --labels data/labels.parquet --out churn.parquet")
	write := func(name string, edit func(*lock.Lock)) string {
		l := readLock(t, filepath.Join(sh.dir, "churn"+".lock.json"))
		edit(l)
		text, err := lock.Encode(l)
		if err == nil {
			err = os.WriteFile(filepath.Join(sh.dir, name+".lock.json"), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(sh.dir, name+".lock.json")
	}
	diff := func(a, b string) (int, string) {
		var out bytes.Buffer
		status := run([]string{"training-set", "diff", a, b, "--repo", sh.dir}, nil, &out, &out)
		return status, out.String()
	}
	orders := func(l *lock.Lock) *fstore.View { return &view(l, "customer_orders").View }
	for _, c := range []struct {
		name string
		edit func(*lock.Lock)
	}{
		{"sql", func(l *lock.Lock) {
			orders(l).SQL = strings.Replace(orders(l).SQL, "exact_sum(", "2 * exact_sum(", 1)
		}},
		{"sql_upstream", func(l *lock.Lock) {
			up := &view(l, "customer_large_orders").Views[0]
			up.SQL = strings.Replace(up.SQL, "exact_sum(", "2 * exact_sum(", 1)
		}},
		{"ttl", func(l *lock.Lock) { d := fstore.Duration(time.Hour); orders(l).TTL = &d }},
		{"publish", func(l *lock.Lock) { orders(l).Publish = &fstore.Publish{Every: fstore.Duration(time.Hour)} }},
		{"column", func(l *lock.Lock) { orders(l).Features[0].Column = orders(l).Features[1].Column }},
		{"optional", func(l *lock.Lock) { view(l, "customer_orders").Sources[0].Optional = []string{"country"} }},
		{"fingerprint", func(l *lock.Lock) { view(l, "customer_orders").Fingerprint = strings.Repeat("0", 64) }},
	} {
		edited := write(c.name, c.edit)
		for _, args := range [][]string{
			{"verify", edited, "--no-rebuild"},
			{"verify", edited},
			{"rebuild", edited, "--out", filepath.Join(sh.dir, "x.parquet")},
			{"diff", edited, "churn"},
			{"diff", "churn", edited},
		} {
			var out bytes.Buffer
			got := run(append([]string{"training-set"}, append(args, "--repo", sh.dir)...), nil, &out, &out)
			if got != statusFailed || !strings.Contains(out.String(), "@1: its definition does not match its fingerprint") {
				t.Errorf("%s: %s: exit status %d, want %d\n%s", c.name, strings.Join(args, " "), got, statusFailed, &out)
			}
		}
		if c.name == "fingerprint" {
			continue
		}
		otherBuild := func(l *lock.Lock) { l.Build.Fstore = "v0.0.1" }
		same, other := write("same", otherBuild), write("other", func(l *lock.Lock) { c.edit(l); otherBuild(l) })
		if status, out := diff(same, other); status != statusDone || !strings.Contains(out, "~ feature_view customer_") || strings.Contains(out, "do not differ") {
			t.Errorf("%s: another build: diff: exit status %d\n%s", c.name, status, out)
		}
		if status, out := diff(same, same); status != statusDone || !strings.Contains(out, "do not differ") {
			t.Errorf("%s: another build: diff of a lock with itself: exit status %d\n%s", c.name, status, out)
		}
	}
}
