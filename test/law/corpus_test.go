package law

import (
	"fmt"
	"path/filepath"
	"sort"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
)

// repo returns the files of a case's repo, having written its data.
func (c *testCase) repo(t testing.TB, dir string) map[string]string {
	t.Helper()
	writeTable(t, filepath.Join(dir, "src.parquet"), c.columns, c.rows)
	files := map[string]string{"fstore.yaml": "project: law\n", "defs.yaml": c.yaml("src.parquet")}
	if c.sql != "" {
		files["v.sql"] = c.sql
	}
	return files
}

// The corpus holds for training sets, on one and several threads, below and above the 64 labels at which DuckDB
// changes its plan.
func TestTrainingAgreesWithTheCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range readCases(t, "testdata/*.case") {
		t.Run(c.name, func(t *testing.T) { trainingAgrees(t, &c, tempDir(t)) })
	}
}

func trainingAgrees(t testing.TB, c *testCase, dir string) {
	files := c.repo(t, dir)
	for _, threads := range []int{1, 4} {
		w := newWorld(t, dir, threads, files)
		list := w.service(t, w.apply(t), "s")
		for _, padded := range []bool{false, true} {
			labels := c.labels
			for padded && len(labels) < 200 {
				labels = append(labels[:len(labels):len(labels)], c.labels...)
			}
			got, summary := w.training(t, list, labels)
			if c.sql == "" {
				c.explains(t, labels, summary)
			}
			for i := range labels {
				compareRow(t, c, fmt.Sprintf("training, %d threads, %d labels", threads, len(labels)), i%len(c.labels), got[i])
			}
		}
		w.close(t)
	}
}

// explains compares what a training set's summary says of its labels with the oracle's reasons.
func (c *testCase) explains(t testing.TB, labels []label, summary *offline.TrainingSummary) {
	t.Helper()
	want, history := map[outcome]int64{}, c.history()
	for _, l := range labels {
		_, why := lookup(&c.view, history, l.key, l.at)
		want[why]++
		if late(&c.view, history, l.key, l.at) {
			want["late"]++
		}
		if unpublished(&c.view, history, l.key, l.at) {
			want["unpublished"]++
		}
	}
	s := summary.Views[0]
	got := map[outcome]int64{found: s.WithValue, stale: s.Stale, notAvailable: s.NotAvailable, noRow: s.NoRow, "late": s.Late, "unpublished": s.Unpublished}
	for why := range got {
		if got[why] != want[why] {
			t.Fatalf("%s:%d %s: the summary counts %v, the oracle %v\n%s", c.file, c.line, c.name, got, want, c.text())
		}
	}
}

// The corpus holds for materialize and get on every backend: for each label, publish P(T), then get at T.
func TestGetAgreesWithTheCorpus(t *testing.T) {
	t.Parallel()
	url := startRedis(t)
	for n, c := range readCases(t, "testdata/*.case") {
		t.Run(c.name, func(t *testing.T) { getAgrees(t, &c, tempDir(t), url, fmt.Sprintf("corpus%d", n)) })
	}
}

func getAgrees(t testing.TB, c *testCase, dir, url, project string) {
	w := newWorld(t, dir, 2, c.repo(t, dir))
	defer w.close(t)
	list := w.service(t, w.apply(t), "s")
	v := list.Uses[0].Version
	holders := backends(t, dir, url, project)
	defer closeAll(t, holders)
	// in order of time, so that nothing is rewound
	order := make([]int, len(c.labels))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return c.labels[order[a]].at < c.labels[order[b]].at })
	for n, i := range order {
		l := c.labels[i]
		if n == 0 || c.labels[order[n-1]].at != l.at {
			w.publishAll(t, holders, 0, fstore.Micros(c.view.Publish.Servable(fstore.FromMicros(l.at))), v)
		}
		for _, h := range holders {
			got := w.get(t, h, list, [][]any{l.key}, l.at)
			compareRow(t, c, "get from "+h.name, i, got[0])
		}
	}
}

// compareRow fails where the features of label i differ from what the case expects.
func compareRow(t testing.TB, c *testCase, engine string, i int, got []any) {
	t.Helper()
	for f := range c.view.Features {
		if !same(got[f], c.expected[i][f]) {
			t.Fatalf("%s:%d %s: %s: label %v at %d: %s = %v, want %v\n%s", c.file, c.line, c.name, engine,
				c.labels[i].key, c.labels[i].at, c.view.Features[f].Name, got[f], c.expected[i][f], c.text())
		}
	}
}

// text shows a generated case.
func (c *testCase) text() string {
	if c.file != "generated" {
		return ""
	}
	s := c.yaml("src.parquet")
	for _, f := range c.columns {
		s += f.Name + " "
	}
	s += "\n"
	for _, r := range c.rows {
		s += fmt.Sprintf("%v\n", r)
	}
	return s
}

// What the corpus says of hand-written cases holds for generated ones.
func TestGeneratedCasesAgreeWithTheOracle(t *testing.T) {
	t.Parallel()
	url := startRedis(t)
	root, n := tempDir(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		c := drawCase(rt)
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		trainingAgrees(fatal{t, rt}, &c, dir)
		if len(c.labels) > 20 {
			c.labels, c.expected = c.labels[:20], c.expected[:20]
		}
		getAgrees(fatal{t, rt}, &c, dir, url, fmt.Sprintf("generated%d", n))
	})
}

// fatal lets a check of rapid use the helpers of a test: a failure is rapid's, so that it shrinks the case.
type fatal struct {
	testing.TB
	rt *rapid.T
}

func (f fatal) Fatal(args ...any)                 { f.rt.Helper(); f.rt.Fatal(args...) }
func (f fatal) Fatalf(format string, args ...any) { f.rt.Helper(); f.rt.Fatalf(format, args...) }
func (f fatal) Error(args ...any)                 { f.rt.Helper(); f.rt.Error(args...) }
func (f fatal) Errorf(format string, args ...any) { f.rt.Helper(); f.rt.Errorf(format, args...) }
func (f fatal) Helper()                           {}
