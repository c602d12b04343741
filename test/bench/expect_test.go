package bench

import (
	"context"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/monitor/expect"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/test/free"
)

// checks lets every run check the expectations of its view, as materialize does.
type checks struct {
	rows *expect.Run
	took *time.Duration // of all runs, in Rows
}

func (checks) Rules(*fstore.ViewVersion) string { return "expect" }

func (c checks) Inspect(v *fstore.ViewVersion, _ time.Time) (materialize.Inspection, error) {
	run, err := expect.Begin(expect.OfView(&v.View), expect.ViewColumns(&v.View), expect.Shown)
	return checks{run, c.took}, err
}

func (c checks) Rows(b *fstore.Batch) error {
	began := time.Now()
	c.rows.Rows(b)
	*c.took += time.Since(began)
	return nil
}

func (c checks) Judge(ctx context.Context, change materialize.Change) (materialize.Verdict, error) {
	results, err := c.rows.Results(ctx, expect.Facts{At: change.Publishes.Published})
	if err != nil {
		return materialize.Verdict{}, err
	}
	return materialize.Verdict{Refused: expect.Error(results)}, nil
}

// BenchmarkExpectations measures what ten expectations add to a run over 1M keys with ten features that finds nothing to write:
// the shortest run there is. The limit is the same run without them. The two take turns; the goal is at most 1.1.
func BenchmarkExpectations(b *testing.B) {
	dir := b.TempDir()
	v := wideView("wide", 10)
	v.Sources = []fstore.Source{{Name: "rows", Path: filepath.Join(dir, "rows.parquet"), Event: "event"}}
	v.View.Source, v.View.Inputs = "rows", []string{"rows"}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	generate(b, db, v, 0)
	low, high := json.RawMessage("0"), json.RawMessage("1e6")
	for i := range v.View.Features {
		e := fstore.Expectation{Check: fstore.ExpectBetween, Low: low, High: high}
		switch i {
		case 0, 1:
			e = fstore.Expectation{Check: fstore.ExpectNotNull}
		case 2:
			e = fstore.Expectation{Check: fstore.ExpectNullRate, Max: 0.01}
		case 3, 4:
			e = fstore.Expectation{Check: fstore.ExpectMean, Low: low, High: high}
		}
		v.View.Features[i].Expect = []fstore.Expectation{e}
	}
	engine, err := offline.Open(offline.Options{MemoryLimit: "4GB", TempDir: filepath.Join(dir, "tmp"), Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	store, hours := online.New(memory.New(), "p"), 0
	run := func(inspectors ...materialize.Inspector) float64 {
		hours++
		began, now := time.Now(), epoch.Add(time.Duration(hours)*time.Hour)
		if _, err := materialize.Run(context.Background(), materialize.Options{
			Views: []*fstore.ViewVersion{v}, To: now, Now: func() time.Time { return now }, State: filepath.Join(dir, "state"),
			Source: engine, Sink: project.Sink{Store: store}, Leases: &free.Leases{}, Clock: project.Clock{Time: time.Now}, Inspectors: inspectors,
		}); err != nil {
			b.Fatal(err)
		}
		return time.Since(began).Seconds()
	}
	run()
	var without, with []float64
	var took time.Duration
	for b.Loop() {
		without, with = append(without, run()), append(with, run(checks{took: &took}))
	}
	median := func(x []float64) float64 { slices.Sort(x); return x[len(x)/2] }
	b.ReportMetric(took.Seconds()/float64(len(with)), "checking_s") // by the clock, so with the pauses of a busy machine
	b.ReportMetric(median(with), "checked_s")
	b.ReportMetric(median(without), "limit_s")
	b.ReportMetric(median(with)/median(without), "x_of_limit")
	b.ReportMetric(0, "ns/op")
}
