package project

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// checkedRepo has a source of which something is expected, read by a view, and by another one that is kept offline and read in turn.
const checkedRepo = `kind: entity
name: user
join_keys: [{name: id, type: int64}]
---
kind: source
name: events
path: data/*.parquet
event_timestamp: ts
expect: [{between: [0, 100], column: x}]
---
kind: source
name: others
path: others.parquet
event_timestamp: ts
---
kind: feature_view
name: v
entities: [user]
source: events
publish: {every: 1d}
features: [{name: x, type: float64}]
---
kind: feature_view
name: clean
entities: [user]
source: others
online: false
features: [{name: x, type: float64, expect: [not_null]}]
expect: [{rows: {min: 2}}]
---
kind: feature_view
name: w
entities: [user]
sql: w.sql
event_timestamp: ts
features: [{name: y, type: float64}]
---
kind: feature_view
name: u
entities: [user]
sql: u.sql
event_timestamp: ts
features: [{name: z, type: float64}]
`

type checkedWorld struct {
	t *testing.T
	*Project
	dir string
	now time.Time
}

var checkedDay = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func newCheckedWorld(t *testing.T) *checkedWorld {
	t.Helper()
	w := &checkedWorld{t: t, dir: t.TempDir(), now: checkedDay.Add(12 * time.Hour)}
	for name, text := range map[string]string{
		"fstore.yaml": "project: p\n", "d.yaml": checkedRepo,
		"w.sql": "select id, ts, x * 2 as y from clean", "u.sql": "select id, ts, x * 3 as z from clean",
	} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.write("data/1.parquet", 1, 2, 3)
	w.write("others.parquet", 1, 2, 3)
	var err error
	w.Project, err = Open(t.Context(), w.dir, Options{Lookup: func(string) (string, bool) { return "", false }, Clock: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	applyAll(w.t, w.Project)
	return w
}

// write replaces a file by one with a row for each value, a day before the first instant. A negative value is a null.
func (w *checkedWorld) write(name string, values ...float64) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	var rows []event
	for id, x := range values {
		e := event{int64(id), checkedDay.AddDate(0, 0, -1), &x}
		if x < 0 {
			e.X = nil
		}
		rows = append(rows, e)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := errors.Join(parquet.WriteFile(path+".new", rows), os.Rename(path+".new", path)); err != nil {
		w.t.Fatal(err)
	}
}

// materialize runs a view, and calls computed once it has been computed, before it is judged.
func (w *checkedWorld) materialize(view string, computed func()) (materialize.Summary, error) {
	done, err := w.Materialize(w.t.Context(), MaterializeRequest{Views: []string{view}, LeakCheck: "off", Progress: func(p materialize.Progress) {
		if p.Stage == materialize.StageCompute && p.Done > 0 {
			computed()
		}
	}})
	if len(done.Views) != 1 {
		w.t.Fatal(err)
	}
	return done.Views[0], err
}

// history lists how the checks of something came out, the newest first.
func (w *checkedWorld) history(name string) (out []string) {
	w.t.Helper()
	all, err := w.CheckHistory(w.t.Context(), []string{name})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range all {
		for _, run := range h.Runs {
			outcome, _, err := HistoryText(run)
			if err != nil {
				w.t.Fatal(err)
			}
			out = append(out, run.By+" "+outcome)
		}
	}
	return out
}

// A verdict about a source is about the files from which the view was computed. If they change in between, the view is computed and
// checked again; if they do so each time, nothing is published and nothing is kept.
func TestAVerdictIsAboutTheFilesThatWereComputed(t *testing.T) {
	bad := []float64{1, 2, 1000}
	for name, c := range map[string]struct {
		changes int // how often a file is written while the view is computed
		write   func(w *checkedWorld, n int)
		values  []float64
		want    string // empty: it is published
		history string
	}{
		"bad rows become good":     {1, func(w *checkedWorld, _ int) { w.write("data/1.parquet", 1, 2, 3) }, bad, "", "materialize passed"},
		"good rows become bad":     {1, func(w *checkedWorld, _ int) { w.write("data/1.parquet", bad...) }, []float64{1, 2, 3}, "1 of 3 values are out of range", "materialize failed"},
		"a file with bad rows":     {1, func(w *checkedWorld, _ int) { w.write("data/2.parquet", bad...) }, []float64{1, 2, 3}, "1 of 6 values are out of range", "materialize failed"},
		"a change each time":       {9, func(w *checkedWorld, n int) { w.write("data/1.parquet", 1, 2, float64(n)) }, []float64{1, 2, 3}, "data/1.parquet has changed while it was read", ""},
		"a file more each time":    {9, func(w *checkedWorld, n int) { w.write(fmt.Sprintf("data/%d.parquet", n+2), 1) }, []float64{1, 2, 3}, "was added while the source was read", ""},
		"nothing changes":          {0, nil, []float64{1, 2, 3}, "", "materialize passed"},
		"bad rows that stay there": {0, nil, bad, "1 of 3 values are out of range", "materialize failed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCheckedWorld(t)
			w.write("data/1.parquet", c.values...)
			n := 0
			s, err := w.materialize("v", func() {
				if n++; n <= c.changes {
					c.write(w, n)
				}
			})
			if c.want == "" && (err != nil || s.Published.IsZero()) || c.want != "" && (!strings.Contains(fmt.Sprint(err), c.want) || !s.Published.IsZero() || s.Written > 0) {
				t.Errorf("got %+v, %v, want %q", s, err, c.want)
			}
			if moved := c.changes > 1; errors.Is(err, fstore.ErrConflict) != moved || moved && n != 3 {
				t.Errorf("computed %d times: %v", n, err)
			}
			if got := strings.Join(w.history("events"), "; "); got != c.history {
				t.Errorf("the registry has %q, want %q", got, c.history)
			}
		})
	}
}

// A training set of which the source's rows are too few is not made because a file comes while it is made: at any instant, either it
// has the rows of both files, or it is refused.
func TestTheVerdictOfATrainingSetIsAboutItsFiles(t *testing.T) {
	type label struct {
		ID int64     `parquet:"id"`
		At time.Time `parquet:"event_timestamp,timestamp(microsecond)"`
	}
	// create makes a training set, and writes a file when its nth stage begins, or before it for 0. It returns the number of stages.
	create := func(t *testing.T, n int) (files []string, stages int, err error) {
		w := newCheckedWorld(t)
		w.edit("{between: [0, 100], column: x}", "{rows: {min: 4}}")
		labels, out := filepath.Join(w.dir, "labels.parquet"), filepath.Join(w.dir, "t.parquet")
		if err := parquet.WriteFile(labels, []label{{1, checkedDay}}); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			w.write("data/2.parquet", 1, 2, 3)
		}
		last := ""
		progress := func(p trainset.Progress) { // the first call of a stage comes before it does anything
			if p.Stage == last {
				return
			}
			last = p.Stage
			if stages++; stages == n {
				w.write("data/2.parquet", 1, 2, 3)
			}
		}
		set, err := w.CreateTrainingSet(t.Context(), TrainingSetRequest{Name: "t", Selection: Selection{Features: []string{"v.x"}}, Labels: labels, Out: out, LeakCheck: "off", Progress: progress})
		if err == nil {
			l, err := lock.Read(set.Lock)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range l.Sources[0].Files {
				files = append(files, filepath.Base(f.Path))
			}
		}
		return files, stages, err
	}
	var made, refused, moved int
	for n, stages := 0, 0; n <= stages; n++ {
		files, of, err := create(t, n)
		stages = of
		switch {
		case err == nil && len(files) == 2:
			made++
		case errors.Is(err, fstore.ErrCheck):
			refused++
		case errors.Is(err, fstore.ErrConflict):
			moved++
		default:
			t.Errorf("with a file that comes at stage %d: made from %v, %v", n, files, err)
		}
	}
	if made == 0 || moved == 0 {
		t.Errorf("made %d times, refused %d times, and moved %d times", made, refused, moved)
	}
}

// A pinned view is checked with the views of its own time, under their versions, although only the files differ.
func TestAVerdictIsAboutTheVersionThatIsRead(t *testing.T) {
	w := newCheckedWorld(t)
	w.write("elsewhere.parquet", 1, -1, 3)
	w.edit("path: others.parquet", "path: elsewhere.parquet")
	for view, want := range map[string]string{"w@1": "clean@1 true", "w@2": "clean@2 false"} {
		found, err := w.Check(t.Context(), CheckRequest{Names: []string{view}})
		if err != nil || len(found.Checks) != 1 || fmt.Sprint(found.Checks[0].Subject(), " ", found.Checks[0].OK) != want {
			t.Errorf("%s: got %+v, %v, want %s", view, found, err, want)
		}
	}
}

// What a view reads is checked although the view itself cannot be computed.
func TestInputsOfABrokenViewAreChecked(t *testing.T) {
	w := newCheckedWorld(t)
	w.edit("features: [{name: z, type: float64}]", "features: [{name: z, type: float64, expect: [not_null]}]")
	if err := os.WriteFile(filepath.Join(w.dir, "u.sql"), []byte("select id, ts, (case when x is null then 'none' else '1' end)::double as z from clean"), 0o644); err != nil {
		t.Fatal(err)
	}
	applyAll(w.t, w.Project)
	w.write("others.parquet", 1, -1, 3)
	found, err := w.Check(t.Context(), CheckRequest{Names: []string{"u"}})
	if err == nil || len(found.Unchecked) != 1 || found.Unchecked[0].Name != "u" || len(found.Checks) != 1 || found.Checks[0].OK {
		t.Errorf("got %+v, %v", found, err)
	}
}

// edit replaces a text in the definitions, and applies them.
func (w *checkedWorld) edit(old, now string) {
	w.t.Helper()
	path := filepath.Join(w.dir, "d.yaml")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.ReplaceAll(string(text), old, now)), 0o644)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	applyAll(w.t, w.Project)
}

// What a view expects that is kept offline is checked by whatever reads it, once for all that read it as of the same instant.
func TestViewsThatAreKeptOfflineAreCheckedByTheirReaders(t *testing.T) {
	w := newCheckedWorld(t)
	if _, err := w.Materialize(t.Context(), MaterializeRequest{LeakCheck: "off"}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(w.history("clean"), "; "); got != "materialize passed" {
		t.Errorf("the registry has %q", got)
	}
	w.now = w.now.Add(time.Hour)
	w.write("others.parquet", 1, -1, 3)
	done, err := w.Materialize(t.Context(), MaterializeRequest{LeakCheck: "off"})
	if !errors.Is(err, fstore.ErrCheck) {
		t.Fatal(err)
	}
	for _, s := range done.Views {
		refused := s.Refused != nil && slices.Equal(s.Refused.Reasons, []string{"d.yaml:28:46: x not_null: 1 of 3 values are null (33.3%)"})
		if refused != (s.View.Name != "v") {
			t.Errorf("%s: %+v", s.View, s)
		}
	}
	w.edit("{rows: {min: 2}}", "{rows: {min: 2}}, {rows: {min: 5}}")
	w.edit("[not_null]", "[{not_null: true, severity: warn}]")
	if s, err := w.materialize("w", func() {}); !errors.Is(err, fstore.ErrCheck) || len(s.Refused.Reasons) != 1 || !strings.Contains(s.Refused.Reasons[0], "rows at least 5: there are 3, fewer than 5") {
		t.Errorf("got %+v, %v", s, err)
	}
	found, err := w.Check(t.Context(), CheckRequest{Names: []string{"w"}})
	if err != nil || found.OK || len(found.Checks) != 1 || found.Checks[0].Subject() != "clean@1" {
		t.Errorf("got %+v, %v", found, err)
	}
	w.edit(", {rows: {min: 5}}", "")
	if s, err := w.materialize("w", func() {}); err != nil || !strings.Contains(s.Warning, "x not_null: 1 of 3 values are null") {
		t.Errorf("got %+v, %v", s, err)
	}
}

// Sources are checked as of the instant that each view would publish, and alone as of the instant that was asked for.
func TestSourcesAreCheckedAsOfTheInstantsOfTheirReaders(t *testing.T) {
	w := newCheckedWorld(t)
	w.edit("name: w\n", "name: more\nentities: [user]\nsource: events\npublish: {every: 1h}\nfeatures: [{name: x, type: float64}]\n---\nkind: feature_view\nname: w\n")
	w.now = w.now.Add(90 * time.Minute)
	found, err := w.Check(t.Context(), CheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range found.Checks {
		got = append(got, c.Subject()+" "+c.At.Format("15:04"))
	}
	want := []string{"clean@1 13:30", "source events 13:00", "source events 00:00"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if found, err = w.Check(t.Context(), CheckRequest{Names: []string{"events"}}); err != nil || len(found.Checks) != 1 || !found.Checks[0].At.Equal(w.now) {
		t.Errorf("got %+v, %v", found, err)
	}
}
