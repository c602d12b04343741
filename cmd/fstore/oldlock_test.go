package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/rogpeppe/go-internal/testscript"
)

// testdata/oldlock holds training sets of the data in testdata/upgrade, with their locks, as an fstore wrote them that knew
// neither targets, samples nor optional columns. windows is by one that wrote a window of a week as 1w. Locks outlive builds: this one reads and verifies them, and makes the same
// content again.
func TestLocksOfAnOlderBuild(t *testing.T) {
	dir := t.TempDir()
	for to, from := range map[string]string{dir: "testdata/oldlock", filepath.Join(dir, "data"): "testdata/upgrade/data"} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	sh := &shell{t: t, dir: dir}
	for _, name := range []string{"old", "by_query", "windows"} {
		lock := name + ".lock.json"
		has(t, sh.run("fstore training-set verify "+lock), "file     unchanged", "rebuild  same", "matches its lock")
		has(t, sh.run("fstore training-set rebuild "+lock+" --out again/"+name+".parquet"), "rebuild  same")
		was, now := readLock(t, filepath.Join(dir, lock)), readLock(t, filepath.Join(dir, "again", lock))
		if was.Output.Content != now.Output.Content || was.Labels.Targets != nil || was.Labels.Sample != nil {
			t.Errorf("%s: the lock beside the new file is another", lock)
		}
	}
	edited, err := os.ReadFile(filepath.Join(dir, "windows.lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	edited = bytes.Replace(edited, []byte(`"length": "2w"`), []byte(`"length": "3w"`), 1)
	if _, err := lock.Read(edited); !errors.Is(err, fstore.ErrCorrupt) {
		t.Errorf("an edited lock: %v", err)
	}
	has(t, sh.run("fstore training-set diff old"+".lock.json"+" by_query"+".lock.json"), "labels")
}

func readLock(t *testing.T, path string) *lock.Lock {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := lock.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// forgetValues LOCK writes a lock as older builds did, which did not count the rows with a value.
func forgetValues(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: forget LOCK")
	}
	l, err := lock.Read([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	for i := range l.Uses {
		l.Uses[i].WithValue = nil
	}
	text, err := lock.Encode(l)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(text, '\n'), 0o644))
}
