package system

import (
	"flag"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/online/redis/redistest"
)

var materializeRounds = flag.Int("materializes", 2, "rounds of materializes at once, of each kind and store")

// overStores runs a test against each kind of store, side by side.
func overStores(t *testing.T, test func(t *testing.T, url string)) {
	for name, url := range map[string]string{"sqlite": "", "redis": redistest.Start(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, url)
		})
	}
}

// holding begins to materialize the view whole, with new data, and stops the run while it holds the lease.
func (w *liveWorld) holding(flags ...string) *process {
	w.t.Helper()
	for range 20 {
		w.data()
		p, _ := w.r.start(append([]string{"materialize", "whole", "--to", w.tick().Format(time.RFC3339Nano)}, flags...)...)
		if w.held(p) && p.stop(w.databases...) && w.held(p) {
			return p
		}
		p.kill() // it was already through
	}
	w.t.Fatal("no run could be stopped while it holds the lease")
	return nil
}

// held waits until somebody holds the lease of the view whole; false where the run ends before.
func (w *liveWorld) held(p *process) bool {
	for {
		if _, held := leaseOf(w.t, w.registry(), "whole@1"); held {
			return true
		}
		select {
		case <-p.done:
			return false
		default:
		}
	}
}

// TestMaterializesAtOnce stops a run while it holds its lease. A second one of the same view ends with status 5 at
// once, one of another view works, one that waits waits; when the first goes on, both do all they have to.
func TestMaterializesAtOnce(t *testing.T) {
	overStores(t, func(t *testing.T, url string) {
		w := newLiveWorld(t, url, 5000)
		for range *materializeRounds {
			p, second := w.holding(), w.tick()
			got := w.r.run("materialize", "whole", "--to", second.Format(time.RFC3339Nano))
			if got.status != 5 || !strings.Contains(got.stderr, fmt.Sprintf("held by process %d ", p.cmd.Process.Pid)) || !strings.Contains(got.stderr, "--wait") {
				t.Fatalf("beside a run of the same view: status %d\n%s", got.status, got.stderr)
			}
			got = w.r.run("materialize", "--to", second.Format(time.RFC3339Nano))
			if got.status != 5 || strings.Count(got.stdout, second.Format(time.RFC3339)) != 3 {
				t.Fatalf("of all views, of which one is held: status %d\n%s%s", got.status, got.stdout, got.stderr)
			}
			got = w.r.run("materialize", "whole", "--wait", "1s", "--to", second.Format(time.RFC3339Nano))
			if got.status != 5 {
				t.Fatalf("having waited a second: status %d\n%s", got.status, got.stderr)
			}
			waiting, _ := w.r.start("materialize", "whole", "--wait", "1m", "--to", second.Format(time.RFC3339Nano))
			p.signal(syscall.SIGCONT)
			if status := p.wait(); status != 0 {
				t.Fatalf("the first run ended with %d:\n%s", status, p.log)
			}
			if status := waiting.wait(); status != 0 {
				t.Fatalf("the run that waited ended with %d:\n%s", status, waiting.log)
			}
			for ref := range w.live() {
				w.published[ref] = second.UnixMicro()
			}
			w.repeat(second)
		}
		w.nothingLeft()
	})
}

// repeat materializes to an instant that is published: nothing is written then, and the whole store is as a run of its
// own would make it.
func (w *liveWorld) repeat(to time.Time) {
	w.t.Helper()
	out := w.r.materialize("--to", to.Format(time.RFC3339Nano), "--output", "json")
	if strings.Count(out, `"written":0,"deleted":0`) != len(w.live()) || strings.Contains(out, "new_generation") {
		w.t.Fatalf("a repeat wrote something:\n%s", out)
	}
	w.rightRecords(whole, third, beacon, flicker)
}

// TestMaterializesRace lets runs of one view begin together: one works, the others are refused, or wait.
func TestMaterializesRace(t *testing.T) {
	overStores(t, func(t *testing.T, url string) {
		w := newLiveWorld(t, url, 2000)
		worked, refused := 0, 0
		for round := range *materializeRounds {
			w.data()
			to, args := w.tick(), []string{"materialize", "whole", "third"}
			if round%2 == 1 {
				args = append(args, "--wait", "1m")
			}
			if round%4 > 1 {
				args = append(args, "--full")
			}
			args = append(args, "--to", to.Format(time.RFC3339Nano))
			results := make([]result, 3)
			var all sync.WaitGroup
			for i := range results {
				all.Go(func() { results[i] = w.r.run(args...) })
			}
			all.Wait()
			for _, got := range results {
				switch {
				case got.status == 0:
					worked++
				case got.status == 5 && round%2 == 0 && strings.Contains(got.stderr, "held by process"):
					refused++
				default:
					t.Fatalf("round %d: %v ended with %d\n%s%s", round, args, got.status, got.stdout, got.stderr)
				}
			}
			w.materialize()
			w.repeat(w.last)
		}
		w.nothingLeft()
		t.Logf("%d runs worked, %d were refused", worked, refused)
	})
}

// TestAKilledHolderLosesItsLease kills runs that hold their lease for a minute yet: the next one goes on at once.
func TestAKilledHolderLosesItsLease(t *testing.T) {
	overStores(t, func(t *testing.T, url string) {
		w := newLiveWorld(t, url, 5000)
		for round := range *materializeRounds {
			var flags []string
			if round%2 == 1 {
				flags = append(flags, "--full")
			}
			w.holding(flags...).kill()
			if l, ok := leaseOf(t, w.registry(), "whole@1"); !ok || time.Until(l.expires) < 10*time.Second {
				t.Fatalf("the dead run's lease is %v, %v", l, ok)
			}
			w.materialize() // without --wait
			w.repeat(w.last)
		}
		w.nothingLeft()
	})
}
