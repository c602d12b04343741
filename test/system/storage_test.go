package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	driver "github.com/redis/go-redis/v9"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// storage is the online store of a repo as an operator has it in hand: a redis-server, or files.
type storage struct {
	t      testing.TB
	dir    string            // of the repo
	server *redistest.Server // nil: the embedded store
	redis  *driver.Client
}

// newStorage returns a repo and its store. server is nil for the embedded one.
func newStorage(t testing.TB, server *redistest.Server) (*repo, *storage) {
	t.Helper()
	if server == nil {
		r := newRepo(t, "")
		return r, &storage{t: t, dir: r.dir}
	}
	r := newRepo(t, server.URL)
	o, err := driver.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := &storage{t: t, dir: r.dir, server: server, redis: driver.NewClient(o)}
	t.Cleanup(func() { s.redis.Close() })
	return r, s
}

// taken returns a count that grows as the store is written to and not as it is read: the bytes of SQLite's log, or
// commands of Redis, one for each thousand records.
func (s *storage) taken() int64 {
	if s.redis == nil {
		return max(0, fileSize(filepath.Join(s.dir, ".fstore", "online.db-wal")))
	}
	info, err := s.redis.Info(context.Background(), "commandstats").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	total := int64(0)
	for _, command := range []string{"mset", "unlink"} {
		var n int64
		if _, after, ok := strings.Cut(info, "cmdstat_"+command+":calls="); ok {
			after, _, _ = strings.Cut(after, ",")
			if _, err := fmt.Sscan(after, &n); err != nil {
				s.t.Fatal(err)
			}
		}
		total += n
	}
	return total
}

// halfway reports whether some generation has been written to and has not come to its end. from is what taken returned
// before, as before are the fences.
func (s *storage) halfway(b online.Backend, from int64, before []fstore.Fence) bool {
	s.t.Helper()
	if s.redis != nil && s.taken()-from < 5 { // not a batch yet: to look at fences takes a scan
		return false
	}
	some := false
	for _, f := range fences(s.t, b) {
		here := func(was fstore.Fence) bool { return was.Run == f.Run && was.Watermark == f.Watermark }
		some = some || inFlight(f) && !slices.ContainsFunc(before, here)
	}
	return some
}

// inFlight reports whether a run has written to a generation and has not come to its end.
func inFlight(f fstore.Fence) bool { return f.Watermark > 0 && !f.Complete }

// empty takes everything out of the store, as FLUSHALL and rm do.
func (s *storage) empty() {
	s.t.Helper()
	if s.redis == nil {
		removeStore(s.t, s.dir)
	} else if err := s.redis.FlushAll(context.Background()).Err(); err != nil {
		s.t.Fatal(err)
	}
}

// removeStore removes the embedded store in a repo's folder.
func removeStore(t testing.TB, dir string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, ".fstore", "online.db"+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// removeState removes what materialize remembers in a repo's folder.
func removeState(t testing.TB, dir string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, ".fstore", "state")); err != nil {
		t.Fatal(err)
	}
}

// fileSize returns the bytes of a file, −1 where there is none.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return info.Size()
}
