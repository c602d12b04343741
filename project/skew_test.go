package project

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/monitor/skew"
	"github.com/fstore-dev/fstore/server/servedlog"
)

// skewWorld is a small repo that is served, with everything logged.
type skewWorld struct {
	t *testing.T
	*Project
	dir string
}

type event struct {
	ID int64     `parquet:"id"`
	TS time.Time `parquet:"ts,timestamp(microsecond)"`
	X  *float64  `parquet:"x,optional"`
}

var skewDay = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

const skewRepo = `kind: entity
name: user
join_keys: [{name: id, type: int64}]
---
kind: source
name: events
path: data/events.parquet
event_timestamp: ts
---
kind: feature_view
name: v
entities: [user]
source: events
ttl: 30d
features: [{name: x, type: float64, default: -1}]
---
kind: on_demand_view
name: cart
request: [{name: paid, type: float64}]
uses: [v.x]
features: [{name: ratio, type: float64, expression: "paid / (v.x + 0.5)"}]
---
kind: feature_service
name: s
features: [v.*, cart.*]
`

func newSkewWorld(t *testing.T) *skewWorld {
	t.Helper()
	w := &skewWorld{t: t, dir: t.TempDir()}
	settings := "project: p\nserve: {grpc: 127.0.0.1:0, http: 127.0.0.1:0, metrics: 127.0.0.1:0, log: {path: served, sample: 100%}}\n"
	for name, text := range map[string]string{"fstore.yaml": settings, "d.yaml": skewRepo} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.writeSource(5)
	var err error
	if w.Project, err = Open(t.Context(), w.dir, Options{Lookup: func(string) (string, bool) { return "", false }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	w.apply()
	w.settle()
	if _, err := w.Materialize(t.Context(), MaterializeRequest{To: skewDay, LeakCheck: "off"}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *skewWorld) apply() {
	w.t.Helper()
	plan, err := w.Plan(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Apply(w.t.Context(), plan, ApplyOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// writeSource writes the events: user 3 has five as its value, 4 a null, 5 an event that is old, and 6 none. Half an hour into the
// day, users 2 and 6 have one more.
func (w *skewWorld) writeSource(five float64) {
	w.t.Helper()
	var rows []event
	for id := range int64(6) {
		x := float64(id) + 0.25
		e := event{id, skewDay.Add(-time.Hour), &x}
		switch id {
		case 3:
			*e.X = five
		case 4:
			e.X = nil
		case 5:
			e.TS = skewDay.AddDate(0, 0, -30)
		}
		rows = append(rows, e)
	}
	for _, id := range []int64{2, 6} {
		x := float64(id) + 100
		rows = append(rows, event{id, skewDay.Add(30 * time.Minute), &x})
	}
	path := filepath.Join(w.dir, "data", "events.parquet")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := parquet.WriteFile(path, rows); err != nil {
		w.t.Fatal(err)
	}
}

// settle returns once the source is old enough to be known by its times: a run that computes before cannot say from what. It gives up
// after two minutes.
func (w *skewWorld) settle() {
	w.t.Helper()
	rev, err := w.Revision(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	engine, err := w.openedEngine()
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer stop()
	for engine.Stamp(w.t.Context(), rev.View(fstore.ViewRef{Name: "v", Version: 1})) == "" {
		if err := fstore.Sleep(ctx, 50*time.Millisecond); err != nil {
			w.t.Fatal("the source has no stamp: ", err)
		}
	}
}

// serve asks for the users 0 to 6, a minute after the day began, and ends the server.
func (w *skewWorld) serve() { w.serveAt(skewDay.Add(time.Minute)) }

func (w *skewWorld) serveAt(at time.Time) {
	w.t.Helper()
	s, err := w.Server(w.t.Context(), ServerOptions{At: at})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	body := `{"service":"s","entities":{"id":[0,1,2,3,4,5,6,null],"paid":[1,1,1,1,1,1,1,null]}}`
	resp, err := http.Post("http://"+s.Addresses().HTTP.String()+"/v1/online-features", "application/json", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != 200 {
		w.t.Fatal(resp.Status, err)
	}
	stop()
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
}

func (w *skewWorld) skew(change func(*SkewRequest)) *skew.Result {
	w.t.Helper()
	r := SkewRequest{Service: "s"}
	if change != nil {
		change(&r)
	}
	result, err := w.Skew(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

// told returns the differences in short.
func told(r *skew.Result) []string {
	var out []string
	for _, d := range r.Differences {
		out = append(out, fmt.Sprintf("%s %s %s %s: served %s, offline %s", d.Outcome, d.View, d.Feature, d.Sent, d.Served, d.Offline))
	}
	slices.Sort(out)
	return out
}

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
	// A later publication replaces what is known of the one that was served.
	if _, err := w.Materialize(t.Context(), MaterializeRequest{To: skewDay.Add(time.Hour), LeakCheck: "off"}); err != nil {
		t.Fatal(err)
	}
	if r := w.skew(nil); r.OK || r.Counts.NotProvable != 2 || r.Counts.Unexplained != 2 {
		t.Errorf("%+v\n%q", r.Counts, told(r))
	}
}

// A source is corrected, and computed again as of the same instant. The inputs of the second run say nothing of what the first served.
func TestTwoRunsAsOfOneInstant(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	w.serve()
	w.writeSource(9)
	w.settle()
	if _, err := w.Materialize(t.Context(), MaterializeRequest{To: skewDay, LeakCheck: "off"}); err != nil {
		t.Fatal(err)
	}
	w.serve()
	r := w.skew(nil)
	if r.OK || r.Counts.Wrong != 0 || r.Counts.Unexplained != 2 || r.Counts.Equal != 28 || len(r.Differences) != 2 || r.Differences[0].Inputs != skew.Unknown {
		t.Errorf("%+v\n%q", r.Counts, told(r))
	}
}

// Projects may share a folder. Each replays its own rows only.
func TestRowsOfAnotherProject(t *testing.T) {
	t.Parallel()
	w := newSkewWorld(t)
	w.serve()
	w.Settings.Project = "another"
	w.apply()
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

// logged returns the rows of the log: the user, the feature x, and the instants that v was published and run at.
func (w *skewWorld) logged() (rows []string) {
	w.t.Helper()
	err := servedlog.Read(w.Settings.Served.Path, servedlog.Reader{Chosen: func(*servedlog.Info) bool { return true }, Do: func(b *servedlog.Rows) error {
		for row := range b.Len {
			rows = append(rows, fmt.Sprintf("%s %s of %s or %s", b.Keys[0].AppendJSON(nil, row), b.Features[0].AppendJSON(nil, row),
				b.Views[0].Published.AppendJSON(nil, row), b.Views[0].RunAt.AppendJSON(nil, row)))
		}
		return nil
	}, Unreadable: func(path string, err error) { w.t.Errorf("%s: %v", path, err) }})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// tamper writes a record for a user that look-ups accept.
func (w *skewWorld) tamper(id int64, x float64) {
	w.t.Helper()
	ctx, ref := w.t.Context(), fstore.ViewRef{Name: "v", Version: 1}
	store, err := w.openedStore()
	if err != nil {
		w.t.Fatal(err)
	}
	rev, err := w.Revision(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	p, _, err := store.Pointer(ctx, ref)
	if err != nil {
		w.t.Fatal(err)
	}
	fence, _, err := store.Fence(ctx, ref, p.Generation)
	if err != nil {
		w.t.Fatal(err)
	}
	encoder, err := store.Encoder(rev.View(ref), p.Generation)
	if err != nil {
		w.t.Fatal(err)
	}
	b := &fstore.Batch{Columns: []fstore.Column{fstore.NewColumn("id", fstore.Int64, 1), fstore.NewColumn("event", fstore.Timestamp, 1), fstore.NewColumn("x", fstore.Float64, 1)}, Len: 1}
	b.Columns[0].Append(id)
	b.Columns[1].Append(skewDay.Add(-time.Hour))
	b.Columns[2].Append(x)
	key, record, err := encoder.Encode(b, 0, nil, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := store.WriteBatch(ctx, fence, fence, [][]byte{key}, [][]byte{record}, nil); err != nil {
		w.t.Fatal(err)
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
