package materialize_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

// testdata/unfenced has the bytes of a store, and the state beside it, as an fstore without fences left them: published as of
// day 2, and in interrupted stopped on its way to day 3. Both are served, and the next run fills a generation with a fence.
func TestAStoreWithoutFencesIsServedUntilTheNextRunFillsItAnew(t *testing.T) {
	for _, name := range []string{"complete", "interrupted"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fill(11)
			w.state = copyDir(t, filepath.Join("testdata", "unfenced", name, "state"), filepath.Join(w.state, "copy"))
			text, err := os.ReadFile(filepath.Join("testdata", "unfenced", name, "store.txt"))
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
				key, err := hex.DecodeString(k)
				if err != nil {
					t.Fatal(err)
				}
				value, err := hex.DecodeString(v)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.mem.Commit(context.Background(), online.Commit{Set: []online.KV{{Key: key, Value: value}}}); err != nil {
					t.Fatal(err)
				}
			}
			answer := func(key string) string {
				keys := fstore.NewColumn("id", fstore.String, 1)
				keys.Append(key)
				use := fstore.ViewUse{Version: w.table.view, Keys: []fstore.KeyBinding{{Key: w.table.view.View.Keys[0], Column: "id"}}}
				list := &fstore.FeatureList{Uses: []fstore.ViewUse{use}, Outputs: fstore.Outputs{fstore.FeatureOutput{As: "n", Feature: "n"}}}
				a, err := w.store.Lookup(context.Background(), list, online.Request{Keys: []fstore.Column{keys}, Now: day(4)})
				if err != nil {
					t.Fatal(err)
				}
				return fmt.Sprint(a.Features[0].Column.Value(0), " ", a.Features[0].Status(0), " ", a.Versions[0].Published.Format("2006-01-02"))
			}
			for range 2 {
				if got, want := answer("k001"), "1 PRESENT 2026-01-03"; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
			if name == "interrupted" {
				if got, want := answer("k000"), "100 PRESENT 2026-01-03"; got != want { // of the run's instant
					t.Errorf("got %s, want %s", got, want)
				}
			}
			s := w.mustRun(t, day(3), 0)
			if s.NewGeneration != "the store's records have no fences: an older fstore wrote them" || len(s.Left) > 0 ||
				s.Warning != "nothing to compare with: the registry has no counts of orders@3 as of 2026-01-03T00:00:00Z" {
				t.Errorf("%+v", s)
			}
			if got := len(dump(t, w.mem)); got != 1 {
				t.Errorf("%d generations", got)
			}
			p, _ := w.live(t)
			if p.Partitions != 1 || p.Number != 1 || len(p.Run) != 16 {
				t.Errorf("%+v", p)
			}
			if got, want := answer("k001"), "1 PRESENT 2026-01-04"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if s := w.mustRun(t, day(3), 0); s.Written != 0 || s.NewGeneration != "" {
				t.Errorf("a repeat: %+v", s)
			}
		})
	}
}
