package law

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/registry"
)

// rebuilds is how often a training set over real data is made again in each way. -rebuilds=20 is the long run.
var rebuilds = flag.Int("rebuilds", 1, "how often a training set over real data is made again in each way")

// A training set is made again from its lock: the same content and bytes, by an engine that knows nothing but the lock
// and the data, whatever the definitions have become, in whatever order the rows are now, and whatever was created
// after the cut-off.
func TestATrainingSetIsMadeAgainWhateverHeadIs(t *testing.T) {
	t.Parallel()
	root, n := tempDir(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		rebuildStory(fatal{t, rt}, rt, filepath.Join(root, fmt.Sprint(n)))
	})
}

func rebuildStory(t testing.TB, rt *rapid.T, dir string) {
	s, later := drawStory(rt), drawStory(rt)
	rows := s.chapters[len(s.chapters)-1].rows
	data := filepath.Join(dir, "src", "1.parquet")
	writeTable(t, filepath.Join(dir, "dim.parquet"), []fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "d", Type: fstore.String}},
		[][]any{{int64(1), "one"}, {int64(2), "two"}, {int64(2), "zwei"}})
	writeTable(t, data, srcColumns, rows)
	w := newWorld(t, dir, rapid.IntRange(1, 3).Draw(rt, "threads"), s.repo())
	defer w.close(t)
	asOf := rapid.Int64Range(-20, 60).Draw(rt, "as of")
	l, text := w.locked(t, rt, asOf)

	// head becomes something else, and the data grows
	for _, pattern := range []string{"*.sql", "*.yaml"} {
		old, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, file := range old {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.write(t, later.repo())
	w.apply(t)
	writeTable(t, filepath.Join(dir, "src", "2.parquet"), srcColumns, later.chapters[0].rows)
	var now [][]any
	for i := range rows { // in another order
		now = append(now, rows[len(rows)-1-i])
	}
	if s.byCreate {
		for _, r := range rows { // and rows that were not known then
			r = append([]any{}, r...)
			r[3], r[4] = asOf+1+rapid.Int64Range(0, 5).Draw(rt, "created later"), int64(77)
			now = append(now, r)
		}
	}
	writeTable(t, data, srcColumns, now)

	elsewhere, err := offline.Open(offline.Options{
		Threads: rapid.IntRange(1, 4).Draw(rt, "threads"), MemoryLimit: rapid.SampledFrom([]string{"128MB", "1GB"}).Draw(rt, "memory"), TempDir: filepath.Join(dir, ".tmp"), Dir: os.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	out := filepath.Join(dir, "again.parquet")
	inputs, err := trainset.FindInputs(context.Background(), elsewhere, l, trainset.Search{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := trainset.Rebuild(context.Background(), elsewhere, trainset.RebuildRequest{Lock: l, Text: text, Inputs: inputs, Out: out, Now: far})
	if err != nil {
		t.Fatalf("%v\n%s", err, w.definitions())
	}
	if !r.Same || !r.SameBytes || r.Out != out || len(r.Columns) != 0 {
		t.Fatalf("as of %d it comes out different: %+v\n%s", asOf, r, text)
	}
}

// some returns a list of three uses of a list, with their features.
func some(rt *rapid.T, all *fstore.FeatureList) *fstore.FeatureList {
	list := &fstore.FeatureList{Service: all.Service}
	place := map[int]int{} // of a use of all in list
	for _, use := range rapid.Permutation(indexes(len(all.Uses))).Draw(rt, "uses")[:3] {
		place[use] = len(list.Uses)
		list.Uses = append(list.Uses, all.Uses[use])
	}
	for _, o := range all.Outputs {
		f := o.(fstore.FeatureOutput)
		if use, ok := place[f.Use]; ok {
			f.Use = use
			list.Outputs = append(list.Outputs, f)
		}
	}
	return list
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// locked makes a training set of some views, with labels from a file or from a query that leaves their order open.
func (w *world) locked(t testing.TB, rt *rapid.T, asOf int64) (*lock.Lock, []byte) {
	t.Helper()
	rev := w.apply(t)
	at := fstore.FromMicros(asOf)
	req := offline.TrainingRequest{Name: "t", List: some(rt, w.service(t, rev, "all")), Out: filepath.Join(w.dir, "out.parquet"), Now: far, AsOf: &at}
	if rapid.Bool().Draw(rt, "labels by query") {
		req.Labels.SQL = rapid.SampledFrom([]string{
			"SELECT k, g, event AS event_timestamp, z AS label FROM src",
			"SELECT k, g, event AS event_timestamp FROM src ORDER BY k",
			"SELECT k, g, event AS event_timestamp, z AS label FROM by_both ORDER BY z DESC LIMIT 7",
		}).Draw(rt, "query")
		var err error
		if req.Labels.Sources, req.Labels.Views, err = rev.QueryInputs(context.Background(), w.engine, registry.QueryText{Name: "the query for labels", SQL: req.Labels.SQL}); err != nil {
			t.Fatal(err)
		}
	} else {
		var labels [][]any
		for range rapid.IntRange(0, 30).Draw(rt, "labels") {
			labels = append(labels, []any{
				rapid.Int64Range(0, 5).Draw(rt, "k"), rapid.SampledFrom([]string{"", "a", "b}", "c"}).Draw(rt, "g"), rapid.Int64Range(-30, 90).Draw(rt, "at"),
			})
		}
		req.Labels.Path = filepath.Join(w.dir, "labels.parquet")
		writeTable(t, req.Labels.Path, []fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "g", Type: fstore.String}, {Name: "event_timestamp", Type: fstore.Timestamp}}, labels)
	}
	summary, err := w.engine.TrainingSet(context.Background(), req)
	if err != nil {
		t.Fatalf("%v\n%s", err, w.definitions())
	}
	l, err := lock.Read(summary.Lock)
	if err != nil {
		t.Fatal(err)
	}
	return l, summary.Lock
}

// The training sets of the examples over real data are made again to the byte, on one thread and on several, with little
// memory and with much.
func TestTheExamplesAreMadeAgainToTheByte(t *testing.T) {
	t.Parallel()
	sets := []struct{ example, name, service, labels string }{
		{"online_retail", "orders", "next_order", "labels.sql"},
		{"credit", "loans", "credit_score", "labels.sql"},
		{"online_retail", "baskets", "basket", "basket_labels.sql"}, // 400,000 rows
	}
	if *rebuilds == 1 {
		sets = sets[:2]
	}
	for _, c := range sets {
		t.Run(c.name, func(t *testing.T) {
			e := newExample(t, c.example, "")
			e.run("apply", "--yes")
			e.run("training-set", "create", c.name, "--service", c.service, "--labels-sql", c.labels, "--out", c.name+".parquet")
			want, err := os.ReadFile(filepath.Join(e.dir, c.name+".parquet"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(e.dir, ".fstore", "registry.db")); err != nil { // the lock is enough
				t.Fatal(err)
			}
			ways := [][]string{{"--threads", "4", "--memory-limit", "150MB"}, {"--threads", "1"}, {"--threads", "4"}, {"--threads", "1", "--memory-limit", "100MB"}}
			if *rebuilds == 1 {
				ways = ways[:1]
			}
			for _, how := range ways {
				for i := range *rebuilds {
					e.run(append([]string{"training-set", "rebuild", c.name + ".lock.json", "--out", "again.parquet", "--overwrite"}, how...)...)
					got, err := os.ReadFile(filepath.Join(e.dir, "again.parquet"))
					if err != nil || string(got) != string(want) {
						t.Fatalf("%v, rebuild %d: other bytes (%v)", how, i, err)
					}
				}
			}
		})
	}
}
