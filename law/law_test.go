package law

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	featurerepo "github.com/fstore-dev/fstore/feature_repo"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
)

// The law of the product: after publishing P, until the next run's first write, over the same files: for every T
// with P(T) = P, get at T equals training at T, value for value, for every key, on every backend. And the store is
// what one fresh full run at P makes, whatever runs went before.
//
// A check draws a repo of source views and causal SQL views, then lets time pass: rows arrive, late ones too, are
// corrected, restated in place and vanish; after every run both halves must hold.
func TestGetEqualsTrainingAfterEveryRun(t *testing.T) {
	url := startRedis(t)
	root, n := tempDir(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s := drawStory(rt)
		s.live(fatal{t, rt}, filepath.Join(root, fmt.Sprint(n)), url, fmt.Sprintf("law%d", n))
	})
}

// story is a repo and what happens to its data.
type story struct {
	views    []storyView
	byCreate bool // the source has created availability
	lag      fstore.Duration
	chapters []chapter
	runs     []rapidRun
}

// storyView is a view over the source src (k, g, event, created, x, y, z) and the static table dim (k, d).
type storyView struct {
	name, entities, sql, from string
	times                     string // event_timestamp and created_timestamp, of SQL
	features                  string
	ttl                       fstore.Duration
	publish                   *fstore.Publish
}

// chapter is what the files hold before a run, and the instant the run is for.
type chapter struct {
	rows [][]any
	to   int64
}

type rapidRun = materialize.Mode

var srcColumns = []fstore.Field{
	{Name: "k", Type: fstore.Int64},
	{Name: "g", Type: fstore.String},
	{Name: "event", Type: fstore.Timestamp},
	{Name: "created", Type: fstore.Timestamp},
	{Name: "x", Type: fstore.Int64},
	{Name: "y", Type: fstore.Float64},
	{Name: "z", Type: fstore.String},
}

// causal are SQL views whose rows visible at P are the same over all rows as over those visible at P, where a row
// is available at its event time, however much later.
var causal = []storyView{
	{
		name: "renamed", entities: "[customer]", sql: "SELECT k, event, x AS a, z AS b FROM src WHERE x <> 0",
		features: "[{name: a, type: int64}, {name: b, type: string, default: none}]",
	},
	{
		name: "so_far", entities: "[customer]",
		sql: `SELECT k, event, count(*) OVER past AS n, sum(x) OVER past AS total, max(y) OVER past AS top FROM src
WINDOW past AS (PARTITION BY k ORDER BY event RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)`,
		features: "[{name: n, type: int64, default: 0}, {name: total, type: int64}, {name: top, type: float64}]",
	},
	{
		name: "summed", entities: "[customer, place]",
		sql:      "SELECT k, g, event, exact_sum(y) AS s, exact_avg(y) AS m, count(x) AS n FROM src GROUP BY k, g, event",
		features: "[{name: s, type: float64}, {name: m, type: float64}, {name: n, type: int64}]",
	},
	{
		name: "again", entities: "[customer]", sql: "SELECT k, event, n + coalesce(total, 0) AS both FROM so_far WHERE n > 1",
		features: "[{name: both, type: int64}]",
	},
	{
		name: "joined", entities: "[customer]", sql: "SELECT src.k, src.event, dim.d, src.x FROM src JOIN dim USING (k)",
		features: "[{name: d, type: string}, {name: x, type: int64, default: 3}]",
	},
	{
		name: "everything", entities: "[]", sql: "SELECT event, count(*) OVER (ORDER BY event) AS n FROM src",
		features: "[{name: n, type: int64}]",
	},
}

// causalByCreated are causal where a row is available at its created time.
var causalByCreated = []storyView{
	{
		name: "renamed", entities: "[customer]", sql: "SELECT k, event, created, x AS a, z AS b FROM src WHERE x <> 0",
		times: "created_timestamp: created\n", features: "[{name: a, type: int64}, {name: b, type: string, default: none}]",
	},
	{
		name: "known", entities: "[place]",
		sql: `SELECT a.g, a.event, greatest(a.created, max(b.created)) AS created, count(*) AS n
FROM src a JOIN src b ON a.g = b.g AND b.event <= a.event AND coalesce(b.created, b.event) <= coalesce(a.created, a.event) AND b.event <= coalesce(a.created, a.event)
GROUP BY a.g, a.k, a.event, a.created, a.x, a.y, a.z`,
		times: "created_timestamp: created\n", features: "[{name: n, type: int64}]",
	},
}

var plainViews = []storyView{
	{
		name: "latest", entities: "[customer]", from: "src",
		features: "[{name: x, type: int64}, {name: y, type: float64, default: 1.5}, {name: text, type: string, column: z}]",
	},
	{name: "by_both", entities: "[customer, place]", from: "src", features: "[{name: z, type: string}, {name: x, type: int64}]"},
	{name: "record", entities: "[]", from: "src", features: "[{name: y, type: float64}]"},
	{name: "fixed", entities: "[customer]", from: "dim", features: "[{name: d, type: string}]"},
}

func drawStory(rt *rapid.T) *story {
	s := &story{byCreate: rapid.Bool().Draw(rt, "by created")}
	pool := append(append([]storyView{}, plainViews...), causal...)
	if s.byCreate {
		pool = append(append([]storyView{}, plainViews...), causalByCreated...)
	} else if rapid.Bool().Draw(rt, "lagging") {
		s.lag = drawDuration(rt, "lag", 1, 8)
	}
	for _, v := range pool {
		if v.from != "dim" {
			if rapid.Bool().Draw(rt, "has ttl") {
				v.ttl = drawDuration(rt, "ttl", 1, 25)
			}
			if rapid.IntRange(0, 2).Draw(rt, "has schedule") == 0 {
				every := rapid.Int64Range(1, 12).Draw(rt, "every")
				v.publish = &fstore.Publish{
					Every:  fstore.Duration(every * 1000),
					Offset: drawDuration(rt, "offset", 0, every-1),
					Delay:  drawDuration(rt, "delay", 0, 9),
				}
			}
		}
		s.views = append(s.views, v)
	}
	now := int64(0)
	var rows [][]any
	for range rapid.IntRange(1, 4).Draw(rt, "runs") {
		now += rapid.Int64Range(0, 20).Draw(rt, "time passes")
		rows = drawNews(rt, rows, now)
		s.chapters = append(s.chapters, chapter{rows, now})
		mode := materialize.Mode(0)
		if rapid.IntRange(0, 5).Draw(rt, "full") == 0 {
			mode = materialize.Full
		}
		s.runs = append(s.runs, mode)
	}
	return s
}

// drawNews returns the rows of the next chapter: some of before have vanished, some are restated in place, and new
// ones have come, late ones and corrections among them.
func drawNews(rt *rapid.T, before [][]any, now int64) [][]any {
	var rows [][]any
	for _, r := range before {
		switch rapid.IntRange(0, 11).Draw(rt, "fate") {
		case 0: // vanishes
		case 1: // restated
			r = append([]any{}, r...)
			r[4] = rapid.Int64Range(-3, 3).Draw(rt, "x")
			rows = append(rows, r)
		case 2: // corrected: the same event, known later
			rows = append(rows, r)
			r = append([]any{}, r...)
			r[3], r[5] = now, rapid.SampledFrom([]float64{0.1, 0.2, 1e15}).Draw(rt, "y")
			rows = append(rows, r)
		default:
			rows = append(rows, r)
		}
	}
	for range rapid.IntRange(0, 12).Draw(rt, "new rows") {
		event := now - rapid.Int64Range(-6, 30).Draw(rt, "age")
		r := []any{
			rapid.Int64Range(1, 4).Draw(rt, "k"), rapid.SampledFrom([]string{"", "a", "b}"}).Draw(rt, "g"), event,
			event + rapid.Int64Range(-2, 12).Draw(rt, "late"), rapid.Int64Range(-3, 3).Draw(rt, "x"),
			rapid.SampledFrom([]float64{0.1, -0.3, 7, 1e15}).Draw(rt, "y"), rapid.SampledFrom([]string{"", "p", "é"}).Draw(rt, "z"),
		}
		for c := range r { // a null here and there; SQL drops rows without an event
			if rapid.IntRange(0, 14).Draw(rt, "null") == 0 {
				r[c] = nil
			}
		}
		rows = append(rows, r)
	}
	return rows
}

func (s *story) repo() map[string]string {
	files := map[string]string{"fstore.yaml": "project: law\n"}
	y := "kind: entity\nname: customer\njoin_keys: [{name: k, type: int64}]\n---\n" +
		"kind: entity\nname: place\njoin_keys: [{name: g, type: string}]\n---\n" +
		"kind: source\nname: dim\npath: dim.parquet\n---\n" +
		"kind: source\nname: src\npath: src/*.parquet\nevent_timestamp: event\n"
	switch {
	case s.byCreate:
		y += "created_timestamp: created\n"
	case s.lag > 0:
		y += "availability: event + " + s.lag.String() + "\n"
	}
	all := "---\nkind: feature_service\nname: all\nfeatures:\n"
	for _, v := range s.views {
		y += "---\nkind: feature_view\nname: " + v.name + "\nentities: " + v.entities + "\n"
		if v.sql != "" {
			files[v.name+".sql"] = v.sql
			y += "sql: " + v.name + ".sql\nevent_timestamp: event\n" + v.times
		} else {
			y += "source: " + v.from + "\n"
		}
		if v.ttl > 0 {
			y += "ttl: " + v.ttl.String() + "\n"
		}
		if p := v.publish; p != nil {
			y += fmt.Sprintf("publish: {every: %s, offset: %s, delay: %s}\n", p.Every, p.Offset, p.Delay)
		}
		y += "features: " + v.features + "\n"
		all += "  - {ref: " + v.name + ".*, prefix: " + v.name + "_}\n"
	}
	files["defs.yaml"] = y + all
	return files
}

// live plays a story in a folder and checks both halves of the law after every run.
func (s *story) live(t testing.TB, dir, url, project string) {
	writeTable(t, filepath.Join(dir, "dim.parquet"), []fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "d", Type: fstore.String}},
		[][]any{{int64(1), "one"}, {int64(2), "two"}, {int64(2), "zwei"}, {nil, "none"}})
	writeTable(t, filepath.Join(dir, "src", "1.parquet"), srcColumns, s.chapters[0].rows)
	w := newWorld(t, dir, 2, s.repo())
	defer w.close(t)
	snap := w.apply(t)
	holders := backends(t, dir, url, project)
	defer closeAll(t, holders)
	for n, c := range s.chapters {
		half := len(c.rows) / 2
		writeTable(t, filepath.Join(dir, "src", "1.parquet"), srcColumns, c.rows[:half])
		writeTable(t, filepath.Join(dir, "src", "2.parquet"), srcColumns, c.rows[half:])
		fresh := &holder{name: "fresh", backend: memory.New(), state: filepath.Join(dir, "fresh", fmt.Sprint(n))}
		fresh.store = online.New(fresh.backend, project)
		for _, v := range snap.Live() {
			w.publish(t, fresh, materialize.Full, c.to, v)
			for _, h := range holders {
				w.publish(t, h, s.runs[n], c.to, v)
				sameStore(t, v, h, fresh)
			}
			w.holds(t, v, c.to, s.keys(v), holders)
		}
	}
}

// keys returns all keys that a view of a story may have, one that none has, and those with a null part.
func (s *story) keys(v *fstore.ViewVersion) [][]any {
	keys := [][]any{{}}
	for _, k := range v.View.Keys {
		values := []any{int64(1), int64(2), int64(3), int64(4), int64(5), nil}
		if k.Type == fstore.String {
			values = []any{"", "a", "b}", "c", nil}
		}
		var longer [][]any
		for _, key := range keys {
			for _, value := range values {
				longer = append(longer, append(append([]any{}, key...), value))
			}
		}
		keys = longer
	}
	return keys
}

// holds compares get with training at instants T with P(T) = P, where to is the instant that was materialized.
func (w *world) holds(t testing.TB, v *fstore.ViewVersion, to int64, keys [][]any, holders []*holder) {
	t.Helper()
	p := fstore.Micros(v.View.Publish.Run(fstore.FromMicros(to)))
	instants := []int64{p}
	if s := v.View.Publish; s != nil {
		first, next := p+s.Delay.Micros(), p+s.Delay.Micros()+s.Every.Micros()
		instants = []int64{first, (first + next) / 2, next - 1}
	}
	list := listOf(v)
	var labels []label
	for _, at := range instants {
		for _, k := range keys {
			labels = append(labels, label{key: k, at: at})
		}
	}
	trained, _ := w.training(t, list, labels)
	for _, h := range holders {
		for i, at := range instants {
			got := w.get(t, h, list, keys, at)
			for k := range keys {
				for f := range got[k] {
					if want := trained[i*len(keys)+k][f]; !same(got[k][f], want) {
						t.Fatalf("%s: %s at %d (published %d), key %v: %s: get %v, training %v\n%s", h.name, v.Ref, at, p,
							keys[k], list.Outputs[f].Name, got[k][f], want, w.definitions())
					}
				}
			}
		}
	}
}

// The law holds for the example repo, with its late loads, for every key that any of its views ever has.
func TestTheFeatureRepoKeepsTheLaw(t *testing.T) {
	dir := tempDir(t)
	files := map[string]string{}
	entries, err := featurerepo.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := featurerepo.Files.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	size := featurerepo.Small
	size.Lines, size.Customers = 4000, 60
	if err := featurerepo.Generate(size).Write(filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, dir, 2, files)
	defer w.close(t)
	snap := w.apply(t)
	holders := backends(t, dir, startRedis(t), "shop")
	defer closeAll(t, holders)
	for _, v := range snap.Live() {
		seen := map[string]bool{}
		var keys [][]any
		for month := range 12 { // a ttl forgets keys, so they are gathered all along
			for b, err := range w.engine.AsOf(context.Background(), v, featurerepo.Start.AddDate(0, 1+month, 0)) {
				if err != nil {
					t.Fatal(err)
				}
				for i := range b.Len {
					var key []any
					for k := range v.View.Keys {
						key = append(key, plain(b.Columns[k].Value(i)))
					}
					if id := fmt.Sprint(key); !seen[id] {
						seen[id], keys = true, append(keys, key)
					}
				}
			}
		}
		if len(keys) == 0 {
			t.Fatalf("%s has no keys", v.Ref)
		}
		for day := range 12 {
			to := time.Date(2025, time.Month(1+day), 3+day, 7*day%24, 13, 0, 0, time.UTC)
			for _, h := range holders {
				w.publish(t, h, 0, fstore.Micros(to), v)
			}
			w.holds(t, v, fstore.Micros(to), keys, holders)
		}
	}
}

// listOf is the list of all features of one view.
func listOf(v *fstore.ViewVersion) *fstore.FeatureList {
	use := fstore.ViewUse{Version: v}
	for _, k := range v.View.Keys {
		use.Keys = append(use.Keys, fstore.KeyBinding{Key: k, Column: k.Name})
	}
	list := &fstore.FeatureList{Uses: []fstore.ViewUse{use}}
	for _, f := range v.View.Features {
		list.Outputs = append(list.Outputs, fstore.FeatureOutput{Name: "v_" + f.Name, Feature: f.Name})
	}
	return list
}

// sameStore fails unless both stores hold the same records for a view, and nothing of its earlier generations.
func sameStore(t testing.TB, v *fstore.ViewVersion, got, want *holder) {
	t.Helper()
	have, wanted := records(t, got, v), records(t, want, v)
	for k, r := range wanted {
		if !bytes.Equal(have[k], r) {
			t.Fatalf("%s: %s: key %x: record %x, a fresh run's is %x", got.name, v.Ref, k, have[k], r)
		}
	}
	for k := range have {
		if wanted[k] == nil {
			t.Fatalf("%s: %s: key %x is left over", got.name, v.Ref, k)
		}
	}
}

// records returns what the live generation of a view holds, by key.
func records(t testing.TB, h *holder, v *fstore.ViewVersion) map[string][]byte {
	t.Helper()
	ctx := context.Background()
	p, ok, err := h.store.Pointer(ctx, v.Ref)
	if err != nil || !ok {
		t.Fatalf("%s: pointer of %s: %v %v", h.name, v.Ref, ok, err)
	}
	generation, err := hex.DecodeString(string(p.Generation))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	const tag = len("f{abc}")
	err = h.backend.Scan(ctx, []byte("f{"), func(key []byte) error {
		if bytes.HasPrefix(key[tag:], generation) {
			values, _, err := h.backend.Get(ctx, [][]byte{key}, nil)
			if err != nil {
				return err
			}
			out[string(key[tag+len(generation):])] = values[0]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
