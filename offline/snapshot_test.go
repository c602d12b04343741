package offline

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// A snapshot has the inputs as they were, whatever they are called and whether their folders are columns.
func TestASnapshotOutlivesItsSources(t *testing.T) {
	r := newRepo(t, 2)
	kept := trainset.NewArchive(filepath.Join(r.dir, "kept"))
	for _, d := range []string{"9", "10"} {
		r.write("h/day="+d+"/x.parquet", "SELECT i AS k, TIMESTAMP '2011-12-09' AS event, i AS x FROM range("+d+") t(i)")
	}
	src := source_("h/*/*.parquet")
	v := query("SELECT k, event, max(day)::BIGINT AS x FROM s GROUP BY ALL", []string{"k int64"}, []string{"x int64"}, src)
	r.write("l.csv", "SELECT i AS k, TIMESTAMP '2011-12-10' AS t FROM range(12) t(i)")
	req := r.request("l.csv", all(v))
	req.Archive = kept
	m := r.make(req)
	if !m.lock.Snapshot || !m.lock.Sources[0].Partitioned {
		t.Errorf("snapshot %v, partitioned %v", m.lock.Snapshot, m.lock.Sources[0].Partitioned)
	}
	r.write("h/day=9/x.parquet", "SELECT 5 AS k, TIMESTAMP '2011-12-09' AS event, 1000 AS x, 3 AS more")
	if err := os.RemoveAll(filepath.Join(r.dir, "h/day=10")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(r.dir, "l.csv")); err != nil {
		t.Fatal(err)
	}
	states, found := m.states("")
	if want := "l.csv vanished, h/day=10/x.parquet vanished, h/day=9/x.parquet changed"; states != want {
		t.Errorf("%s, want %s", states, want)
	}
	for _, in := range found {
		if !in.InSnapshot || in.Lost() {
			t.Errorf("%s is lost", in.Path)
		}
	}
	if got := m.rebuild(r.e, found); !got.Same {
		t.Errorf("%+v", got.Columns)
	}

	// what is damaged is not taken for what it was
	sha := m.lock.Sources[0].Files[0].SHA256
	blob := filepath.Join(r.dir, "kept", sha[:2], sha)
	if err := os.Chmod(blob, 0o644); err != nil {
		t.Fatal(err)
	}
	bytes, err := os.ReadFile(blob)
	if err != nil {
		t.Fatal(err)
	}
	bytes[len(bytes)/2] ^= 1
	if err := os.WriteFile(blob, bytes, 0o644); err != nil {
		t.Fatal(err)
	}
	_, found = m.states("")
	if found[1].InSnapshot || !found[1].Lost() {
		t.Error("a damaged snapshot is taken for what it was")
	}
	_, err = trainset.Rebuild(t.Context(), r.e, trainset.RebuildRequest{Lock: m.lock, Inputs: found, Now: day})
	r.fails(err, "rebuild t: ", "h/day=10/x.parquet is no longer there", "training-set create --snapshot")
	if !errors.Is(err, fstore.ErrNotFound) {
		t.Error(err)
	}
}

func TestWhatNoLockNeedsIsSweptAndNothingElse(t *testing.T) {
	r := newRepo(t, 2)
	kept := trainset.NewArchive(filepath.Join(r.dir, "kept"))
	if w, err := kept.Sweep(func() ([][]byte, error) { return nil, errors.New("not asked") }); err != nil || len(w.Unreferenced) != 0 || w.Remove() != nil || w.Close() != nil {
		t.Fatal(w, err)
	}
	v := history(r)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
	req := r.request("l.parquet", all(v))
	req.Archive = kept
	a := r.make(req)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-11"))
	b := r.make(req)
	blobs := func() []string {
		files, _ := filepath.Glob(filepath.Join(filepath.Join(r.dir, "kept"), "??", "*"))
		return files
	}
	if len(blobs()) != 3 { // two files of labels, one of the source
		t.Fatalf("kept: %v", blobs())
	}
	stranger := filepath.Join(filepath.Join(r.dir, "kept"), "ab", "notes.txt")
	if err := os.MkdirAll(filepath.Dir(stranger), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stranger, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	sweep := func(locks ...[]byte) []trainset.Blob {
		t.Helper()
		w, err := kept.Sweep(func() ([][]byte, error) { return locks, nil })
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := w.Remove(); err != nil {
			t.Fatal(err)
		}
		return w.Unreferenced
	}
	if gone := sweep(a.text, b.text); len(gone) != 0 {
		t.Errorf("removed %v", gone)
	}
	if gone := sweep(b.text); len(gone) != 1 || gone[0].SHA256 != a.lock.Labels.File.SHA256 || gone[0].Size != a.lock.Labels.File.Size {
		t.Errorf("removed %v", gone)
	}
	if _, found := b.states(""); !found[0].InSnapshot || !found[1].InSnapshot {
		t.Error("what a lock needs was removed")
	}
	if w, err := kept.Sweep(func() ([][]byte, error) { return [][]byte{b.text, []byte("{}")}, nil }); err == nil {
		w.Close()
		t.Error("a lock that cannot be read may need anything")
	}
	release, err := kept.Hold()
	if err != nil {
		t.Fatal(err)
	}
	if w, err := kept.Sweep(func() ([][]byte, error) { return nil, nil }); !errors.Is(err, fstore.ErrConflict) {
		t.Errorf("swept while a training set is made: %v %v", w, err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if gone := sweep(); len(gone) != 2 {
		t.Errorf("removed %v", gone)
	}
	if left := blobs(); len(left) != 1 || left[0] != stranger {
		t.Errorf("left: %v", left)
	}
}

// A snapshot is a file of its own: what is written into the source later, even in place, does not reach it.
func TestASnapshotIsNoLink(t *testing.T) {
	r := newRepo(t, 1)
	kept := trainset.NewArchive(filepath.Join(r.dir, "kept"))
	v := history(r)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
	req := r.request("l.parquet", all(v))
	req.Archive = kept
	m := r.make(req)
	f, err := os.OpenFile(filepath.Join(r.dir, "s.parquet"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("XXXX"), 8); err != nil {
		t.Fatal(err)
	}
	f.Close()
	states, found := m.states("")
	if states != "l.parquet unchanged, s.parquet changed" || !found[1].InSnapshot {
		t.Errorf("%s, kept %v", states, found[1].InSnapshot)
	}
	m.rebuild(r.e, found)
}
