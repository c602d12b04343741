package system

import (
	"maps"
	"slices"
	"testing"

	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// TestALargeFirstLoadResumes kills the first load of a view three times while it writes. Each time the store holds just the
// keys up to the watermark, in the generation that the first process began, and the next process writes only the
// others.
func TestALargeFirstLoadResumes(t *testing.T) {
	t.Parallel()
	keys := 4 * lines()
	load := func(t *testing.T, w *ticks) {
		b := w.backend()
		defer b.Close()
		held, kills := 0, 0
		for again := 0; kills < 3; {
			p := w.tryToStop(b, to(0))
			if p == nil { // the machine was busy with others, the load ended before it could be stopped
				if again++; again > 5 {
					t.Fatal("the load could not be stopped while it wrote")
				}
				w.store.empty()
				removeState(t, w.dir)
				held, kills = 0, 0
				continue
			}
			p.kill()
			kills++
			got := contents(t, b)
			if len(got.headers["tick@1"]) != 1 || len(got.pointers) != 0 {
				t.Fatalf("headers %v, pointers %v", got.headers, got.pointers)
			}
			for g := range got.headers["tick@1"] {
				all := slices.Sorted(maps.Keys(w.cleanRun(0).records[w.cleanRun(0).pointers["tick@1"].Generation]))
				written := slices.Sorted(maps.Keys(got.records[g]))
				if n := got.fences["tick@1"][g].Watermark; n > int64(len(all)) || !slices.Equal(written, all[:n]) {
					t.Errorf("%d keys are written, and the fence says the first %d", len(written), n)
				}
				if len(got.records) != 1 || len(got.records[g]) <= held || len(got.records[g]) >= keys {
					t.Errorf("%d generations have records, this one %d, before that %d", len(got.records), len(got.records[g]), held)
				}
				held = len(got.records[g])
			}
		}
		s := w.run(0)
		if s.Written != int64(keys-held) || !s.Finished.Equal(tick(0)) || s.NewGeneration != "" || s.Keys != int64(keys) || s.Unchanged != int64(keys) {
			t.Errorf("of %d keys %d were written: %+v", keys, held, s)
		}
		w.check(0)
		t.Logf("%d keys: %d were written by %d killed processes, %d by the one that finished", keys, held, kills, s.Written)
	}
	t.Run("sqlite", func(t *testing.T) { load(t, newTicks(t, nil, keys, 1)) })
	t.Run("redis", func(t *testing.T) { load(t, newTicks(t, redistest.New(t), keys, 1)) })
}

// TestReadersHardlyNoticeAKilledRun kills runs half-way, in place and beside, while a server is asked all the time. In place a
// value is as of the instant published or as of the run's; beside, there is nothing to see. No request fails.
func TestReadersHardlyNoticeAKilledRun(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, w *ticks) {
		w.run(0)
		r := w.read()
		for n, more := range [][]string{1: nil, 2: {"--full"}, 3: nil} {
			if n == 0 {
				continue
			}
			if more == nil {
				r.runs(n-1, n)
			}
			w.stopHalfway(n, more...).kill()
			for range 50 {
				r.again()
			}
			s := w.run(n)
			if s.NewGeneration != "" || !s.Finished.Equal(tick(n)) || s.Written >= tickKeys || s.Left != nil { // nothing, if only to publish was left
				t.Errorf("%+v", s)
			}
			r.runs()
			r.again()
			w.check(n)
		}
	})
}
