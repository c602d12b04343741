package law

import (
	"fmt"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
)

// floatSums are causal views whose plain sums of floats depend on the order of the rows, in their last bits.
var floatSums = []storyView{
	{
		name: "drifting", entities: "[customer]",
		sql: `SELECT k, event, sum(y) OVER past AS s, avg(y) OVER past AS m, stddev(y) OVER past AS dev FROM src
WINDOW past AS (PARTITION BY k ORDER BY event RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)`,
		features: "[{name: s, type: float64}, {name: m, type: float64}, {name: dev, type: float64}]",
	},
	{
		name: "tied", entities: "[place]", sql: "SELECT g, event, sum(y) AS s, avg(x) AS m, count(*) AS n FROM src GROUP BY ALL",
		features: "[{name: s, type: float64}, {name: m, type: float64}, {name: n, type: int64}]",
	},
	{
		name: "drifting_again", entities: "[customer]", sql: "SELECT k, event, s + m AS a, d FROM drifting JOIN dim USING (k)",
		features: "[{name: a, type: float64}, {name: d, type: string}]",
	},
	{
		name: "doubled", entities: "[customer]", sql: "SELECT k, event, x, y FROM src UNION ALL SELECT k, event, x, -y FROM src",
		features: "[{name: x, type: int64}, {name: y, type: float64}]",
	},
}

// floatSumsByCreated are likewise causal where a row is available at its created time.
var floatSumsByCreated = []storyView{{
	name: "drifting", entities: "[place]",
	sql: `SELECT a.g, a.event, greatest(a.created, max(b.created)) AS created, sum(b.y) AS s
FROM src a JOIN src b ON a.g = b.g AND b.event <= a.event AND coalesce(b.created, b.event) <= coalesce(a.created, a.event) AND b.event <= coalesce(a.created, a.event)
GROUP BY a.g, a.k, a.event, a.created, a.x, a.y, a.z`,
	times: "created_timestamp: created\n", features: "[{name: s, type: float64}]",
}}

// fewRepos is how many repos a plain go test checks for leaks: each takes half a second. make law checks more.
const fewRepos = 10

// The check for leaks raises no alarm over the causal views of any story: late rows, ties, plain sums of floats, schedules,
// static tables and views over views among them.
func TestCausalViewsRaiseNoAlarm(t *testing.T) {
	t.Parallel()
	root, n, checked := tempDir(t), 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		if n++; n > fewRepos && !askedForMore {
			return
		}
		s, dir, tb := drawStory(rt), filepath.Join(root, fmt.Sprint(n)), fatal{t, rt}
		if s.byCreate {
			s.views = append(s.views, floatSumsByCreated...)
		} else {
			s.views = append(s.views, floatSums...)
		}
		writeTable(tb, filepath.Join(dir, "dim.parquet"), []fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "d", Type: fstore.String}},
			[][]any{{int64(1), "one"}, {int64(2), "two"}, {int64(2), "zwei"}, {nil, "none"}})
		last := s.chapters[len(s.chapters)-1]
		writeTable(tb, filepath.Join(dir, "src", "1.parquet"), srcColumns, last.rows)
		w := newWorld(tb, dir, 2, s.repo())
		defer w.close(tb)
		req := offline.CausalityRequest{Instants: rapid.IntRange(1, 6).Draw(rt, "instants"), Seed: uint64(n)}
		if rapid.Bool().Draw(rt, "labels") {
			until := fstore.FromMicros(last.to)
			req.Until = &until
		}
		for _, v := range w.apply(tb).Live() {
			if !lock.NeedsCheck(v) {
				continue
			}
			checked++
			req.Read = v.Ref.Name == "so_far" || v.Ref.Name == "drifting"
			if _, err := w.engine.CheckCausality(t.Context(), v, req); err != nil {
				tb.Fatalf("%v\n%s", err, w.definitions())
			}
		}
	})
	t.Logf("checked %d views", checked)
}
