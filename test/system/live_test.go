package system

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

const defaultReads = 5000

var readsFlag = flag.Int("reads", defaultReads, "how many answers the live test, on each store, and the story of two models check at least")

// liveSteps are what happens to a repo while it is read. Each leaves all names in head.
var liveSteps = []struct {
	name string
	do   func(w *liveWorld)
}{
	{"data", func(w *liveWorld) { w.data(); w.materialize() }},
	{"edit", func(w *liveWorld) { w.edit(whole); w.apply(); w.data(); w.materialize() }},
	{"full", func(w *liveWorld) { w.materialize("--full") }},
	{"undo", func(w *liveWorld) {
		before := w.defs.clone()
		w.edit(third, whole)
		w.apply()
		w.materialize()
		w.data()
		w.materialize() // what served before is not live any more, and stays behind
		w.defs = before
		w.apply()
		w.data()
		w.materialize()
	}},
	{"undo_at_once", func(w *liveWorld) {
		before := w.defs.clone()
		w.edit(beacon, third)
		after := w.defs.clone()
		w.apply()
		w.materialize()
		w.defs = before
		w.apply()
		w.defs = after
		w.apply()
	}},
	{"remove_and_add", func(w *liveWorld) {
		before := w.defs.clone()
		delete(w.defs.services, flicker)
		delete(w.defs.views, flicker)
		w.apply()
		w.data()
		w.materialize()
		w.defs = before
		w.apply()
		w.materialize()
	}},
	{"add_another", func(w *liveWorld) {
		before := w.defs.clone()
		delete(w.defs.services, flicker)
		w.apply()
		delete(w.defs.views, flicker)
		w.apply()
		w.defs = before
		w.edit(flicker)
		w.apply()
		w.await() // until it is refused: it has no data yet
		w.materialize()
	}},
	{"one_after_another", func(w *liveWorld) {
		w.edit(third, whole)
		w.apply()
		w.data()
		w.materialize(third)
		w.materialize()
	}},
	{"description", func(w *liveWorld) { w.defs.note = fmt.Sprintf("note %d", w.ticks); w.apply() }},
	{"full_with_data", func(w *liveWorld) { w.edit(flicker); w.apply(); w.data(); w.materialize("--full") }},
	{"rewind", func(w *liveWorld) {
		w.data()
		w.ticks++
		w.materializeTo(originBase.AddDate(0, 0, 1).Add(time.Duration(w.ticks)*time.Second), "--rewind")
		w.data()
		w.materialize()
	}},
	{"killed", func(w *liveWorld) {
		for _, view := range []string{third, whole} {
			w.kill(view)
		}
		w.data()
		w.materialize()
	}},
	{"apply_during_a_run", func(w *liveWorld) {
		w.data()
		to := w.tick()
		runs, end := w.expectRun(to, nil)
		p, out := w.r.start("materialize", "--output", "json", "--to", to.Format(time.RFC3339Nano))
		eventually(w.t, "a run that has read the registry", func() bool {
			leases := 0
			if err := w.registry().QueryRow("select count(*) from leases").Scan(&leases); err != nil {
				w.t.Fatal(err)
			}
			return leases > 0
		})
		w.edit(beacon, third)
		w.apply()
		summaries, err := io.ReadAll(out)
		if status := p.wait(); status != 0 || err != nil {
			w.t.Fatalf("the run ended with %d: %v\n%s", status, err, p.log)
		}
		end()
		w.checkSummaries(string(summaries), to, runs)
		w.materialize()
	}},
	{"nothing", func(w *liveWorld) {
		out := w.r.must("materialize", "--to", w.last.Format(time.RFC3339Nano), "--output", "json")
		if strings.Count(out, `"written":0,"deleted":0`) != strings.Count(out, "\n") {
			w.t.Errorf("a repeat wrote something:\n%s", out)
		}
	}},
}

// kill begins to materialize and kills it while the store holds a view half as it was and half as it is to be; if it
// comes too late, it tries again.
func (w *liveWorld) kill(view string) {
	for range 40 {
		w.data()
		to := w.tick()
		_, _ = w.expectRun(to, nil)
		p, _ := w.r.start("materialize", "--to", to.Format(time.RFC3339Nano))
		halfway := func() bool {
			at := w.moment(view)
			return at == begun || at == midway
		}
		for running := true; running && !halfway(); {
			select {
			case <-p.done:
				running = false
			default:
			}
		}
		if p.kill(); halfway() {
			return
		}
	}
	w.t.Fatalf("no run of %s could be killed half-way", view)
}

// TestReadersOfALiveStore asks a server again and again while data and definitions change under it: no answer is
// wrong, mixed, stale or an error.
func TestReadersOfALiveStore(t *testing.T) {
	for name, url := range map[string]string{"sqlite": "", "redis": redistest.Start(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			long := *readsFlag > defaultReads
			keys, pace := 6000, 30*time.Millisecond
			if long {
				keys, pace = 30_000, 0
			}
			w := newLiveWorld(t, url, keys)
			w.server = w.r.serve()
			w.await()
			r := startReaders(t, w.ledger, w.server, pace)
			random := rand.New(rand.NewPCG(uint64(keys), 1))
			begun, steps := time.Now(), 0
			for round := 0; round == 0 || r.count.Load() < int64(*readsFlag); round++ {
				for _, i := range order(round, random) {
					step := liveSteps[i]
					at := time.Now()
					step.do(w)
					if long && random.IntN(2) == 0 {
						w.await()
					}
					steps++
					t.Logf("%s: %s", step.name, time.Since(at).Round(time.Millisecond))
					if r.wrong.Load() > 0 {
						t.Fatalf("%s went wrong", step.name)
					}
				}
			}
			w.await()
			r.stop()
			t.Logf("%d steps in %s\n%s", steps, time.Since(begun).Round(time.Second), w.ledger.report())
			w.nothingLeft()
			if w.server.signal(syscall.SIGTERM); w.server.wait() != 0 || strings.Contains(w.server.log.String(), "panic") {
				t.Errorf("serve ended badly:\n%s", w.server.log)
			}
		})
	}
}

// order is that of the steps: as they are written, and then any.
func order(round int, random *rand.Rand) []int {
	if round > 0 {
		return random.Perm(len(liveSteps))
	}
	out := make([]int, len(liveSteps))
	for i := range out {
		out[i] = i
	}
	return out
}

// nothingLeft checks that the store holds the records of the generations that pointers name, all of them and no others.
func (w *liveWorld) nothingLeft() {
	w.t.Helper()
	all, store := dump(w.t, w.store()), online.New(w.store(), "live")
	total := 0
	for ref := range w.published {
		parsed, err := fstore.ParseRef(ref)
		if err != nil {
			w.t.Fatal(err)
		}
		p, ok, err := store.Pointer(context.Background(), parsed)
		if err != nil || !ok {
			w.t.Fatalf("%s is not published: %v", ref, err)
		}
		mine, _ := records(all, p.Generation)
		total += len(mine)
	}
	if _, others := records(all, "0000000000000000"); others != total {
		w.t.Errorf("the store has %d records, and %d of them are of generations that readers see", others, total)
	}
}
