package law

import (
	"fmt"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
)

// The check for leaks raises no alarm over the causal views of any story: late rows, ties, schedules, static tables and
// views over views among them.
func TestCausalViewsRaiseNoAlarm(t *testing.T) {
	t.Parallel()
	root, n := tempDir(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s, dir, tb := drawStory(rt), filepath.Join(root, fmt.Sprint(n)), fatal{t, rt}
		writeTable(tb, filepath.Join(dir, "dim.parquet"), []fstore.Field{{Name: "k", Type: fstore.Int64}, {Name: "d", Type: fstore.String}},
			[][]any{{int64(1), "one"}, {int64(2), "two"}, {int64(2), "zwei"}, {nil, "none"}})
		writeTable(tb, filepath.Join(dir, "src", "1.parquet"), srcColumns, s.chapters[len(s.chapters)-1].rows)
		w := newWorld(tb, dir, 2, s.repo())
		defer w.close(tb)
		for _, v := range w.apply(tb).Live() {
			if !offline.NeedsCheck(v) {
				continue
			}
			req := offline.CausalityRequest{Instants: 3, Seed: uint64(n), Read: v.Ref.Name == "so_far"}
			if _, err := w.engine.CheckCausality(t.Context(), v, req); err != nil {
				tb.Fatalf("%v\n%s", err, w.definitions())
			}
		}
	})
}
