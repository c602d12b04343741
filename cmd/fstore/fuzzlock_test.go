package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/parquet-go/parquet-go"
)

// sandbox is a folder with a training set over a source in partition folders, and everything that a command may touch:
// its temporary folder, the home folder and the folder it runs in.
type sandbox struct {
	dir  string
	lock []byte
}

const sandboxDefinitions = `kind: entity
name: store
join_keys: [{name: store_id, type: int64}]
---
kind: source
name: sales
path: data/*/*.parquet
event_timestamp: at
---
kind: feature_view
name: latest
entities: [store]
source: sales
features: [{name: amount, type: float64}]
`

func newSandbox(f *testing.F) *sandbox {
	f.Helper()
	s := &sandbox{dir: f.TempDir()}
	for _, dir := range []string{"tmp", "home/.config/autostart", "work/.git/hooks", "locks", "out", "special", "repo/data/day=1", "repo/data/day=2"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o755); err != nil {
			f.Fatal(err)
		}
	}
	special := filepath.Join(s.dir, "special")
	sparse := filepath.Join(special, "sparse.csv")
	if err := errors.Join(syscall.Mkfifo(filepath.Join(special, "pipe.csv"), 0o600), os.Symlink("/dev/zero", filepath.Join(special, "zero.parquet")),
		os.WriteFile(sparse, nil, 0o600), os.Truncate(sparse, 200<<20)); err != nil {
		f.Fatal(err)
	}
	f.Setenv("TMPDIR", filepath.Join(s.dir, "tmp"))
	f.Setenv("HOME", filepath.Join(s.dir, "home"))
	f.Chdir(filepath.Join(s.dir, "work"))
	type row struct {
		Store  int64     `parquet:"store_id"`
		At     time.Time `parquet:"at,timestamp(microsecond)"`
		Amount float64   `parquet:"amount"`
	}
	at := time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC)
	for name, text := range map[string]string{"fstore.yaml": "project: sandbox\n", "definitions.yaml": sandboxDefinitions} {
		if err := os.WriteFile(filepath.Join(s.dir, "repo", name), []byte(text), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	for name, rows := range map[string][]row{
		"labels.parquet": {{1, at.Add(time.Hour), 7}}, "data/day=1/a.parquet": {{1, at, 1}}, "data/day=2/a.parquet": {{2, at, 2}},
	} {
		if name == "labels.parquet" {
			name = "data/" + name
		}
		if err := parquet.WriteFile(filepath.Join(s.dir, "repo", name), rows); err != nil {
			f.Fatal(err)
		}
	}
	repo := filepath.Join(s.dir, "repo")
	s.run(f, "apply", "--yes", "--repo", repo)
	s.run(f, "training-set", "create", "t", "--repo", repo, "--features", "latest.amount=was", "--timestamp", "at",
		"--labels", filepath.Join(repo, "data/labels.parquet"), "--out", filepath.Join(s.dir, "locks/t.parquet"))
	var err error
	if s.lock, err = os.ReadFile(filepath.Join(s.dir, "locks/t.lock.json")); err != nil {
		f.Fatal(err)
	}
	return s
}

func (s *sandbox) run(t testing.TB, args ...string) {
	t.Helper()
	var out bytes.Buffer
	if status := run(args, nil, &out, &out); status != statusDone {
		t.Fatalf("fstore %s: exit status %d\n%s", strings.Join(args, " "), status, &out)
	}
}

// tree returns every file of the sandbox but what rebuild is told to write, one a line.
func (s *sandbox) tree(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path == filepath.Join(s.dir, "out") {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err == nil && d.IsDir() {
			fmt.Fprintln(&out, path, info.Mode())
		} else if err == nil {
			fmt.Fprintln(&out, path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// lockFields are what the fuzz target writes into a lock.
var lockFields = []func(l *lock.Lock, value string){
	func(l *lock.Lock, value string) { l.Sources[0].Files[0].Path = value },
	func(l *lock.Lock, value string) { l.Sources[0].Files[1].Path = value },
	func(l *lock.Lock, value string) { l.Labels.File.Path = value },
	func(l *lock.Lock, value string) { l.Output.Path = value },
	func(l *lock.Lock, value string) { l.Sources[0].Files[0].SHA256 = value },
	func(l *lock.Lock, value string) { l.Labels.File, l.Labels.SQL = nil, value },
	func(l *lock.Lock, value string) { l.Labels.Timestamp = value },
	func(l *lock.Lock, value string) { l.Name = value },
	func(l *lock.Lock, value string) { l.Views[0].Sources[0].Rename = map[string]string{value: "x"} },
	func(l *lock.Lock, value string) { l.Features[0].Name = value },
}

// Whatever a lock says, to verify it or to make its training set again leaves no file anywhere but what rebuild is told
// to write: not outside the temporary folder, and in the end not in it either. In values $S is the sandbox.
func FuzzLockIsVerified(f *testing.F) {
	s := newSandbox(f)
	up := strings.Repeat("/..", 20)
	for i := range lockFields {
		f.Add(uint8(i), "x", false)
	}
	for i, path := range []string{
		up + "$S/home/.config/autostart/x.desktop", up + "$S/work/.git/hooks/pre-commit", "/k=v" + up + "$S/home/x", "../../../../home/x", "$S/home/x/", "$S//home/x",
		"$S/home/day=1/x", "$S/home/day=1/../x", "$S/tmp/day=1/x.parquet", "/day=\x00/x", "/day=1\n/x", `/day=..\..\x/y`, "/" + strings.Repeat("day=1/", 600) + "x",
		"/day=" + strings.Repeat("1", 300) + "/x", "/day=[a]*?/x", "/'; copy (select 1) to '$S/home/x'; --/day=1/x", "$S/repo/data/day=1", "$S/locks/t.lock.json", "/dev/null", "",
		"$S/special/pipe.csv", "$S/special/zero.parquet", "$S/special/sparse.csv",
	} {
		f.Add(uint8(0), path, true)
		f.Add(uint8(1+i%3), path, false)
	}
	f.Add(uint8(4), "../../../../../../"+strings.Repeat("a", 46), true)
	f.Add(uint8(5), "copy (select 1) to '$S/home/x'", true)
	f.Add(uint8(7), "../x", true)
	f.Fuzz(func(t *testing.T, field uint8, value string, elsewhere bool) {
		l, err := lock.Read(s.lock)
		if err != nil {
			t.Fatal(err)
		}
		if elsewhere { // where the lock says there is nothing, and what was there is found by the source's path
			for i := range l.Sources[0].Files {
				l.Sources[0].Files[i].Path = strings.Replace(l.Sources[0].Files[i].Path, "/repo/", "/gone/", 1)
			}
			l.Sources[0].Path = s.dir + "/repo/" + l.Sources[0].Path
			for _, v := range l.Views {
				v.Sources[0].Path = l.Sources[0].Path
			}
		}
		l.Sources[0].Partitioned = true
		lockFields[int(field)%len(lockFields)](l, strings.ReplaceAll(value, "$S", s.dir))
		text, err := lock.Encode(l)
		if err != nil {
			return
		}
		lock := filepath.Join(s.dir, "locks/x.lock.json")
		if err := os.WriteFile(lock, text, 0o644); err != nil {
			t.Fatal(err)
		}
		before := s.tree(t)
		for _, args := range [][]string{
			{"training-set", "verify", lock},
			{"training-set", "verify", lock, "--no-rebuild", "--rehash"},
			{"training-set", "rebuild", lock, "--anyway", "--out", filepath.Join(s.dir, "out/again.parquet")},
		} {
			var out bytes.Buffer
			if status := run(args, nil, &out, &out); status != statusDone && status != statusCheck && status != statusFailed {
				t.Errorf("%s: exit status %d\n%s", strings.Join(args, " "), status, &out)
			}
		}
		if after := s.tree(t); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
		if err := os.RemoveAll(filepath.Join(s.dir, "out")); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(s.dir, "out"), 0o755); err != nil {
			t.Fatal(err)
		}
	})
}
