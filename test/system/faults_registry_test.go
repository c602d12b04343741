package system

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// writeLock holds the write lock of a SQLite file of a repo until it is released, as a process that hangs does.
func writeLock(t testing.TB, r *repo, name string) (release func()) {
	t.Helper()
	path := url.URL{Scheme: "file", Path: filepath.Join(r.dir, ".fstore", name)}
	db, err := sql.Open("sqlite", path.String()+"?mode=rw&_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		_ = tx.Rollback() // nothing was changed
		db.Close()
	})
}

func (r *repo) path(name string) string { return filepath.Join(r.dir, ".fstore", name) }

// logs waits until a server's log says something, for the n-th time.
func logs(t testing.TB, s *served, says string, n int) {
	t.Helper()
	for end := time.Now().Add(patience(15 * time.Second)); strings.Count(s.log.String(), says) < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log does not say %q %d times:\n%s", says, n, s.log)
		}
	}
}

// move renames a file of the repo's .fstore.
func (r *repo) move(from, to string) {
	r.t.Helper()
	if err := os.Rename(r.path(from), r.path(to)); err != nil {
		r.t.Fatal(err)
	}
}

// A process that hangs with the registry's write lock holds up who has to write to it, and tells them; nobody else.
func TestTheRegistryIsLocked(t *testing.T) {
	t.Parallel() // it waits
	r, s := servedShop(t)
	want := firstAnswer(t, s)
	release := writeLock(t, r, "registry.db")
	defer release()
	r.replace("customer.yaml", "ttl: 180d", "ttl: 90d")
	applied := make(chan result, 1)
	go func() { applied <- r.run("apply", "--yes") }()
	for _, args := range [][]string{
		{"get", "--service", "churn", "--entity", "customer_id=12003"}, {"plan"}, {"list", "views"}, {"doctor"},
	} {
		if got := unlessLate(r.run(args...)); got.status != 0 {
			t.Errorf("%s: exit status %d\n%s%s", args[0], got.status, got.stdout, got.stderr)
		}
	}
	another := r.serve()
	right(t, another, want)
	ends(t, another)
	if *slow { // the lock is held for longer than is waited for it
		if got := <-applied; got.status != 6 || !strings.Contains(got.stderr, "apply shop: database is locked") {
			t.Errorf("apply: exit status %d\n%s%s", got.status, got.stdout, got.stderr)
		}
		right(t, s, want)
		release()
		r.must("apply", "--yes")
	} else {
		release()
		if got := <-applied; got.status != 0 {
			t.Errorf("apply: exit status %d\n%s%s", got.status, got.stdout, got.stderr)
		}
		right(t, s, want)
	}
	logs(t, s, "catalog loaded", 2)
	unharmed(t, s, want) // the version before: the new one is not published
}

// unlessLate returns the result of a command, with status 0 if all that doctor found is that views are late: the sample data ends in 2025.
func unlessLate(r result) result {
	for line := range strings.Lines(r.stdout) {
		if strings.HasPrefix(line, "failed") && !strings.HasPrefix(line, "failed   freshness ") {
			return r
		}
	}
	if r.status == 4 && strings.Contains(r.stdout, "failed   freshness ") {
		r.status = 0
	}
	return r
}

// replace edits a file of the repo.
func (r *repo) replace(name, from, to string) {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil || !strings.Contains(string(text), from) {
		r.t.Fatalf("%s has no %q: %v", name, from, err)
	}
	r.write(name, strings.ReplaceAll(string(text), from, to))
}

// Whatever becomes of the registry's file, serving goes on from what is known; once there is a registry again, restored
// or another one, serving follows it.
func TestTheRegistryIsAwayOrReplaced(t *testing.T) {
	t.Parallel() // it waits most of the time
	r, s := servedShop(t)
	want := firstAnswer(t, s)

	r.move("registry.db", "away.db")
	logs(t, s, "the file is gone", 1)
	right(t, s, want)
	if got := r.run("get", "--service", "churn", "--entity", "customer_id=12003"); got.status != 1 || !strings.Contains(got.stderr, "there is no registry yet") {
		t.Errorf("get: exit status %d\n%s", got.status, got.stderr)
	}
	r.move("away.db", "registry.db")
	logs(t, s, "the registry can be read again", 1)
	right(t, s, want)

	good, err := os.ReadFile(r.path("registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	recovered := 1
	for name, spoilt := range map[string][]byte{"garbage": []byte(strings.Repeat("garbage ", 10_000)), "nothing": {}} {
		if err := os.WriteFile(r.path("registry.db"), spoilt, 0o644); err != nil { // in place
			t.Fatal(err)
		}
		logs(t, s, "the registry cannot be read; names stay as they are", recovered+1)
		right(t, s, want)
		if got := r.run("materialize", "--to", "2025-12-02"); got.status == 0 {
			t.Errorf("%s: materialize: exit status 0\n%s", name, got.stdout)
		}
		if name == "nothing" { // what SQLite makes of an empty file is a registry without projects
			for _, left := range []string{"registry.db-wal", "registry.db-shm"} {
				_ = os.Remove(r.path(left))
			}
		}
		if err := os.WriteFile(r.path("registry.db"), good, 0o644); err != nil {
			t.Fatal(err)
		}
		recovered++
		logs(t, s, "the registry can be read again", recovered)
		right(t, s, want)
	}

	r.move("registry.db", "good.db")
	if err := os.Mkdir(r.path("registry.db"), 0o755); err != nil {
		t.Fatal(err)
	}
	logs(t, s, "the registry cannot be read; names stay as they are", recovered+1)
	right(t, s, want)
	if err := os.Remove(r.path("registry.db")); err != nil {
		t.Fatal(err)
	}
	r.move("good.db", "registry.db")
	recovered++
	logs(t, s, "the registry can be read again", recovered)

	// Another registry: the same project from other definitions, of which the store holds nothing.
	other := newRepo(t, "")
	other.must("init", ".")
	other.replace("services.yaml", "name: churn", "name: leaving")
	other.must("apply", "--yes")
	r.move("registry.db", "good.db")
	if err := os.Rename(other.path("registry.db"), r.path("registry.db")); err != nil {
		t.Fatal(err)
	}
	logs(t, s, "the registry was replaced by another one", 1)
	logs(t, s, "catalog loaded", 2)
	if _, err := churnOf(s, within); status.Code(err) != codes.NotFound {
		t.Errorf("a service that the new registry has not: %v", err)
	}
	r.move("good.db", "registry.db")
	logs(t, s, "the registry was replaced by another one", 2)
	logs(t, s, "catalog loaded", 3)
	unharmed(t, s, want)
	ends(t, s)
}

// A backup of the registry is put back while a server runs: the server follows it, and answers what the backup names.
// The next apply and materialize go on from there.
func TestTheRegistryIsRestoredFromABackup(t *testing.T) {
	t.Parallel() // it waits most of the time
	r, s := servedShop(t)
	want := firstAnswer(t, s)
	backup, err := os.ReadFile(r.path("registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	r.replace("customer.yaml", "ttl: 180d", "ttl: 90d")
	r.must("apply", "--yes")
	r.materialize("--to", "2025-12-01")
	newVersion := func() {
		t.Helper()
		for end := time.Now().Add(patience(15 * time.Second)); ; time.Sleep(10 * time.Millisecond) {
			got, err := churnOf(s, within)
			if err != nil || time.Now().After(end) {
				t.Fatalf("got %v, %v, want version 2 of the service\n%s", got, err, s.log)
			}
			if got.Service.Version == 2 {
				return
			}
		}
	}
	newVersion()
	for _, left := range []string{"registry.db-wal", "registry.db-shm"} {
		_ = os.Remove(r.path(left))
	}
	if err := os.WriteFile(r.path("backup.db"), backup, 0o644); err != nil {
		t.Fatal(err)
	}
	loaded := strings.Count(s.log.String(), "catalog loaded")
	r.move("backup.db", "registry.db")
	logs(t, s, "catalog loaded", loaded+1)
	right(t, s, want)
	r.must("apply", "--yes")
	r.materialize("--to", "2025-12-01")
	newVersion()
	ends(t, s)
}
