package system

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

var applyRounds = flag.Int("applies", 3, "rounds of applies at once, of each kind")

// appliers are several checkouts of one project that apply to one registry.
type appliers struct {
	t     testing.TB
	base  *repo // has the registry
	repos []*repo
	defs  []origin
}

func newAppliers(t testing.TB, n int) *appliers {
	a := &appliers{t: t, base: newRepo(t, "")}
	defs := origin{views: map[string]int{whole: 1, third: 1}, services: map[string][]originUse{"main": {{whole, "id", "w_"}}}, note: "first"}
	defs.write(a.base)
	writeEpoch(t, a.base, 2, 10)
	a.base.must("apply", "--yes")
	for range n {
		r := a.base.alone()
		writeEpoch(t, r, 2, 10)
		a.repos, a.defs = append(a.repos, r), append(a.defs, defs.clone())
	}
	return a
}

// registered counts what the registry has ever been given.
func (a *appliers) registered() (commits, versions, revision int) {
	a.t.Helper()
	db := openSQLite(a.t, a.base, "registry.db")
	defer db.Close()
	if err := db.QueryRow(`
		select (select count(*) from commits), (select count(*) from versions), revision
		from projects`).Scan(&commits, &versions, &revision); err != nil {
		a.t.Fatal(err)
	}
	return commits, versions, revision
}

// planned reads what an apply prints until it has shown its plan, and then the rest.
func planned(out io.Reader, ready *sync.WaitGroup) {
	lines, shown := bufio.NewScanner(out), false
	for lines.Scan() {
		if !shown && strings.HasPrefix(lines.Text(), "Plan: ") {
			shown = true
			ready.Done()
		}
	}
	if !shown {
		ready.Done() // it ended before; its status tells
	}
}

// TestAppliesAtOnce lets several applies show their plans, all made of the same revision, and then do them at once:
// one does its own whole, the others do nothing and end with status 5.
func TestAppliesAtOnce(t *testing.T) {
	for _, kind := range []string{"of different changes", "of the same change"} {
		t.Run(strings.ReplaceAll(kind, " ", "_"), func(t *testing.T) {
			a := newAppliers(t, 3)
			registry := openSQLite(t, a.base, "registry.db")
			wins := make([]int, len(a.repos))
			for round := range *applyRounds {
				for i, r := range a.repos {
					n := 2 + round
					if kind == "of different changes" {
						n = 2 + round*len(a.repos) + i
					}
					// two views and a service change, so that there is something to do by halves
					a.defs[i].views[whole], a.defs[i].views[third] = n, n+1
					a.defs[i].write(r)
				}
				commits, versions, revision := a.registered()
				unlock := mustLock(t, registry)
				var ready sync.WaitGroup
				var processes []*process
				for _, r := range a.repos {
					p, out := r.start("apply", "--yes")
					processes = append(processes, p)
					ready.Add(1)
					go planned(out, &ready)
				}
				ready.Wait()
				unlock()
				winner := -1
				for i, p := range processes {
					switch status := p.wait(); {
					case status == 0 && winner < 0:
						winner = i
					case status != 5 || !strings.Contains(p.log.String(), "the registry has moved since the plan was made"):
						t.Fatalf("round %d: apply %d ended with %d:\n%s", round, i, status, p.log)
					}
				}
				if winner < 0 {
					t.Fatalf("round %d: nobody won", round)
				}
				wins[winner]++
				if c, v, r := a.registered(); c != commits+1 || v != versions+3 || r != revision+1 {
					t.Fatalf("round %d: one apply of three new versions made %d commits, %d versions, %d revisions", round, c-commits, v-versions, r-revision)
				}
				for i, r := range a.repos {
					want := 2
					if i == winner || kind == "of the same change" {
						want = 0
					}
					if got := r.run("plan", "--detailed-exitcode"); got.status != want {
						t.Fatalf("round %d: winner %d; plan of %d: status %d\n%s%s", round, winner, i, got.status, got.stdout, got.stderr)
					}
				}
			}
			t.Logf("%d rounds, won by %v", *applyRounds, wins)
		})
	}
}

// TestAppliesRace lets applies of different definitions run as they come: each is whole, before or behind the others,
// or refused.
func TestAppliesRace(t *testing.T) {
	a := newAppliers(t, 3)
	for i := range a.repos {
		a.defs[i].views[whole], a.defs[i].views[third] = 2+i, 2+i
		a.defs[i].write(a.repos[i])
	}
	done, refused := 0, 0
	for round := range *applyRounds {
		commits, _, _ := a.registered()
		results := make([]result, len(a.repos))
		var all sync.WaitGroup
		for i, r := range a.repos {
			all.Go(func() { results[i] = r.run("apply", "--yes") })
		}
		all.Wait()
		last, by := commits, -1
		for i, got := range results {
			var commit int
			if _, text, ok := strings.Cut(got.stdout, "Applied as commit "); ok {
				if _, err := fmt.Sscan(text, &commit); err != nil {
					t.Fatal(err)
				}
			}
			switch {
			case got.status == 0 && commit > 0:
				if done++; commit > last {
					last, by = commit, i
				}
			case got.status == 5 && commit == 0:
				refused++
			case got.status != 0 || !strings.HasPrefix(got.stdout, "No changes"):
				t.Fatalf("round %d: apply %d ended with %d:\n%s%s", round, i, got.status, got.stdout, got.stderr)
			}
		}
		now, versions, _ := a.registered()
		if now != last || versions > 3*(1+len(a.repos)) {
			t.Fatalf("round %d: %d commits, the last is %d; %d versions", round, now, last, versions)
		}
		if by >= 0 {
			a.repos[by].must("plan", "--detailed-exitcode") // status 0: head is what the last one wrote, whole
		}
	}
	t.Logf("%d applies done, %d refused", done, refused)
}
