package law

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// sawtooth is a view whose windows end at the clock: each function that may, by several hops. Its features are functions of
// a row in windowedRows.
var sawtooth = storyView{
	name: "windows", entities: "[customer]", from: "src", aggregations: `
  - {name: rows, function: count, type: int64, windows: [4us, 16us, lifetime], hop: 2us, default: 0}
  - {name: xs, function: count, expression: x, where: y > 0, type: int64, windows: [9us], hop: 3us}
  - {name: total, function: sum, expression: x, type: int64, windows: [4us, 16us], hop: 4us}
  - {name: exact, function: sum, expression: y * 2, type: float64, windows: [4us, 15us, lifetime], hop: 1us}
  - {name: mean, function: mean, expression: y, type: float64, windows: [15us], hop: 5us}
  - {name: deviation, function: stddev, expression: y, type: float64, windows: [15us, lifetime], hop: 3us}
  - {name: least, function: min, expression: x, type: int64, windows: [4us, 15us], hop: 1us}
  - {name: top, function: max, expression: z, type: string, windows: [15us, lifetime], where: "x <> 0", hop: 5us}
  - {name: oldest, function: first, expression: z, type: string, windows: [15us, lifetime], hop: 3us}
  - {name: newest, function: last, expression: y, type: float64, windows: [4us, 8us, lifetime], hop: 2us, default: -1}
  - {name: recent, function: last_n, n: 3, expression: "y::float", type: list<float32>, windows: [15us], hop: 5us}
`,
}

// The windows that have each of the default hops.
const usualWindows = "12s, 1m, 3m, 12m, 1h, 3h, 1d, 7d, 30d, 90d, 360d, lifetime"

// Training gives the values of windows without publish on both sides of each of their edges: where a row enters, and where
// it leaves with its tile. Rows are before 1970 and after, on the grid and beside it.
func TestTrainingOfUsualHopsAgreesWithTheOracle(t *testing.T) {
	t.Parallel()
	const minute, day = int64(60_000_000), int64(86_400_000_000)
	dir := tempDir(t)
	s := story{views: []storyView{{name: "windows", entities: "[customer]", from: "src", aggregations: strings.ReplaceAll(`
  - {name: rows, function: count, type: int64, windows: [USUAL]}
  - {name: total, function: sum, expression: x, type: int64, windows: [USUAL]}
  - {name: mean, function: mean, expression: y, type: float64, windows: [USUAL]}
  - {name: deviation, function: stddev, expression: y, type: float64, windows: [USUAL]}
  - {name: least, function: min, expression: x, type: int64, windows: [USUAL]}
  - {name: top, function: max, expression: z, type: string, windows: [USUAL], where: "x <> 0"}
  - {name: oldest, function: first, expression: z, type: string, windows: [USUAL]}
  - {name: newest, function: last, expression: y, type: float64, windows: [USUAL]}
  - {name: recent, function: last_n, n: 3, expression: "y::float", type: list<float32>, windows: [USUAL]}
`, "USUAL", usualWindows)}}}
	events := []int64{-400*day - 1, -400 * day, -day, -3*minute + 7, -1, 0, 1, minute, 90 * day, 90*day + 1, 90*day + 61*minute}
	var rows [][]any
	history := []row{}
	for i, event := range events {
		x, y, z := int64(i-4), 0.1*float64(i), fmt.Sprint("z", (7*i)%11)
		rows = append(rows, []any{int64(1), "", event, event, x, y, z})
		history = append(history, row{key: []any{int64(1)}, event: &event, values: []any{int64(1), "", x, y, z}})
	}
	writeTable(t, filepath.Join(dir, "dim.parquet"), []fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "d", Type: fstore.String}}, [][]any{{int64(1), "one"}})
	writeTable(t, filepath.Join(dir, "src", "1.parquet"), srcColumns, rows)
	w := newWorld(t, dir, 2, s.repo())
	defer w.close(t)
	v := w.view(t, "windows")
	var labels []label
	for _, event := range events {
		edges := map[int64]bool{event: true}
		for _, f := range v.View.Features {
			if f.Window.Length > 0 {
				edges[exit(f.Window, event)] = true
			}
		}
		for edge := range edges {
			for at := edge - 1; at <= edge+1; at++ {
				labels = append(labels, label{key: []any{int64(1)}, at: at})
			}
		}
	}
	got, _ := w.training(t, listOf(v), labels)
	compared := 0
	for i, l := range labels {
		for f := range v.View.Features {
			feature := &v.View.Features[f]
			if want := windowedValue(v, feature, history, l.key, l.at, l.at); !same(got[i][f], want) {
				t.Fatalf("%s at %s: %v, want %v", feature.Name, fstore.FormatTime(fstore.FromMicros(l.at)), got[i][f], want)
			}
			compared++
		}
	}
	t.Logf("%d values at %d instants agree", compared, len(labels))
}

// exit is the first instant at which an event is no longer in a window, by search.
func exit(w *fstore.Window, event int64) int64 {
	in, out := event+w.Length.Micros()-1, event+w.Length.Micros()+w.Hop.Micros()
	for in+1 < out {
		if at := in + (out-in)/2; event > windowStart(w, at) {
			in = at
		} else {
			out = at
		}
	}
	return out
}
