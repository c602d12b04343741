package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	fstore "github.com/fstore-dev/fstore"
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

const skewRepo = usersAndEvents + `kind: feature_view
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
	applyAll(w.t, w.Project)
	w.settle()
	w.materialize(skewDay)
	return w
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

// settle returns once the sources are old enough to be known by their times: a run that computes before cannot say from what. It gives up
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
	for _, name := range []string{"v", "u"} {
		v := rev.View(fstore.ViewRef{Name: name, Version: 1})
		for v != nil && engine.Stamp(w.t.Context(), v) == "" {
			if err := fstore.Sleep(ctx, 50*time.Millisecond); err != nil {
				w.t.Fatal("the sources have no stamp: ", err)
			}
		}
	}
}

// serve asks for the users 0 to 6, a minute after the day began, and ends the server.
func (w *skewWorld) serve() { w.serveAt(skewDay.Add(time.Minute)) }

func (w *skewWorld) serveAt(at time.Time) {
	w.t.Helper()
	w.ask(at, `{"service":"s","entities":{"id":[0,1,2,3,4,5,6,null],"paid":[1,1,1,1,1,1,1,null]}}`)
}

// ask sends one request to a server of its own.
func (w *skewWorld) ask(at time.Time, body string) {
	w.t.Helper()
	s, err := w.Server(w.t.Context(), ServerOptions{At: at})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
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

func (w *skewWorld) materialize(to time.Time) {
	w.t.Helper()
	if _, err := w.Materialize(w.t.Context(), MaterializeRequest{To: to, LeakCheck: "off"}); err != nil {
		w.t.Fatal(err)
	}
}

// corrupt changes a value of a column in the sealed file of a service's log.
func (w *skewWorld) corrupt(service, column string, was, is float64) {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "served", "services", service, "*.parquet"))
	if err != nil || len(files) != 1 {
		w.t.Fatal(files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		w.t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		w.t.Fatal(err)
	}
	info, _ := file.Lookup("fstore")
	leaf, ok := file.Schema().Lookup(column)
	if !ok {
		w.t.Fatalf("there is no column %s", column)
	}
	rows := make([]parquet.Row, file.NumRows())
	if _, err := file.RowGroups()[0].Rows().ReadRows(rows); err != nil && !errors.Is(err, io.EOF) {
		w.t.Fatal(err)
	}
	changed := 0
	for _, row := range rows {
		for i, v := range row {
			if v.Column() == leaf.ColumnIndex && !v.IsNull() && v.Double() == was {
				row[i] = parquet.DoubleValue(is).Level(v.RepetitionLevel(), v.DefinitionLevel(), v.Column())
				changed++
			}
		}
	}
	var out bytes.Buffer
	to := parquet.NewGenericWriter[any](&out, file.Schema(), parquet.KeyValueMetadata("fstore", info))
	if _, err := to.WriteRows(rows); err != nil {
		w.t.Fatal(err)
	}
	if err := to.Close(); err != nil || changed != 1 {
		w.t.Fatal(changed, err)
	}
	if err := os.WriteFile(files[0], out.Bytes(), 0o600); err != nil {
		w.t.Fatal(err)
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
