package system

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// openSQLite opens a database of a repo beside fstore. Its statements never wait for a lock.
func openSQLite(t testing.TB, r *repo, name string) *sql.DB {
	t.Helper()
	path := url.URL{Scheme: "file", Path: filepath.Join(r.dir, ".fstore", name)}
	db, err := sql.Open("sqlite", path.String()+"?mode=rw&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// lock takes a database's write lock, at once or not at all.
func lock(db *sql.DB) (unlock func(), ok bool) {
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		return nil, false
	}
	return func() { _ = tx.Rollback() }, true
}

// mustLock takes a database's write lock as soon as it can.
func mustLock(t testing.TB, db *sql.DB) (unlock func()) {
	t.Helper()
	eventually(t, "a write lock", func() (ok bool) {
		unlock, ok = lock(db)
		return ok
	})
	return unlock
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("a minute later there is not yet %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// lease is a row of the registry: who may materialize a view version.
type lease struct {
	token   string
	expires time.Time
}

// leaseOf returns the lease of a view version; false where nobody holds it.
func leaseOf(t testing.TB, registry *sql.DB, ref string) (lease, bool) {
	t.Helper()
	var l lease
	var micros int64
	err := registry.QueryRow("select token, expires from leases where name = ?", ref).Scan(&l.token, &micros)
	if err != nil && err != sql.ErrNoRows {
		t.Fatal(err)
	}
	l.expires = time.UnixMicro(micros)
	return l, err == nil
}

// expire lets a lease end now, as if its holder had been stopped for as long as it lasts. The holder's own timers know
// nothing of it: when it wakes up it takes the lease for its own, which is the worst that a sleeper can do.
func expire(t testing.TB, registry *sql.DB, ref string) {
	t.Helper()
	unlocked(t, registry)
	result, err := registry.Exec("update leases set expires = 0 where name = ?", ref)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("nobody holds the lease of %s: %v", ref, err)
	}
}

// unlocked waits until nobody holds a database's write lock.
func unlocked(t testing.TB, db *sql.DB) { t.Helper(); mustLock(t, db)() }

// stop stops the process between two transactions of the databases: one that is stopped within a transaction keeps
// everybody out of SQLite. It reports whether the process was still there.
func (p *process) stop(databases ...*sql.DB) bool {
	for {
		p.signal(syscall.SIGSTOP)
		eventually(p.t, "a stopped process", p.stoppedOrDone)
		select {
		case <-p.done:
			return false
		default:
		}
		free := true
		for _, db := range databases {
			unlock, ok := lock(db)
			if ok {
				unlock()
			}
			free = free && ok
		}
		if free {
			return true
		}
		p.signal(syscall.SIGCONT)
		time.Sleep(time.Millisecond)
	}
}

// stoppedOrDone reports whether all threads of the process are stopped, or it has ended.
func (p *process) stoppedOrDone() bool {
	select {
	case <-p.done:
		return true
	default:
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, name := range threads {
		stat, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(stat), ") T ") {
			return false
		}
	}
	return true
}

// wake lets a stopped process go on.
func (p *process) wake() { p.signal(syscall.SIGCONT) }

// alone returns a repo with other definitions, but the registry, store and state of this one.
func (r *repo) alone() *repo {
	other := &repo{t: r.t, dir: r.t.TempDir()}
	at := func(name string) string { return filepath.Join(r.dir, ".fstore", name) }
	other.env = append(other.env, r.env...)
	other.env = append(other.env, "FSTORE_REGISTRY=sqlite://"+at("registry.db"), "FSTORE_STATE="+at("state"))
	if !strings.Contains(strings.Join(r.env, "\n"), "FSTORE_ONLINE=") {
		other.env = append(other.env, "FSTORE_ONLINE=sqlite://"+at("online.db"))
	}
	return other
}
