package system

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to look into the registry beside fstore

	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// TestApplyIsKilled kills fstore apply at random instants and when the registry's file grows. The registry is then what it
// was, or what an apply makes of it, with or without the promotions behind it; never a part. The next apply does the rest.
func TestApplyIsKilled(t *testing.T) {
	t.Parallel()
	r := newRepo(t, "")
	a := &applies{repo: r, twin: newRepo(t, ""), rand: rand.New(rand.NewPCG(*seedFlag, 9)), away: away(t), whole: 100 * time.Millisecond, at: map[string]int{}}
	r.must("init", ".")
	a.twin.must("init", ".")
	for n := 0; a.killed < *killsFlag; n++ {
		if n%12 == 0 {
			if err := os.RemoveAll(filepath.Join(r.dir, ".fstore")); err != nil {
				t.Fatal(err)
			}
			for _, large := range []string{"90d", "60d"} {
				a.define("30d", large)
				a.kill() // the first apply of all, and the second
				r.materialize("--to", "2025-12-01")
			}
		}
		if a.rand.IntN(4) == 0 { // versions that nobody has seen
			a.define(fmt.Sprint(100+n, "d"), "60d")
		} else { // back to versions whose data is there, which then serve at once
			a.define("30d", []string{"90d", "60d"}[n%2])
		}
		a.kill()
	}
	if *killsFlag >= 100 && len(a.at) < 3 {
		t.Errorf("kills hit only %v", a.at)
	}
	t.Logf("%d killed (%v), %d finished by themselves; an apply takes %v, seed %d", a.killed, a.at, a.finished, a.whole.Round(time.Millisecond), *seedFlag)
}

// applies is a repo whose definitions change, and a twin that applies the same to a copy of its registry.
type applies struct {
	*repo
	twin  *repo
	rand  *rand.Rand
	away  string // URL of an online store that cannot be reached
	whole time.Duration

	killed, finished int
	at               map[string]int // kills by what the registry then was
}

// away returns the URL of a redis-server that has ended.
func away(t testing.TB) string {
	s := redistest.New(t)
	s.Kill()
	return s.URL
}

// define writes definitions, of two views and thereby of both services, in repo and twin.
func (a *applies) define(product, large string) {
	for _, r := range []*repo{a.repo, a.twin} {
		text, err := os.ReadFile(filepath.Join("..", "..", "feature_repo", "customer.yaml"))
		if err != nil {
			a.t.Fatal(err)
		}
		s := strings.Replace(string(text), "ttl: 30d", "ttl: "+product, 1)
		r.write("customer.yaml", strings.Replace(s, "ttl: 180d", "ttl: "+large, 1))
	}
}

// kill applies and is killed, looks at what is there, and applies again.
func (a *applies) kill() {
	a.t.Helper()
	before := a.registry(a.repo)
	promoted := a.foresee()
	if before == promoted {
		return // nothing to apply
	}
	wal := filepath.Join(a.dir, ".fstore", "registry.db-wal")
	size := max(0, fileSize(wal)) + a.rand.Int64N(50<<10) // an apply writes about 45 kB, its promotions 8 kB
	when := func(time.Duration) bool { return fileSize(wal) > size }
	if a.rand.IntN(3) > 0 {
		when = behind(when, rand.N(15*time.Millisecond))
	}
	if a.rand.IntN(2) == 0 {
		after := rand.N(a.whole)
		when = func(since time.Duration) bool { return since >= after }
	}
	begun := time.Now()
	p, _ := a.start("apply", "--yes")
	for alive := true; alive && !when(time.Since(begun)); {
		select {
		case <-p.done:
			alive = false
		case <-time.After(20 * time.Microsecond):
		}
	}
	p.kill()
	killed := false
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		a.killed++
		killed = true
	} else if p.cmd.ProcessState.ExitCode() != 0 {
		a.t.Fatalf("apply ended with %v:\n%s", p.cmd.ProcessState, p.log)
	} else {
		a.finished++
	}
	found := ""
	switch now := a.registry(a.repo); now {
	case before:
		found = "as before"
	case promoted:
		found = "done"
	case a.unpromoted():
		found = "applied, not promoted"
	default:
		a.t.Fatalf("after %d kills the registry is\n%s\nwas\n%s\nand had to become\n%s", a.killed, now, before, promoted)
	}
	if killed {
		a.at[found]++
	}
	begun = time.Now()
	a.must("apply", "--yes")
	a.whole = (a.whole + time.Since(begun)) / 2
	if now := a.registry(a.repo); now != promoted {
		a.t.Fatalf("after %d kills, the next apply made\n%s\nwant\n%s", a.killed, now, promoted)
	}
}

// foresee returns what the registry has to become by an apply.
func (a *applies) foresee() string {
	a.t.Helper()
	a.copied()
	a.twin.must("apply", "--yes")
	return a.registry(a.twin)
}

// unpromoted returns what the registry that the victim found would have become by an apply without promotions.
func (a *applies) unpromoted() string {
	a.t.Helper()
	into := filepath.Join(a.twin.dir, ".fstore")
	if err := errors.Join(os.RemoveAll(into), os.Rename(into+".before", into)); err != nil {
		a.t.Fatal(err)
	}
	a.twin.must("apply", "--yes", "--online", a.away)
	return a.registry(a.twin)
}

// copied gives the twin the registry and the store as they are, twice.
func (a *applies) copied() {
	a.t.Helper()
	into := filepath.Join(a.twin.dir, ".fstore")
	for _, to := range []string{into, into + ".before"} {
		if err := errors.Join(os.RemoveAll(to), os.MkdirAll(to, 0o755)); err != nil {
			a.t.Fatal(err)
		}
		for _, name := range []string{"registry.db", "registry.db-wal", "online.db", "online.db-wal"} {
			data, err := os.ReadFile(filepath.Join(a.dir, ".fstore", name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := errors.Join(err, os.WriteFile(filepath.Join(to, name), data, 0o644)); err != nil {
				a.t.Fatal(err)
			}
		}
	}
}

// registry returns all that a registry holds but leases and times, as text.
func (a *applies) registry(r *repo) string {
	a.t.Helper()
	var out []string
	for _, row := range tables(a.t, r.dir) {
		for _, column := range []string{"time", "since", "created"} {
			delete(row.cells, column)
		}
		if row.table != "leases" {
			out = append(out, fmt.Sprint(row.table, " ", row.cells))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// tableRow is a row of a database, by column.
type tableRow struct {
	table string
	cells map[string]any
}

// tables returns the rows of the registry in a repo's folder, and sees that its file is whole. It works on a copy: a killed
// process's log is left for the next one to deal with.
func tables(t testing.TB, dir string) (all []tableRow) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registry.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, ".fstore", "registry.db"+suffix))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := errors.Join(err, os.WriteFile(path+suffix, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if whole := query(t, db, "pragma integrity_check"); len(whole) != 1 || whole[0]["integrity_check"] != "ok" {
		t.Fatalf("the registry's file: %v", whole)
	}
	if dangling := query(t, db, "pragma foreign_key_check"); len(dangling) > 0 {
		t.Fatalf("the registry's file: %v", dangling)
	}
	for _, table := range query(t, db, "select name from sqlite_schema where type = 'table'") {
		for _, cells := range query(t, db, fmt.Sprintf("select * from %s", table["name"])) {
			all = append(all, tableRow{table["name"].(string), cells})
		}
	}
	return all
}

// query returns rows, by column.
func query(t testing.TB, db *sql.DB, q string) (out []map[string]any) {
	t.Helper()
	rows, err := db.Query(q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		cells, ptrs := make([]any, len(columns)), make([]any, len(columns))
		for i := range cells {
			ptrs[i] = &cells[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			t.Fatal(err)
		}
		row := map[string]any{}
		for i, c := range columns {
			row[c] = cells[i]
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
