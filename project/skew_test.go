package project

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/monitor/skew"
	"github.com/fstore-dev/fstore/server/servedlog"
)

func TestWhatIsServedIsWhatIsComputed(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	w.serve()
	r := w.skew(nil)
	if r.Counts != (skew.Counts{Equal: 15, Expired: 1}) || !r.OK || r.Compared != 8 {
		t.Errorf("%+v\n%q", r, told(r))
	}
	if r := w.skew(func(r *SkewRequest) { r.Since = skewDay.Add(time.Hour) }); r.Logged != 0 || r.OK {
		t.Errorf("%+v", r)
	}
	if r := w.skew(func(r *SkewRequest) { r.Sample = 4 }); r.Logged != 8 || r.Compared == 8 || !r.OK {
		t.Errorf("%+v", r)
	}
}

// The source of a publication that was served has changed since: the rows are named, and that is an explanation.
func TestASourceThatHasChanged(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	w.serve()
	w.writeSource(9)
	w.settle()
	r := w.skew(nil)
	want := []string{
		`source_changed cart@1 ratio {"id":3,"paid":1}: served 0.18181818181818182, offline 0.10526315789473684`,
		`source_changed v@1 x {"id":3,"paid":1}: served 5, offline 9`,
	}
	if !r.OK || r.Counts.SourceChanged != 2 || r.Counts.Wrong+r.Counts.NotProvable != 0 || !slices.Equal(told(r), want) {
		t.Errorf("%+v\n%q", r.Counts, told(r))
	}
	if got := r.Differences[0].Changed; !slices.Equal(got, []string{"source events"}) {
		t.Errorf("changed: %q", got)
	}
}

// What an earlier publication has served is judged by the inputs of that publication: a source that has changed since explains a
// difference, and what was computed from other sources is wrong.
func TestAnEarlierPublication(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	second := strings.NewReplacer("name: events", "name: others", "events.parquet", "others.parquet", "name: v", "name: u", "source: events", "source: others", "name: x", "name: y, column: x").
		Replace(skewRepo[strings.Index(skewRepo, "kind: source"):strings.Index(skewRepo, "kind: on_demand_view")])
	both := skewRepo + "---\n" + second + "kind: feature_service\nname: both\nfeatures: [v.x, u.y]\n"
	if err := os.WriteFile(filepath.Join(w.dir, "d.yaml"), []byte(both), 0o644); err != nil {
		t.Fatal(err)
	}
	events, err := os.ReadFile(filepath.Join(w.dir, "data", "events.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "data", "others.parquet"), events, 0o644); err != nil {
		t.Fatal(err)
	}
	applyAll(w.t, w.Project)
	w.settle()
	w.materialize(skewDay)
	w.ask(skewDay.Add(time.Minute), `{"service":"both","entities":{"id":[0,1,2,3]}}`)
	for hour := range 3 { // what is kept of a publication outlives several others
		if hour == 1 {
			w.writeSource(9)
			w.settle()
		}
		w.materialize(skewDay.Add(time.Duration(hour+1) * time.Hour))
	}
	both1 := func(r *SkewRequest) { r.Service = "both" }
	changed := `source_changed v@1 x {"id":3}: served 5, offline 9`
	r := w.skew(both1)
	if !r.OK || r.Counts != (skew.Counts{Equal: 7, SourceChanged: 1}) || !slices.Equal(told(r), []string{changed}) || !slices.Equal(r.Differences[0].Changed, []string{"source events"}) {
		t.Errorf("%+v\n%q", r, told(r))
	}
	w.corrupt("both@1", "y", 1.25, 1.5)
	r = w.skew(both1)
	want := []string{changed, `wrong u@1 y {"id":1}: served 1.5, offline 1.25`}
	if r.OK || r.Counts != (skew.Counts{Equal: 6, SourceChanged: 1, Wrong: 1}) || !slices.Equal(told(r), want) || r.Differences[0].Inputs != skew.SameInputs {
		t.Errorf("%+v\n%q", r, told(r))
	}
}

// A source is corrected, and computed again as of the same instant. What the first run has served is explained by the inputs of that run.
func TestTwoRunsAsOfOneInstant(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	w.serve()
	w.writeSource(9)
	w.settle()
	w.materialize(skewDay)
	w.serve()
	r := w.skew(nil)
	if !r.OK || r.Counts.Wrong != 0 || r.Counts.SourceChanged != 2 || r.Counts.Equal != 28 || len(r.Differences) != 2 || !slices.Equal(r.Differences[0].Changed, []string{"source events"}) {
		t.Errorf("%+v\n%q", r.Counts, told(r))
	}
}

// Projects may share a folder. Each replays its own rows only.
func TestRowsOfAnotherProject(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	w.serve()
	w.Settings.Project = "another"
	applyAll(w.t, w.Project)
	if r := w.skew(nil); r.OK || r.Logged != 0 {
		t.Errorf("%+v", r)
	}
}

// A file that cannot be read is named, and what the others hold is compared.
func TestAFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	w.serve()
	bad := filepath.Join(w.dir, "served", "services", "s@1", "20260301T000000Z-0000000000000000-0.parquet")
	if err := os.WriteFile(bad, []byte("PAR1 no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := w.skew(nil)
	if !r.OK || r.Compared != 8 || r.UnreadableN != 1 || len(r.Unreadable) != 1 || r.Unreadable[0].File != bad {
		t.Errorf("%+v", r)
	}
}

// A record in the store that no run wrote is wrong, with its key and its feature, and nothing else is.
func TestARecordThatWasTamperedWith(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	w.tamper(2, 7.5)
	w.serve()
	r := w.skew(nil)
	want := []string{
		`wrong cart@1 ratio {"id":2,"paid":1}: served 0.125, offline 0.36363636363636365`,
		`wrong v@1 x {"id":2,"paid":1}: served 7.5, offline 2.25`,
	}
	if r.OK || r.Counts.Wrong != 2 || r.Counts.Equal != 13 || r.Counts.SourceChanged+r.Counts.NotProvable != 0 || !slices.Equal(told(r), want) {
		t.Errorf("%+v\n%q", r.Counts, told(r))
	}
}

// A run was in flight when values were served: what it had written is explained by its instant, which the log has beside the
// published one, and what it had not written by the published one. A value of neither is wrong.
func TestWhatARunInFlightHasWritten(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	run := skewDay.Add(time.Hour)
	_, err := w.Materialize(ctx, MaterializeRequest{To: run, LeakCheck: "off", Progress: func(p materialize.Progress) {
		if p.Stage == materialize.StageWrite { // its batch is in the store, and it has not published
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.serveAt(run.Add(time.Minute))
	instants := ` of "2026-03-01T00:00:00Z" or "2026-03-01T01:00:00Z"`
	for _, row := range []string{"1 1.25", "2 102", "6 106"} {
		if got := w.logged(); !slices.Contains(got, row+instants) {
			t.Errorf("no row %q among %q", row+instants, got)
		}
	}
	if r := w.skew(nil); r.Counts != (skew.Counts{Equal: 15, Expired: 1}) || !r.OK {
		t.Errorf("%+v\n%q", r.Counts, told(r))
	}
	w.tamper(2, 2.25) // as it was before the run wrote it
	w.serveAt(run.Add(time.Minute))
	if got := w.logged(); !slices.Contains(got, "2 2.25"+instants) {
		t.Errorf("%q", got)
	}
	if r := w.skew(nil); r.Counts != (skew.Counts{Equal: 30, Expired: 2}) || !r.OK {
		t.Errorf("%+v\n%q", r.Counts, told(r))
	}
	w.tamper(2, 7.5)
	w.serveAt(run.Add(time.Minute))
	if r := w.skew(nil); r.OK || r.Counts != (skew.Counts{Equal: 43, Expired: 3, Wrong: 2}) || !strings.HasPrefix(told(r)[0], `wrong cart@1 ratio {"id":2,`) {
		t.Errorf("%+v\n%q", r.Counts, told(r))
	}
}

// Of a request column with log: false the log has nothing. What is computed from it is not provable, and everything else is compared.
func TestARequestColumnThatIsNotLogged(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	const paid = "{name: paid, type: float64"
	if err := os.WriteFile(filepath.Join(w.dir, "d.yaml"), []byte(strings.Replace(skewRepo, paid, paid+", log: false", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	applyAll(w.t, w.Project)
	w.tamper(2, 7.5)
	w.serve()
	r := w.skew(nil)
	if r.OK || r.Counts != (skew.Counts{Equal: 6, Expired: 1, Wrong: 1, NotProvable: 8}) || r.Compared != 8 || len(r.Reasons) != 1 || r.Reasons[0].Rows != 8 || !strings.Contains(r.Reasons[0].Reason, "request column paid") {
		t.Errorf("%+v\n%q", r, told(r))
	}
	if got := told(r); len(got) != 1 || got[0] != `wrong v@1 x {"id":2}: served 7.5, offline 2.25` {
		t.Errorf("%q", got)
	}
}

// Servers log with inputs, and then without them: some files have a request column that others lack.
func TestRequestColumnsThatSomeFilesLack(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	w.serve()
	w.Settings.Served.Inputs = servedlog.WithoutInputs
	w.serve()
	w.Settings.Served.Inputs = servedlog.WithInputs
	w.serve()
	r := w.skew(nil)
	if !r.OK || r.Counts != (skew.Counts{Equal: 37, Expired: 3, NotProvable: 8}) || r.Compared != 24 || len(r.Reasons) != 1 || r.Reasons[0].Rows != 8 {
		t.Errorf("%+v\n%q", r, told(r))
	}
}

// A registry that was recreated has other features under a name and version. Files of them are not taken for those of its own.
func TestAListOfAnotherRegistry(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	rev, err := w.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ref := fstore.ViewRef{Name: "s", Version: 1}
	list, err := rev.ServiceVersion(ref)
	if err != nil {
		t.Fatal(err)
	}
	l := &servedRows{rev: rev, lists: map[string]*fstore.FeatureList{}}
	info := servedlog.Info{Service: ref, Keys: servedlog.PlainKeys, Columns: list.KeyColumns(), Features: list.Describe().Features}
	if got := l.rows(&servedlog.Rows{Info: &info}).Problem; got != "" {
		t.Error(got)
	}
	info.Features = slices.Clone(info.Features)
	slices.Reverse(info.Features)
	if got := l.rows(&servedlog.Rows{Info: &info}).Problem; !strings.Contains(got, "other features") {
		t.Errorf("%q", got)
	}
}

// A log can be large, so a signal ends the reading.
func TestAnEndedContextEndsTheReadingOfALog(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	w.serve()
	rev, err := w.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	l := &servedRows{rev: rev, folder: w.Settings.Served.Path, of: &servedBy{project: w.Settings.Project, service: "s"}, lists: map[string]*fstore.FeatureList{}}
	fails := errors.New("a row was read")
	if err := l.Each(ctx, func(*skew.Rows) error { return fails }, func(string, error) {}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := l.Instants(ctx, func([]int64) error { return fails }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Without plain keys nothing can be compared, and the result says why.
func TestALogWithoutKeysProvesNothing(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	w.Settings.Served.Keys = "none"
	w.serve()
	r := w.skew(nil)
	if r.OK || r.Counts != (skew.Counts{NotProvable: 16}) || r.Compared != 0 || r.NotCompared != 8 || len(r.Reasons) != 1 || r.Reasons[0].Rows != 8 || !strings.Contains(r.Reasons[0].Reason, "serve.log.keys is none") {
		t.Errorf("%+v", r)
	}
}
