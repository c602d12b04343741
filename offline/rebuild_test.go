package offline

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fstore-dev/fstore"
)

// rebuilds is how often a training set is made again in each way. -rebuilds=20 is the long run.
var rebuilds = flag.Int("rebuilds", 1, "how often a training set is made again in each way")

// made is a training set with its lock.
type made struct {
	*repo
	lock *Lock
	text []byte
	file []byte
	kept *Snapshots
}

// make makes a training set.
func (r *repo) make(req TrainingRequest) *made {
	r.Helper()
	s, err := r.e.TrainingSet(r.Context(), req)
	if err != nil {
		r.Fatal(err)
	}
	m := &made{repo: r, text: append(s.Lock, '\n'), kept: req.Keep}
	if m.lock, err = ReadLock(s.Lock); err != nil {
		r.Fatal(err)
	}
	if m.file, err = os.ReadFile(req.Out); err != nil {
		r.Fatal(err)
	}
	return m
}

// states returns what has become of the inputs, by file.
func (m *made) states(near string) (string, []Input) {
	m.Helper()
	found, err := m.e.Inputs(m.Context(), m.lock, Search{Kept: m.kept, Near: near})
	if err != nil {
		m.Fatal(err)
	}
	var out []string
	for _, in := range found {
		out = append(out, strings.TrimPrefix(strings.TrimPrefix(in.Path, m.dir), "/")+" "+string(in.State))
	}
	return strings.Join(out, ", "), found
}

// again makes the training set again and compares the outcome, and the file if the content is the same.
func (m *made) again(e *Engine, found []Input) *Rebuilt {
	m.Helper()
	out := filepath.Join(m.TempDir(), "again.parquet")
	r, err := e.Rebuild(m.Context(), RebuildRequest{Lock: m.lock, Text: m.text, Inputs: found, Out: out, Now: day})
	if err != nil {
		m.Fatal(err)
	}
	file, err := os.ReadFile(out)
	lock, lockErr := os.ReadFile(lockFile(out))
	if !r.Same {
		if err == nil || lockErr == nil || len(r.Columns) == 0 {
			m.Errorf("it comes out different, in %v, and was written", r.Columns)
		}
		return r
	}
	if err != nil || !bytes.Equal(file, m.file) || !r.SameBytes {
		m.Errorf("the content is the same, and the bytes are not: %v", err)
	}
	if lockErr != nil || !bytes.Equal(lock, m.text) {
		m.Errorf("the lock beside it is another: %v", lockErr)
	}
	return r
}

// ties are a source in which most rows tie with others, and labels in any order, to many of which nothing is known.
func ties(r *repo) TrainingRequest {
	r.write("s/a.parquet", "SELECT i % 500 AS k, TIMESTAMP '2011-12-01' + to_hours((hash(i) % 40)::BIGINT) AS event, TIMESTAMP '2011-12-01' + to_hours((hash(i + 1) % 60)::BIGINT) AS created, "+
		"i % 3 AS a, [NULL, 'x', 'y'][1 + (i % 3)::INTEGER] AS b, CASE i % 5 WHEN 0 THEN 'nan'::DOUBLE ELSE (i % 7) / 10 END AS c FROM range(60000) t(i)")
	src := source_("s/*.parquet")
	src.Created, src.Available = "created", fstore.Available{Created: true}
	v := view(src, []string{"k int64"}, []string{"a int64", "b string", "c float64"})
	w := query("SELECT k, event, count(*) AS n, exact_sum(c) AS total FROM s WHERE NOT isnan(c) GROUP BY ALL", []string{"k int64"}, []string{"n int64", "total float64"}, src)
	w.Ref.Name, w.View.Name = "w", "w"
	r.write("l.parquet", "SELECT (hash(i) % 600)::BIGINT AS k, TIMESTAMP '2011-12-01' + to_minutes((hash(i + 5) % 5000)::BIGINT) AS t, i AS number FROM range(20000) t(i)")
	return r.request("l.parquet", all(v, w))
}

// The same lock gives the same bytes on 1 and several threads, with little memory and with much, each time.
func TestATrainingSetIsMadeAgainToTheByte(t *testing.T) {
	r := newRepo(t, 2)
	m := r.make(ties(r))
	for _, o := range []Options{{Threads: 1}, {Threads: 4}, {Threads: 2, MemoryLimit: "64MB"}, {Threads: 1, MemoryLimit: "64MB"}, {Threads: 3, MemoryLimit: "2GB"}} {
		o.Dir, o.TempDir = r.dir, filepath.Join(r.dir, "tmp")
		e, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		for range *rebuilds {
			states, found := m.states("")
			if states != "l.parquet unchanged, s/a.parquet unchanged" {
				t.Fatal(states)
			}
			if got := m.again(e, found); !got.Same || len(got.Columns) > 0 || len(got.Settings) > 0 {
				t.Fatalf("threads %d, memory %s: %+v", o.Threads, o.MemoryLimit, got)
			}
		}
	}
}

// A rebuild reads the files that the lock names, wherever they are now, and no others.
func TestARebuildFindsItsInputs(t *testing.T) {
	for _, c := range []struct {
		name   string
		happen func(r *repo)
		near   string
		states string
	}{
		{"another file is there too", func(r *repo) { r.write("s/b.parquet", "FROM read_parquet('"+r.dir+"/s/a.parquet')") }, "", "l.parquet unchanged, s/a.parquet unchanged, s/b.parquet appeared"},
		{"a file has another name", func(r *repo) { r.rename("s/a.parquet", "s/z.parquet") }, "", "l.parquet unchanged, s/a.parquet moved"},
		{"it was compacted beside others", func(r *repo) {
			r.rename("s/a.parquet", "s/z.parquet")
			r.write("s/a.parquet", "SELECT * REPLACE (a + 1 AS a) FROM read_parquet('"+r.dir+"/s/z.parquet')")
		}, "", "l.parquet unchanged, s/a.parquet moved"},
		{"everything has moved together", func(r *repo) {
			r.rename("s", "new/s")
			r.rename("l.parquet", "new/l.parquet")
		}, "new", "l.parquet moved, s/a.parquet moved"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRepo(t, 2)
			m := r.make(ties(r))
			c.happen(r)
			near := ""
			if c.near != "" {
				near = filepath.Join(r.dir, c.near)
			}
			states, found := m.states(near)
			if states != c.states {
				t.Errorf("%s, want %s", states, c.states)
			}
			if got := m.again(r.e, found); !got.Same {
				t.Errorf("%+v", got)
			}
		})
	}
}

func (r *repo) rename(from, to string) {
	r.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(r.dir, to)), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.Rename(filepath.Join(r.dir, from), filepath.Join(r.dir, to)); err != nil {
		r.Fatal(err)
	}
}

// Rows created after the cut-off change nothing, whether they come in files of their own or in those that were there.
func TestRowsThatWereCreatedLaterChangeNothing(t *testing.T) {
	r := newRepo(t, 2)
	req := ties(r)
	asOf := day.AddDate(0, 0, -6)
	req.AsOf = &asOf
	m := r.make(req)
	later := "SELECT k, event, make_timestamp(" + fmt.Sprint(fstore.Micros(asOf)+1) + ") AS created, 99 AS a, b, c FROM read_parquet('" + r.dir + "/s/a.parquet')"
	r.write("s/b.parquet", later)
	states, found := m.states("")
	if want := "l.parquet unchanged, s/a.parquet unchanged, s/b.parquet appeared"; states != want {
		t.Errorf("%s, want %s", states, want)
	}
	m.again(r.e, found)
	r.write("s/c.parquet", "FROM read_parquet('"+r.dir+"/s/a.parquet') UNION ALL BY NAME "+later)
	r.rename("s/c.parquet", "s/a.parquet")
	if states, found = m.states(""); !strings.Contains(states, "s/a.parquet changed") {
		t.Errorf("%s", states)
	}
	if got := m.again(r.e, found); !got.Same {
		t.Errorf("%+v", got.Columns)
	}
	if !found[1].Lost() {
		t.Error("a file that has changed is lost where nothing keeps it")
	}
	// one microsecond earlier they are known
	r.write("s/c.parquet", strings.ReplaceAll("FROM read_parquet('"+r.dir+"/s/a.parquet') UNION ALL BY NAME "+later, fmt.Sprint(fstore.Micros(asOf)+1), fmt.Sprint(fstore.Micros(asOf))))
	r.rename("s/c.parquet", "s/a.parquet")
	_, found = m.states("")
	if got := m.again(r.e, found); got.Same {
		t.Error("rows that were known change nothing")
	}
}

func TestARebuildThatComesOutDifferentNamesTheColumns(t *testing.T) {
	r := newRepo(t, 2)
	m := r.make(ties(r))
	r.write("s/b.parquet", "SELECT * REPLACE (CASE WHEN k = 7 THEN 99 ELSE a END AS a) FROM read_parquet('"+r.dir+"/s/a.parquet')")
	r.rename("s/b.parquet", "s/a.parquet")
	_, found := m.states("")
	got := m.again(r.e, found)
	if got.Same || len(got.Columns) != 1 || got.Columns[0].Name != "a" || !strings.Contains(got.Columns[0].What, "max 2 → 99") {
		t.Errorf("%+v", got.Columns)
	}
	out := filepath.Join(r.dir, "other.parquet")
	if err := os.WriteFile(lockFile(out), []byte("an earlier lock"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := r.e.Rebuild(t.Context(), RebuildRequest{Lock: m.lock, Text: m.text, Inputs: found, Out: out, Now: day, Anyway: EvenOther})
	if err != nil || got.Same || got.Out != out || got.LockFile != "" {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := os.Stat(lockFile(out)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a lock lies beside what it does not describe: %v", err)
	}
	if o, err := digest(t.Context(), out); err != nil || o.SHA256 != got.SHA256 {
		t.Error(o, err)
	}
}

// A snapshot has the inputs as they were, whatever they are called and whether their folders are columns.
func TestASnapshotOutlivesItsSources(t *testing.T) {
	r := newRepo(t, 2)
	kept := NewSnapshots(filepath.Join(r.dir, "kept"))
	for _, d := range []string{"9", "10"} {
		r.write("h/day="+d+"/x.parquet", "SELECT i AS k, TIMESTAMP '2011-12-09' AS event, i AS x FROM range("+d+") t(i)")
	}
	src := source_("h/*/*.parquet")
	v := query("SELECT k, event, max(day)::BIGINT AS x FROM s GROUP BY ALL", []string{"k int64"}, []string{"x int64"}, src)
	r.write("l.csv", "SELECT i AS k, TIMESTAMP '2011-12-10' AS t FROM range(12) t(i)")
	req := r.request("l.csv", all(v))
	req.Keep = kept
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
		if !in.Kept || in.Lost() {
			t.Errorf("%s is lost", in.Path)
		}
	}
	if got := m.again(r.e, found); !got.Same {
		t.Errorf("%+v", got.Columns)
	}

	// what is damaged is not taken for what it was
	blob := kept.path(m.lock.Sources[0].Files[0].SHA256)
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
	if found[1].Kept || !found[1].Lost() {
		t.Error("a damaged snapshot is taken for what it was")
	}
	_, err = r.e.Rebuild(t.Context(), RebuildRequest{Lock: m.lock, Inputs: found, Now: day})
	r.fails(err, "rebuild t: ", "h/day=10/x.parquet is not there any more", "training-set create --snapshot")
	if !errors.Is(err, fstore.ErrNotFound) {
		t.Error(err)
	}
}

func TestWhatNoLockNeedsIsSweptAndNothingElse(t *testing.T) {
	r := newRepo(t, 2)
	kept := NewSnapshots(filepath.Join(r.dir, "kept"))
	if w, err := kept.Sweep(func() ([][]byte, error) { return nil, errors.New("not asked") }); err != nil || len(w.Unreferenced) != 0 || w.Remove() != nil || w.Close() != nil {
		t.Fatal(w, err)
	}
	v := history(r)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
	req := r.request("l.parquet", all(v))
	req.Keep = kept
	a := r.make(req)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-11"))
	b := r.make(req)
	blobs := func() []string {
		files, _ := filepath.Glob(filepath.Join(kept.dir, "??", "*"))
		return files
	}
	if len(blobs()) != 3 { // two files of labels, one of the source
		t.Fatalf("kept: %v", blobs())
	}
	stranger := filepath.Join(kept.dir, "ab", "notes.txt")
	if err := os.MkdirAll(filepath.Dir(stranger), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stranger, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	sweep := func(locks ...[]byte) []Blob {
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
	if _, found := b.states(""); !found[0].Kept || !found[1].Kept {
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
	kept := NewSnapshots(filepath.Join(r.dir, "kept"))
	v := history(r)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
	req := r.request("l.parquet", all(v))
	req.Keep = kept
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
	if states != "l.parquet unchanged, s.parquet changed" || !found[1].Kept {
		t.Errorf("%s, kept %v", states, found[1].Kept)
	}
	m.again(r.e, found)
}

// A digest is remembered until a file changes, even if its size and mtime are set back.
func TestDigestsAreRememberedAndNeverBelieved(t *testing.T) {
	dir := t.TempDir()
	file, cache := filepath.Join(dir, "f"), filepath.Join(dir, "state", "digests.json")
	put := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("one")
	d := openDigests(cache, dir)
	of := func() string {
		f, err := d.of(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		return f.SHA256
	}
	first := of()
	if len(d.known) != 0 {
		t.Error("what has just been written may be written again without that being seen")
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	d.known[file], d.news = known(info, "remembered"), true // as if it had been read some time ago
	if of() != "remembered" {
		t.Error("it is not remembered")
	}
	d.known["/nowhere"] = knownDigest{}
	if err := d.save(); err != nil {
		t.Fatal(err)
	}
	d = openDigests(cache, dir)
	if of() != "remembered" || len(d.known) != 1 {
		t.Errorf("read again: %v", d.known)
	}
	put("two")
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if got := of(); got == "remembered" || got == first {
		t.Error("it has changed, with its size and mtime as before")
	}
	if err := os.WriteFile(cache, []byte("{not json"), 0o644); err != nil {
		t.Fatal(err)
	}
	d = openDigests(cache, dir)
	of()
	if diff := cmp.Diff([]string{cache}, glob(t, filepath.Join(dir, "state", "*")), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}
