package project

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/online/answers"
	"github.com/fstore-dev/fstore/server/servedlog"
)

const servedRepo = usersAndEvents + `kind: feature_view
name: v
entities: [user]
source: events
features: [{name: n, type: int64, default: 0}, {name: x, type: float64}, {name: c, type: string}, {name: b, type: bool}, {name: t, type: timestamp}, {name: e, type: list<float32>}]
---
kind: feature_service
name: s
features: [v.*]
`

// servedRow is a row of the source, and of the file to which the log is compared.
type servedRow struct {
	ID int64      `parquet:"id"`
	TS time.Time  `parquet:"ts,timestamp(microsecond)"`
	N  *int64     `parquet:"n,optional"`
	X  *float64   `parquet:"x,optional"`
	C  *string    `parquet:"c,optional"`
	B  *bool      `parquet:"b,optional"`
	T  *time.Time `parquet:"t,optional,timestamp(microsecond)"`
	E  []float32  `parquet:"e,list"`

	statuses [6]answers.Status // n to e
}

// servedWorld is a repo with a training set t, to which version 1 of model m is pinned.
type servedWorld struct {
	t *testing.T
	*Project
	rand *rand.Rand
	dir  string
	log  string
}

var servedDay = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func newServedWorld(t *testing.T) *servedWorld {
	t.Helper()
	w := &servedWorld{t: t, dir: t.TempDir(), rand: rand.New(rand.NewPCG(3, 5))}
	w.log = filepath.Join(w.dir, "served")
	for name, text := range map[string]string{"fstore.yaml": "project: p\nserve: {log: {path: served}}\n", "d.yaml": servedRepo} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rows := w.rows(900, 0)
	for i := range rows {
		rows[i].ID = int64(i)
	}
	w.write("data/events.parquet", rows)
	type label struct {
		ID int64     `parquet:"id"`
		At time.Time `parquet:"event_timestamp,timestamp(microsecond)"`
	}
	var labels []label
	for i := range rows {
		labels = append(labels, label{int64(i), servedDay.Add(48 * time.Hour)})
	}
	if err := parquet.WriteFile(filepath.Join(w.dir, "labels.parquet"), labels); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.Project, err = Open(t.Context(), w.dir, Options{Lookup: func(string) (string, bool) { return "", false }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	applyAll(w.t, w.Project)
	w.train("t")
	w.pin("1", "t")
	return w
}

func (w *servedWorld) train(name string) {
	w.t.Helper()
	if _, err := w.CreateTrainingSet(w.t.Context(), TrainingSetRequest{
		Name: name, Selection: Selection{Service: "s"}, Labels: filepath.Join(w.dir, "labels.parquet"), Out: filepath.Join(w.dir, name+".parquet"), LeakCheck: "off",
	}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *servedWorld) pin(version, set string) {
	w.t.Helper()
	if _, err := w.Pin(w.t.Context(), PinRequest{Model: fstore.ModelRef{Name: "m", Version: version}, TrainingSet: set}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *servedWorld) write(name string, rows []servedRow) {
	w.t.Helper()
	path := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := parquet.WriteFile(path, rows); err != nil {
		w.t.Fatal(err)
	}
}

// rows returns rows within two days whose numbers are moved.
func (w *servedWorld) rows(n int, moved float64) []servedRow {
	out := make([]servedRow, n)
	for i := range out {
		r := &out[i]
		r.TS = servedDay.Add(time.Duration(w.rand.Int64N(int64(48 * time.Hour)))).Truncate(time.Microsecond)
		number, x, c, b, t := int64(w.rand.NormFloat64()*20+20*moved), w.rand.NormFloat64()+moved, string(rune('A'+w.rand.IntN(4+int(moved)))), w.rand.IntN(3) == 0, r.TS.Add(-time.Duration(w.rand.Int64N(1e15))).Truncate(time.Microsecond)
		switch w.rand.IntN(40) {
		case 0:
			x = math.NaN()
		case 1:
			x = math.Inf(-1)
		}
		r.N, r.E = &number, []float32{float32(x), 1}
		if w.rand.IntN(10) > 0 {
			r.X, r.C, r.B, r.T = &x, &c, &b, &t
		}
		for f := range r.statuses {
			if w.rand.IntN(8) == 0 {
				r.statuses[f] = answers.Status(w.rand.IntN(answers.Statuses))
			}
		}
	}
	return out
}

// answer returns rows as an answer.
func (w *servedWorld) answer(rows []servedRow) *servedlog.Served {
	types := []fstore.Type{fstore.Int64, fstore.Float64, fstore.String, fstore.Bool, fstore.Timestamp, fstore.List(fstore.Float32)}
	s := &servedlog.Served{At: rows[0].TS, Columns: []fstore.Column{fstore.NewColumn("id", fstore.Int64, 0)}, Answer: &answers.Answer{
		Rows: len(rows), Versions: []answers.Version{{Ref: fstore.ViewRef{Name: "v", Version: 1}}},
	}}
	for i, name := range []string{"n", "x", "c", "b", "t", "e"} {
		f := answers.Feature{Column: fstore.NewColumn(name, types[i], 0)}
		for _, r := range rows {
			f.Statuses = append(f.Statuses, r.statuses[i])
		}
		s.Answer.Features = append(s.Answer.Features, f)
	}
	for _, r := range rows {
		s.Columns[0].Append(r.ID)
		for i, v := range []any{deref(r.N), deref(r.X), deref(r.C), deref(r.B), deref(r.T), r.E} {
			c := &s.Answer.Features[i].Column
			switch v := v.(type) {
			case nil:
				c.AppendNull()
			case []float32:
				list := fstore.Column{Type: fstore.Float32, Len: len(v), Float32s: v}
				c.AppendList(&list)
			default:
				c.Append(v)
			}
		}
	}
	return s
}

func deref[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// server writes answers to the log as a server does, and returns a function that ends it. Rows at the same instant are one answer.
func (w *servedWorld) server(model string, rows []servedRow, change func(*servedlog.Options)) (stop func()) {
	w.t.Helper()
	rev, err := w.Revision(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	list, err := rev.HeadService("s")
	if model != "" {
		list, err = rev.ModelFeatures(fstore.ModelRef{Name: "m", Version: model})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	o := servedlog.Options{Path: w.log, Sample: 1, By: servedlog.ByRequest, Keys: servedlog.PlainKeys, Project: "p", Clock: func() time.Time { return servedDay }}
	if change != nil {
		change(&o)
	}
	log := servedlog.New(o)
	plan := log.Plan(list, nil, answers.Builds{})
	ctx, end := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() { log.Run(ctx); close(done) }()
	for _, r := range rows {
		for {
			before := log.Dropped()
			log.Add(plan, w.answer([]servedRow{r}))
			if log.Dropped() == before {
				break
			}
			_ = fstore.Sleep(ctx, time.Millisecond) // the queue is full
		}
	}
	for log.Rows() < int64(len(rows)) && o.Sample == 1 {
		if err := fstore.Sleep(w.t.Context(), 10*time.Millisecond); err != nil {
			w.t.Fatal(err)
		}
	}
	stop = func() { end(); <-done }
	w.t.Cleanup(stop)
	return stop
}

func (w *servedWorld) drift(change func(*DriftRequest)) *drift.Comparison {
	w.t.Helper()
	r := DriftRequest{Reference: "t", Current: DriftServed, Options: drift.Options{MinRows: 200, ShareLimit: 0.5}}
	change(&r)
	c, err := w.Drift(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// Served rows are compared as the same rows in a file are: sealed and in the stream of a server that runs, of several servers, in
// windows or all, for all types.
func TestServedRowsAreComparedAsThoseOfAFile(t *testing.T) {
	t.Parallel()
	w := newServedWorld(t)
	if err := os.Remove(filepath.Join(w.dir, "t.parquet")); err != nil { // or else KS of the file would be exact, which that of a log cannot be
		t.Fatal(err)
	}
	rows := w.rows(1500, 0.6)
	w.write("same.parquet", rows)
	w.server("1", rows[:700], nil)()
	w.server("1", rows[700:900], nil)()
	w.server("1", rows[900:], nil) // goes on
	w.server("", w.rows(50, 9), nil)()
	w.server("1", w.rows(50, 9), func(o *servedlog.Options) { o.Project = "another" })()
	if parts, err := filepath.Glob(filepath.Join(w.log, "models", "m@1", "*")); err != nil || len(parts) != 5 {
		t.Fatal("two sealed files of this project, one of another, a stream and its sums are expected: ", parts, err)
	}
	to := servedDay.Add(40 * time.Hour)
	for name, change := range map[string]func(*DriftRequest){
		"all":       func(*DriftRequest) {},
		"by day":    func(r *DriftRequest) { r.By = drift.Day },
		"by hour":   func(r *DriftRequest) { r.By, r.Window = drift.Hour, 30*time.Hour },
		"window":    func(r *DriftRequest) { r.Window = 20 * time.Hour },
		"to":        func(r *DriftRequest) { r.To = &to },
		"window to": func(r *DriftRequest) { r.To, r.Window = &to, 9*time.Hour },
		"too few":   func(r *DriftRequest) { r.Window = time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			got := w.drift(change)
			want := w.drift(func(r *DriftRequest) {
				change(r)
				r.Current, r.Timestamp = filepath.Join(w.dir, "same.parquet"), "ts"
			})
			if log := got.Current.Log; log == nil || len(log.Lists) != 1 || log.Lists[0].Model != "m@1" || log.Lists[0].Rows != want.Current.Rows || log.UnreadableFiles != 0 {
				t.Errorf("%+v", log)
			}
			if name == "all" {
				checkLookUps(t, got, rows)
			}
			for i := range got.Features {
				got.Features[i].LookUps = nil
				for j := range got.Features[i].Windows {
					got.Features[i].Windows[j].LookUps = nil
				}
			}
			got.Current = drift.Side{From: got.Current.From, To: got.Current.To, Rows: got.Current.Rows}
			want.Current = drift.Side{From: want.Current.From, To: want.Current.To, Rows: want.Current.Rows}
			if diff := cmp.Diff(want, got, near); diff != "" {
				t.Errorf("-file +served:\n%s", diff)
			}
			if want.Current.Rows == 0 || name == "all" && want.Current.Rows != 1500 {
				t.Error("rows", want.Current.Rows)
			}
		})
	}
}

// near compares sums that were added up in another order.
var near = cmp.Comparer(func(a, b float64) bool { return a == b || math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) })

func checkLookUps(t *testing.T, c *drift.Comparison, rows []servedRow) {
	t.Helper()
	for i, f := range c.Features {
		var want drift.LookUps
		for _, r := range rows {
			switch r.statuses[i] {
			case answers.NotFound:
				want.NotFound++
			case answers.OutsideMaxAge:
				want.OutsideMaxAge++
			case answers.Present, answers.NullValue:
			}
		}
		if f.LookUps == nil || *f.LookUps != want || want.NotFound == 0 {
			t.Errorf("%s: %+v, not %+v", f.Name, f.LookUps, want)
		}
	}
}

// Those answers are compared that the request names, or else those of the one model that is pinned to the training set.
func TestWhoseAnswersAreCompared(t *testing.T) {
	t.Parallel()
	w := newServedWorld(t)
	w.server("1", w.rows(30, 0), nil)()
	w.server("", w.rows(20, 0), nil)()
	ask := func(change func(*DriftRequest)) (*drift.Comparison, error) {
		r := DriftRequest{Reference: "t", Current: DriftServed, Options: drift.Options{MinRows: 200, ShareLimit: 0.5}}
		if change != nil {
			change(&r)
		}
		return w.Drift(t.Context(), r)
	}
	rows := func(want int64, change func(*DriftRequest)) {
		t.Helper()
		if c, err := ask(change); err != nil || c.Current.Rows != want {
			t.Errorf("%+v, %v; not %d rows", c, err, want)
		}
	}
	refused := func(kind error, says string, change func(*DriftRequest)) {
		t.Helper()
		if _, err := ask(change); !errors.Is(err, kind) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, not %v with %q", err, kind, says)
		}
	}
	service := func(r *DriftRequest) { r.Service = "s" }
	rows(30, nil)
	rows(30, func(r *DriftRequest) { r.Reference = filepath.Join(w.dir, "t.lock.json") })
	rows(20, service)
	refused(fstore.ErrUsage, "a service or of a model", func(r *DriftRequest) { r.Service, r.Model = "s", fstore.ModelRef{Name: "m", Version: "1"} })
	refused(fstore.ErrNotFound, "has no version", func(r *DriftRequest) { r.Model = fstore.ModelRef{Name: "m", Version: "9"} })
	refused(fstore.ErrNotFound, "no served log at nowhere", func(r *DriftRequest) { r.Log = "nowhere" })
	refused(fstore.ErrUsage, "instant of their answer", func(r *DriftRequest) { r.Timestamp = "ts" })
	refused(fstore.ErrUsage, "which answers of the served log", func(r *DriftRequest) { service(r); r.Current = DriftStore })
	w.pin("2", "t")
	refused(fstore.ErrUsage, "several models: m@1, m@2", nil)
	w.train("another")
	refused(fstore.ErrUsage, "no model is pinned to training set another", func(r *DriftRequest) { r.Reference = "another" })
	rows(0, func(r *DriftRequest) { r.Model = fstore.ModelRef{Name: "m", Version: "2"} })
	if c, err := ask(func(r *DriftRequest) { r.Model, r.Window = fstore.ModelRef{Name: "m", Version: "2"}, time.Hour }); err != nil || c.Verdict != drift.TooFew || c.Counts.TooFew != 6 {
		t.Errorf("%+v, %v", c, err)
	}
}

// What is not compared is told: other versions of a view, rows that are lost, and that the log is a sample.
func TestWhatOfTheLogIsNotCompared(t *testing.T) {
	t.Parallel()
	w := newServedWorld(t)
	w.server("", w.rows(300, 0), nil)()
	rows := w.rows(4000, 0)
	for i := range rows {
		rows[i].ID = int64(i)
	}
	w.server("", rows, func(o *servedlog.Options) { o.Sample, o.By = 0.05, servedlog.ByKey })()
	d, err := os.ReadFile(filepath.Join(w.dir, "d.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(d), "source: events\n", "source: events\nttl: 9d\n", 1)
	if err := os.WriteFile(filepath.Join(w.dir, "d.yaml"), []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if w.Project, err = Open(t.Context(), w.dir, Options{Lookup: func(string) (string, bool) { return "", false }}); err != nil {
		t.Fatal(err)
	}
	applyAll(w.t, w.Project)
	w.server("", w.rows(250, 5), nil)()
	sealed, err := filepath.Glob(filepath.Join(w.log, "services", "s@1", "*.parquet"))
	if err != nil || len(sealed) != 2 {
		t.Fatal(sealed, err)
	}
	c := w.drift(func(r *DriftRequest) { r.Service = "s" })
	log := c.Current.Log
	if len(log.Lists) != 2 || len(log.Samples) != 2 || log.UnreadableFiles != 0 || len(log.Versions) != 1 || log.Versions[0] != (drift.ServedVersion{View: fstore.ViewRef{Name: "v", Version: 2}, Rows: 250}) {
		t.Errorf("%+v", log)
	}
	sampled := log.Samples[0].Rows
	if log.Samples[0].Share == 1 {
		sampled = log.Samples[1].Rows
	}
	if c.Current.Rows != 550+sampled || sampled < 100 || sampled > 300 || c.Features[0].Current.Rows != 300+sampled {
		t.Errorf("%d rows, %+v", c.Current.Rows, log.Samples)
	}
	text := DriftSideText(&c.Current)
	for _, part := range []string{"answers of service s@1, service s@2", "a sample of 5 % by key"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
	if notes := DriftNotes(c); len(notes) != 1 || !strings.Contains(notes[0], "250 rows have v@2") {
		t.Errorf("%q", notes)
	}

	data, err := os.ReadFile(sealed[0])
	if err != nil {
		t.Fatal(err)
	}
	data[100] ^= 1 // in the instants, which are the first column
	if err := os.WriteFile(sealed[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	c = w.drift(func(r *DriftRequest) { r.Service = "s" })
	if log := c.Current.Log; log.UnreadableFiles != 1 || len(log.Unreadable) != 1 || log.Unreadable[0].File != sealed[0] || log.LostRows != 300 && log.LostRows != sampled || c.Current.Rows != 550+sampled-log.LostRows {
		t.Errorf("%d rows, %+v", c.Current.Rows, log)
	}
	if notes := DriftNotes(c); len(notes) != 2 || !strings.Contains(notes[1], "1 file cannot be read to the end") {
		t.Errorf("%q", notes)
	}
}
