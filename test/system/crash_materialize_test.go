package system

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// TestMaterializeIsKilled kills fstore materialize with SIGKILL, at random instants and at chosen ones, again and again
// while the data goes on changing; whenever a run is left to finish, the store is what a clean run makes it: key for key,
// value for value, and nothing is left over anywhere.
func TestMaterializeIsKilled(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		killMaterialize(t, newShop(t, nil, lines()))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		killMaterialize(t, newShop(t, redistest.New(t), lines()))
	})
}

// victims is what a crash test has seen so far.
type victims struct {
	*shop
	backend online.Backend

	whole         time.Duration // how long a run takes that is not killed, of late
	written       int64         // what a store took in by one run, at most
	write, clears time.Duration // how long these stages of the largest view took, at most

	killed, finished, compared int
	at                         map[string]int // kills by what they left
}

func killMaterialize(t *testing.T, s *shop) {
	v := &victims{
		shop: s, backend: s.repo.backend(), whole: 500 * time.Millisecond, written: 10,
		write: 50 * time.Millisecond, clears: 20 * time.Millisecond, at: map[string]int{},
	}
	resumed := 0
	for v.killed < *killsFlag {
		if v.killed > 0 && v.rand.IntN(12) == 0 {
			v.store.empty() // so that first loads are killed too
			removeState(v.t, v.dir)
		}
		mode := v.mode()
		if v.rand.IntN(4) > 0 { // the check for leaks writes nothing to the store, and would be in progress at most kills
			mode = append(mode, "--leak-check", "off")
		}
		if !v.victim(append([]string{"materialize", "--to", v.to.Format(time.RFC3339), "--output", "json"}, mode...)) {
			continue
		}
		if v.rand.IntN(3) == 0 {
			v.change() // and kill the next run, over the killed one's remains
			continue
		}
		if v.rand.IntN(2) == 0 {
			v.change()
		}
		resumed += v.finish()
	}
	resumed += v.finish()
	t.Logf("%d killed (%v), %d finished by themselves; %d compared with a clean run, %d runs of views resumed; a run takes %v, seed %d",
		v.killed, v.at, v.finished, v.compared, resumed, v.whole.Round(time.Millisecond), *seedFlag)
}

// mode draws what a run is asked beside its instant.
func (v *victims) mode() []string {
	switch v.rand.IntN(10) {
	case 0:
		return []string{"--full"}
	case 1, 2:
		return []string{"line_item", "--full"}
	case 3:
		return []string{"line_item", "customer_orders"}
	}
	return nil
}

// victim runs fstore and kills it; it reports whether the run was killed before it ended.
func (v *victims) victim(args []string) bool {
	v.t.Helper()
	when, before := v.moment(), v.files(".fstore/state")
	latest := v.whole/2 + rand.N(v.whole)
	begun := time.Now()
	p, _ := v.start(args...)
	for alive := true; alive && !when(time.Since(begun)) && time.Since(begun) < latest; {
		select {
		case <-p.done:
			alive = false
		case <-time.After(100 * time.Microsecond):
		}
	}
	p.kill()
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		v.killed++
		v.at[v.remains(before)]++
		return true
	}
	if p.cmd.ProcessState.ExitCode() != 0 {
		v.t.Fatalf("fstore %s ended with %v:\n%s", strings.Join(args, " "), p.cmd.ProcessState, p.log)
	}
	v.finished++
	return false
}

// moment draws when to kill: after some time, once the store has taken in so much, when a file of the state of some
// view appears or goes, or while the largest view is written or what it left is cleaned up.
func (v *victims) moment() func(time.Duration) bool {
	largest := filepath.Join(v.dir, ".fstore", "state", "shop", "line_item@1")
	switch v.rand.IntN(5) {
	case 0:
		after := rand.N(v.whole)
		return func(since time.Duration) bool { return since >= after }
	case 1:
		from, least := v.store.taken(), v.rand.Int64N(v.written)
		return func(time.Duration) bool { return v.store.taken()-from > least }
	case 2:
		return behind(inFolder(largest, ".json", true), rand.N(v.write))
	case 3:
		return behind(inFolder(largest, ".spool", false), rand.N(v.clears))
	}
	if views, _ := filepath.Glob(filepath.Join(filepath.Dir(largest), "*")); len(views) > 0 && v.rand.IntN(2) == 0 {
		largest = views[v.rand.IntN(len(views))]
	}
	suffix := []string{".manifest.parquet.tmp", ".spool.tmp", ".manifest.parquet", ".spool", ".json"}[v.rand.IntN(5)]
	return inFolder(largest, suffix, v.rand.IntN(3) > 0)
}

// inFolder waits for a file with a suffix that appears in a folder, or goes from it once it was there.
func inFolder(dir, suffix string, appears bool) func(time.Duration) bool {
	seen := map[string]bool{}
	for _, name := range list(dir) {
		seen[name] = true
	}
	return func(time.Duration) bool {
		now := list(dir)
		for _, name := range now {
			if strings.HasSuffix(name, suffix) && !seen[name] {
				if appears {
					return true
				}
				seen[name] = true
			}
		}
		if !appears {
			for name := range seen {
				if strings.HasSuffix(name, suffix) && !slices.Contains(now, name) {
					return true
				}
			}
		}
		return false
	}
}

// behind waits some time more.
func behind(when func(time.Duration) bool, more time.Duration) func(time.Duration) bool {
	at := time.Duration(-1)
	return func(since time.Duration) bool {
		if at < 0 && when(since) {
			at = since
		}
		return at >= 0 && since >= at+more
	}
}

func list(dir string) []string {
	entries, _ := os.ReadDir(dir) // a folder that is not there has nothing in it
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// remains says how far the killed run had come, by what it left in state beside what was there before.
func (v *victims) remains(before []string) string {
	tmp, spools, runs := 0, 0, 0
	now := v.files(".fstore/state")
	for _, name := range now {
		if slices.Contains(before, name) {
			continue
		}
		switch {
		case strings.HasSuffix(name, ".tmp"):
			tmp++
		case strings.HasSuffix(name, ".spool"):
			spools++
		case strings.HasSuffix(name, ".json"):
			runs++
		}
	}
	views, older := map[string]bool{}, 0
	for _, name := range now {
		if strings.HasSuffix(name, ".json") {
			if views[filepath.Dir(name)] {
				older++
			}
			views[filepath.Dir(name)] = true
		}
	}
	switch {
	case tmp > 0 || spools > runs:
		return "computing"
	case spools > 0:
		return "writing"
	case runs > 0 && older > 0:
		return "cleaning"
	}
	return "between views"
}

// finish runs to the end and compares the store with a clean run's. It returns how many views went on with what a
// killed run had begun.
func (v *victims) finish() (resumed int) {
	v.t.Helper()
	args := []string{"--to", v.to.Format(time.RFC3339), "--output", "json"}
	from, begun := v.store.taken(), time.Now()
	for view, s := range summaries(v.t, v.materialize(args...)) {
		if s.Error != "" || len(s.Left) > 0 {
			v.t.Errorf("%s: %+v", view, s)
		}
		if !s.Finished.IsZero() {
			resumed++
		}
		if view == "line_item@1" {
			v.write = max(v.write, time.Duration(s.Seconds.Write*float64(time.Second)))
			v.clears = max(v.clears, time.Duration(s.Seconds.Clean*float64(time.Second)))
		}
	}
	v.whole, v.written = (v.whole+time.Since(begun))/2, max(v.written, v.store.taken()-from)
	v.compare()
	return resumed
}

// compare compares the store with one that a clean run has made, as of the same instant and over the same files.
func (v *victims) compare() {
	v.t.Helper()
	got := contents(v.t, v.backend)
	problems := append(got.differs(cleanRun(v.twin, v.to)), v.leftInState(got)...)
	v.compared++
	if len(problems) > 0 {
		v.t.Fatalf("after %d kills, as of %s, seed %d:\n%s", v.killed, v.to, *seedFlag, strings.Join(problems, "\n"))
	}
}

// cleanRun returns what a run makes of nothing, in a repo over the same data.
func cleanRun(twin *repo, to time.Time) *content {
	twin.t.Helper()
	removeStore(twin.t, twin.dir)
	removeState(twin.t, twin.dir)
	twin.materialize("--to", to.Format(time.RFC3339))
	b := twin.backend()
	defer b.Close()
	return contents(twin.t, b)
}
