package system

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/online"
)

// liveWorld is the driver's side of a live test: a repo, and what must be true of it. Before a command it tells the
// ledger what the command may make seen.
type liveWorld struct {
	t      testing.TB
	r      *repo
	ledger *ledger
	server *served // nil before there is one

	defs      origin
	epoch     int
	ticks     int            // of published instants
	names     names          // the registry now
	serviceAt map[string]int // head's version of each service
	bound     map[string]int // version of a service by its name and what it uses
	published map[string]int64
	last      time.Time // the last published instant

	onlineStore online.Backend // opened when first asked for
	registryDB  *sql.DB        // likewise
	databases   []*sql.DB      // those in which a stopped run could hold a lock
}

// store returns the online store beside fstore.
func (w *liveWorld) store() online.Backend {
	if w.onlineStore == nil {
		w.onlineStore = w.r.backend()
	}
	return w.onlineStore
}

// registry returns the registry's database beside fstore.
func (w *liveWorld) registry() *sql.DB {
	if w.registryDB == nil {
		w.registryDB = openSQLite(w.t, w.r, "registry.db")
	}
	return w.registryDB
}

// newLiveWorld applies and materializes the first definitions.
func newLiveWorld(t testing.TB, storeURL string, keys int) *liveWorld {
	r := newRepo(t, "")
	if storeURL != "" {
		r.env = append(r.env, "FSTORE_ONLINE="+storeURL)
	}
	w := &liveWorld{
		t: t, r: r, ledger: newLedger(keys), epoch: 2, bound: map[string]int{}, published: map[string]int64{}, serviceAt: map[string]int{},
		names: names{head: map[string]int{}, serves: map[string]int{}, known: map[string]int{}, inHead: map[string]bool{}, services: map[string]int{}},
		defs: origin{
			note: "first", views: map[string]int{whole: 1, third: 1, beacon: 1, flicker: 1},
			services: map[string][]originUse{
				"main":  {{whole, "id", "w_"}, {third, "id", "t_"}, {beacon, "id", "b_"}},
				"twice": {{whole, "left", "l_"}, {third, "id", "t_"}, {whole, "right", "r_"}, {whole, "id", "i_"}},
				flicker: {{flicker, "id", "f_"}},
			},
		},
	}
	writeEpoch(t, r, w.epoch, keys)
	w.apply()
	w.materialize()
	w.databases = []*sql.DB{w.registry()}
	if storeURL == "" {
		w.databases = append(w.databases, openSQLite(t, r, "online.db"))
	}
	return w
}

// edit gives views their next versions.
func (w *liveWorld) edit(views ...string) {
	for _, view := range views {
		w.defs.views[view] = w.names.known[view] + 1
	}
}

// data makes the sources those of the next epoch.
func (w *liveWorld) data() {
	w.epoch++
	writeEpoch(w.t, w.r, w.epoch, w.ledger.keys)
}

// apply registers the definitions as they are now.
func (w *liveWorld) apply() {
	w.t.Helper()
	end := w.expectApply()
	w.r.must("apply", "--yes", "--breaking") // its edits take outputs away
	end()
	w.agree()
}

// expectApply notes what an apply of the definitions makes of the names: first its commit, then what it lets serve.
func (w *liveWorld) expectApply() (end func()) {
	w.defs.write(w.r)
	n := &w.names
	n.by, n.head, n.inHead = "apply", maps.Clone(w.defs.views), map[string]bool{}
	for view, version := range n.head {
		n.known[view] = max(n.known[view], version)
	}
	for view := range n.serves {
		if _, ok := n.head[view]; !ok {
			delete(n.serves, view)
		}
	}
	w.serviceAt = map[string]int{}
	for service, uses := range w.defs.services {
		n.inHead[service] = true
		w.serviceAt[service] = w.serviceVersion(service, uses)
	}
	for service := range n.services {
		if !n.inHead[service] {
			delete(n.services, service)
		}
	}
	ends := []func(){w.ledger.expect(*n)}
	if w.promote() {
		n.by = "apply, what is published"
		ends = append(ends, w.ledger.expect(*n))
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// serviceVersion returns the version of a service that is a list of uses in head, a new one if there was none.
func (w *liveWorld) serviceVersion(service string, uses []originUse) int {
	var bound []boundUse
	for _, u := range uses {
		bound = append(bound, boundUse{u, w.names.head[u.view]})
	}
	key := fmt.Sprint(service, bound)
	if w.bound[key] == 0 {
		w.ledger.mu.Lock()
		if w.ledger.services[service] == nil {
			w.ledger.services[service] = map[int][]boundUse{}
		}
		w.bound[key] = len(w.ledger.services[service]) + 1
		w.ledger.services[service][w.bound[key]] = bound
		w.ledger.mu.Unlock()
	}
	return w.bound[key]
}

func liveRef(view string, version int) string { return fmt.Sprintf("%s@%d", view, version) }

// promote lets head's versions serve where their data is there: published, and not before what they replace.
func (w *liveWorld) promote() (moved bool) {
	n := &w.names
	ready := func(view string, next, last int) bool {
		at, ok := w.published[liveRef(view, next)]
		return ok && (last == 0 || at >= w.published[liveRef(view, last)])
	}
	for view, next := range n.head {
		if last := n.serves[view]; last != next && ready(view, next, last) {
			n.serves[view], moved = next, true
		}
	}
	for service, next := range w.serviceAt {
		last, all := n.services[service], true
		replaced := map[string]int{}
		for _, u := range w.ledger.services[service][last] {
			replaced[u.view] = u.version
		}
		for _, u := range w.ledger.services[service][next] {
			all = all && ready(u.view, u.version, replaced[u.view])
		}
		if last != next && all {
			n.services[service], moved = next, true
		}
	}
	return moved
}

// live returns the view versions that materialize keeps fresh.
func (w *liveWorld) live() map[string]versionRun {
	out := map[string]versionRun{}
	add := func(view string, version int) {
		if ref := liveRef(view, version); version > 0 {
			_, was := w.published[ref]
			out[ref] = versionRun{view, version, !was}
		}
	}
	for _, versions := range []map[string]int{w.names.head, w.names.serves} {
		for view, version := range versions {
			add(view, version)
		}
	}
	for _, versions := range []map[string]int{w.serviceAt, w.names.services} {
		for service, version := range versions {
			for _, u := range w.ledger.services[service][version] {
				add(u.view, u.version)
			}
		}
	}
	return out
}

// tick returns the next instant to publish.
func (w *liveWorld) tick() time.Time {
	w.ticks++
	w.last = originBase.AddDate(0, 0, 2).Add(time.Duration(w.ticks) * time.Minute)
	return w.last
}

// materialize publishes the next instant; arguments are views and flags.
func (w *liveWorld) materialize(args ...string) { w.t.Helper(); w.materializeTo(w.tick(), args...) }

func (w *liveWorld) materializeTo(to time.Time, args ...string) {
	w.t.Helper()
	runs, end := w.expectRun(to, args)
	out := w.r.must(append([]string{"materialize", "--output", "json", "--to", to.Format(time.RFC3339Nano)}, args...)...)
	end()
	w.checkSummaries(out, to, runs)
	w.agree()
}

// expectRun notes what a materialize publishes and, at its end, lets serve.
func (w *liveWorld) expectRun(to time.Time, args []string) (runs map[string]versionRun, end func()) {
	runs = w.live()
	flags := strings.Join(args, " ")
	var list []versionRun
	for ref, run := range runs {
		if views := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(flags, "--full", ""), "--rewind", "")); len(views) > 0 && !strings.Contains(flags, run.view) {
			delete(runs, ref)
			continue
		}
		run.fresh = run.fresh || strings.Contains(flags, "--full")
		runs[ref] = run
		list = append(list, run)
		w.published[ref] = to.UnixMicro()
	}
	ends := []func(){w.ledger.begin(publication{micros: to.UnixMicro(), epoch: w.epoch}, list)}
	if w.promote() {
		w.names.by = "materialize " + flags
		ends = append(ends, w.ledger.expect(w.names))
	}
	return runs, func() {
		for _, end := range ends {
			end()
		}
	}
}

// checkSummaries holds what materialize printed against what it had to do.
func (w *liveWorld) checkSummaries(out string, to time.Time, runs map[string]versionRun) {
	w.t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(runs) {
		w.t.Fatalf("materialize ran %d view versions, not %v:\n%s", len(lines), runs, out)
	}
	for _, line := range lines {
		var s struct {
			View struct {
				Name    string
				Version int
			}
			Generation    string
			Published     time.Time
			Keys          int
			NewGeneration string `json:"new_generation"`
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			w.t.Fatal(err, line)
		}
		run, ok := runs[liveRef(s.View.Name, s.View.Version)]
		keys := 0
		for key := range max(w.ledger.keys, 1) {
			if run.view != beacon && originHas(run.view, w.epoch, int64(key), w.ledger.keys) {
				keys++
			}
		}
		if run.view == beacon {
			keys = 1
		}
		if !ok || !s.Published.Equal(to) || s.Keys != keys || (s.NewGeneration != "") != run.fresh {
			w.t.Fatalf("wanted %d keys of %+v as of %s, got %s", keys, run, to, line)
		}
		if err := w.ledger.generationIs(run, to, s.Generation); err != nil {
			w.t.Error(err)
		}
	}
}

// generationIs holds the generation that a run says it published against what readers were told.
func (l *ledger) generationIs(run versionRun, to time.Time, generation string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.log(run.view, run.version).publications {
		if p.micros == to.UnixMicro() {
			if p.generation != "" && p.generation != generation {
				return fmt.Errorf("%s@%d as of %s: readers were told generation %s, and the run made %s", run.view, run.version, to, p.generation, generation)
			}
			p.generation = generation
		}
	}
	return nil
}

// agree compares the registry's names with what they have to be.
func (w *liveWorld) agree() {
	w.t.Helper()
	var got struct {
		Views, Services []struct {
			Name             string
			Version, Serving int
		}
	}
	if err := json.Unmarshal([]byte(w.r.must("list", "--output", "json")), &got); err != nil {
		w.t.Fatal(err)
	}
	have, want := map[string]string{}, map[string]string{}
	for _, v := range got.Views {
		have["view "+v.Name] = fmt.Sprintf("head %d, serves %d", v.Version, v.Serving)
	}
	for _, v := range got.Services {
		have["service "+v.Name] = fmt.Sprintf("head %d, serves %d", v.Version, v.Serving)
	}
	for view, version := range w.names.head {
		want["view "+view] = fmt.Sprintf("head %d, serves %d", version, w.names.serves[view])
	}
	for service, version := range w.serviceAt {
		want["service "+service] = fmt.Sprintf("head %d, serves %d", version, w.names.services[service])
	}
	if !maps.Equal(have, want) {
		w.t.Fatalf("the registry has\n%v\nand not\n%v", have, want)
	}
}

// await waits until the server answers by the names as they are now.
func (w *liveWorld) await() {
	w.t.Helper()
	var questions []*ask
	for view := range w.names.known {
		questions = append(questions, &ask{kind: "waiting", refs: []string{view + ".stamp"}, columns: map[string][]int64{"id": {0}}})
		if view == beacon {
			questions[len(questions)-1].columns = nil
		}
	}
	for _, service := range []string{"main", flicker} {
		questions = append(questions, &ask{kind: "waiting", service: service, columns: map[string][]int64{"id": {0}}})
	}
	deadline := time.Now().Add(time.Minute)
	for _, q := range questions {
		for {
			e := w.ledger.enter()
			a := askGRPC(w.t.Context(), w.server.client, q)
			if err := w.ledger.check(e, q, a); err != nil {
				w.t.Fatalf("wrong answer to %v\n%v", q, err)
			}
			outputs, code := w.ledger.resolve(&w.names, q)
			why := unlike(q, a, outputs, code, &w.names)
			if why == "" {
				break
			}
			if time.Now().After(deadline) {
				w.t.Fatalf("a minute later the server does not answer %v by the registry: %s", q, why)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}
