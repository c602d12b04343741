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

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// rebuilds is how often a training set is made again in each way. -rebuilds=20 is the long run.
var rebuilds = flag.Int("rebuilds", 1, "how often a training set is made again in each way")

// made is a training set with its lock.
type made struct {
	*repo
	lock    *lock.Lock
	text    []byte
	file    []byte
	archive *trainset.Archive
}

// make makes a training set.
func (r *repo) make(req TrainingRequest) *made {
	r.Helper()
	s, err := r.e.TrainingSet(r.Context(), req)
	if err != nil {
		r.Fatal(err)
	}
	m := &made{repo: r, text: append(s.Lock, '\n'), archive: req.Archive}
	if m.lock, err = lock.Read(s.Lock); err != nil {
		r.Fatal(err)
	}
	if m.file, err = os.ReadFile(req.Out); err != nil {
		r.Fatal(err)
	}
	return m
}

// states returns what has become of the inputs, by file.
func (m *made) states(near string) (string, []trainset.Input) {
	m.Helper()
	found, err := trainset.FindInputs(m.Context(), m.e, m.lock, trainset.Search{Archive: m.archive, Near: near})
	if err != nil {
		m.Fatal(err)
	}
	var out []string
	for _, in := range found {
		out = append(out, strings.TrimPrefix(strings.TrimPrefix(in.Path, m.dir), "/")+" "+string(in.State))
	}
	return strings.Join(out, ", "), found
}

// rebuild makes the training set again and compares the outcome, and the file if the content is the same.
func (m *made) rebuild(e *Engine, found []trainset.Input) *trainset.Rebuilt {
	m.Helper()
	out := filepath.Join(m.TempDir(), "again.parquet")
	r, err := trainset.Rebuild(m.Context(), e, trainset.RebuildRequest{Lock: m.lock, Text: m.text, Inputs: found, Out: out, Now: day})
	if err != nil {
		m.Fatal(err)
	}
	file, err := os.ReadFile(out)
	lock, lockErr := os.ReadFile(lock.Path(out))
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
			if got := m.rebuild(e, found); !got.Same || len(got.Columns) > 0 || len(got.Settings) > 0 {
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
			if got := m.rebuild(r.e, found); !got.Same {
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
	m.rebuild(r.e, found)
	r.write("s/c.parquet", "FROM read_parquet('"+r.dir+"/s/a.parquet') UNION ALL BY NAME "+later)
	r.rename("s/c.parquet", "s/a.parquet")
	if states, found = m.states(""); !strings.Contains(states, "s/a.parquet changed") {
		t.Errorf("%s", states)
	}
	if got := m.rebuild(r.e, found); !got.Same {
		t.Errorf("%+v", got.Columns)
	}
	if !found[1].Lost() {
		t.Error("a file that has changed is lost where nothing keeps it")
	}
	// one microsecond earlier they are known
	r.write("s/c.parquet", strings.ReplaceAll("FROM read_parquet('"+r.dir+"/s/a.parquet') UNION ALL BY NAME "+later, fmt.Sprint(fstore.Micros(asOf)+1), fmt.Sprint(fstore.Micros(asOf))))
	r.rename("s/c.parquet", "s/a.parquet")
	_, found = m.states("")
	if got := m.rebuild(r.e, found); got.Same {
		t.Error("rows that were known change nothing")
	}
}

func TestARebuildThatComesOutDifferentNamesTheColumns(t *testing.T) {
	r := newRepo(t, 2)
	m := r.make(ties(r))
	r.write("s/b.parquet", "SELECT * REPLACE (CASE WHEN k = 7 THEN 99 ELSE a END AS a) FROM read_parquet('"+r.dir+"/s/a.parquet')")
	r.rename("s/b.parquet", "s/a.parquet")
	_, found := m.states("")
	got := m.rebuild(r.e, found)
	if got.Same || len(got.Columns) != 1 || got.Columns[0].Name != "a" || !strings.Contains(got.Columns[0].What, "max 2 → 99") {
		t.Errorf("%+v", got.Columns)
	}
	byRow, err := trainset.Rebuild(t.Context(), r.e, trainset.RebuildRequest{Lock: m.lock, Inputs: found, Now: day, Original: m.lock.Output.Path})
	if err != nil || len(byRow.Columns) != 1 {
		t.Fatal(byRow, err)
	}
	rows, _ := r.read("out.parquet")
	differ, first := 0, 0
	for i, row := range rows {
		if row[0] == "7" && row[3] != "NULL" {
			if differ++; differ == 1 {
				first = i + 1
			}
		}
	}
	if want := fmt.Sprintf("; in %d rows, the first is row %d: %s → 99", differ, first, rows[first-1][3]); differ == 0 || byRow.Columns[0].Rows != int64(differ) || !strings.HasSuffix(byRow.Columns[0].What, want) {
		t.Errorf("%+v, want …%s", byRow.Columns, want)
	}
	out := filepath.Join(r.dir, "other.parquet")
	if err := os.WriteFile(lock.Path(out), []byte("an earlier lock"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err = trainset.Rebuild(t.Context(), r.e, trainset.RebuildRequest{Lock: m.lock, Text: m.text, Inputs: found, Out: out, Now: day, Mismatch: trainset.WriteMismatch})
	if err != nil || got.Same || got.Out != out || got.LockPath != "" {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := os.Stat(lock.Path(out)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a lock lies beside what it does not describe: %v", err)
	}
	if o, err := trainset.Digest(t.Context(), out); err != nil || o.SHA256 != got.SHA256 {
		t.Error(o, err)
	}
}
