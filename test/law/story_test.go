package law

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
)

// story is a repo and what happens to its data.
type story struct {
	views    []storyView
	byCreate bool // the source has created availability
	lag      fstore.Duration
	chapters []chapter
	runs     []materialize.Mode
}

// storyView is a view over the source src (k, g, event, created, x, y, z) and the static table dim (k, d).
type storyView struct {
	name, entities, sql, from string
	times                     string // event_timestamp and created_timestamp, of SQL
	features                  string
	aggregations              string // in the place of features
	ttl                       fstore.Duration
	publish                   *fstore.Publish
}

// chapter is what the files hold before a run, and the instant the run is for.
type chapter struct {
	rows [][]any
	to   int64
}

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

// windowed are views whose features aggregate rows over windows: a function of each kind, over short windows, long ones
// and lifetimes.
var windowed = []storyView{
	{
		name: "windows", entities: "[customer]", from: "src", aggregations: `
  - {name: rows, function: count, type: int64, windows: [4us, 15us, lifetime], default: 0}
  - {name: xs, function: count, expression: x, where: y > 0, type: int64, windows: [9us]}
  - {name: total, function: sum, expression: x, type: int64, windows: [4us, 15us]}
  - {name: exact, function: sum, expression: y * 2, type: float64, windows: [4us, 15us, lifetime]}
  - {name: mean, function: mean, expression: y, type: float64, windows: [15us], hop: 5us}
  - {name: deviation, function: stddev, expression: y, type: float64, windows: [15us, lifetime]}
  - {name: least, function: min, expression: x, type: int64, windows: [4us, 15us]}
  - {name: top, function: max, expression: z, type: string, windows: [15us, lifetime], where: "x <> 0"}
  - {name: kinds, function: count_distinct, expression: y, type: int64, windows: [15us, lifetime]}
  - {name: median, function: percentile, p: 0.5, expression: y, type: float64, windows: [15us, lifetime]}
  - {name: oldest, function: first, expression: z, type: string, windows: [15us, lifetime]}
  - {name: newest, function: last, expression: y, type: float64, windows: [4us, lifetime], default: -1}
  - {name: recent, function: last_n, n: 3, expression: "y::float", type: list<float32>, windows: [15us]}
`,
	},
	{
		name: "of_all", entities: "[]", from: "src", aggregations: `
  - {name: n, function: count, type: int64, windows: [6us, 18us], hop: 2us}
  - {name: places, function: count_distinct, expression: g, type: int64, windows: [18us]}
`,
	},
	{
		name: "by_place", entities: "[place, customer]", sql: "SELECT src.k, g, event, x, d FROM src LEFT JOIN dim USING (k) WHERE x <> 1",
		aggregations: `
  - {name: names, function: count_distinct, expression: d, type: int64, windows: [12us]}
  - {name: total, function: sum, expression: x, type: int64, windows: [12us, lifetime], where: d IS NOT NULL}
`,
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
				v.publish = drawSchedule(rt)
				if v.ttl > 0 {
					v.ttl = max(v.ttl, v.publish.Delay) // a shorter one is refused
				}
			}
		}
		s.views = append(s.views, v)
	}
	windows := rapid.SampledFrom(windowed).Draw(rt, "windows")
	if s.byCreate && windows.sql != "" { // its SQL yields no created time
		windows = windowed[0]
	}
	windows.publish = drawSchedule(rt)
	moving := sawtooth
	moving.name = "moving"
	s.views = append(s.views, windows, moving)
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

func drawSchedule(rt *rapid.T) *fstore.Publish {
	every := rapid.Int64Range(1, 12).Draw(rt, "every")
	return &fstore.Publish{
		Every:  fstore.Duration(every * 1000),
		Offset: drawDuration(rt, "offset", 0, every-1),
		Delay:  drawDuration(rt, "delay", 0, 9),
	}
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
		if v.aggregations != "" {
			y += "aggregations:" + v.aggregations
		} else {
			y += "features: " + v.features + "\n"
		}
		all += "  - {ref: " + v.name + ".*, prefix: " + v.name + "_}\n"
	}
	files["defs.yaml"] = y + all
	return files
}
