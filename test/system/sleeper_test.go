package system

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

const defaultSleepers = 5

var sleepersFlag = flag.Int("sleepers", defaultSleepers, "how many runs are stopped past their lease, on each store")

// sleep is one round: when a run is stopped, how it and the one that takes over run.
type sleep struct {
	at          moment
	first, then []string // flags
}

// theSleeps are the first rounds; the later ones are any.
var theSleeps = []sleep{
	{at: leased},
	{at: midway},
	{at: computing},
	{at: written, first: []string{"--full"}},
	{at: midway, first: []string{"--full"}, then: []string{"--full"}},
	{at: written},
	{at: begun, then: []string{"--full"}},
	{at: published, first: []string{"--full"}},
}

func anySleep(random *rand.Rand) sleep {
	full := func() []string {
		if random.IntN(2) == 0 {
			return []string{"--full"}
		}
		return nil
	}
	round := sleep{[]moment{leased, computing, begun, midway, written, published}[random.IntN(6)], full(), full()}
	if round.at == published {
		round.first = []string{"--full"} // else it has nothing left to write
	}
	return round
}

// TestASleeperChangesNothing stops runs at every moment, past their leases, lets another one take over and publish, and
// wakes them up: not a byte of the store changes, and they end with status 5. The store is read all the while.
func TestASleeperChangesNothing(t *testing.T) {
	overStores(t, func(t *testing.T, url string) {
		w := newLiveWorld(t, url, 6000)
		w.server = w.r.serve()
		w.await()
		readers := startReaders(t, w.ledger, w.server, 50*time.Millisecond)
		s := &sleeper{w: w, registry: w.registry()}
		if url == "" {
			s.gate = &sqliteGate{w, openSQLite(t, w.r, "online.db"), s.registry}
		} else {
			s.gate = newRedisGate(t, w, url)
		}
		random, count := rand.New(rand.NewPCG(5, 5)), map[moment]int{}
		for i := range *sleepersFlag {
			round := anySleep(random)
			if i < len(theSleeps) {
				round = theSleeps[i]
			}
			s.overtake(round, func() { expire(t, s.registry, "whole@1") })
			count[round.at]++
		}
		if *sleepersFlag > defaultSleepers { // once in real time: the one that takes over waits until the lease ends
			for _, round := range []sleep{{at: leased}, {at: computing}, {at: midway, first: []string{"--full"}}} {
				round.then = []string{"--wait", "2m"}
				s.overtake(round, func() {})
				count["real time"]++
			}
			if g, ok := s.gate.(*sqliteGate); ok {
				s.stoppedWithinATransaction(g.online)
			}
		}
		w.materialize()
		w.repeat(w.last)
		readers.stop()
		w.nothingLeft()
		t.Logf("stopped %v\n%s", count, w.ledger.report())
	})
}

type sleeper struct {
	w        *liveWorld
	gate     gate
	registry *sql.DB
}

// overtake does one round.
func (s *sleeper) overtake(round sleep, expire func()) {
	t, w := s.w.t, s.w
	t.Helper()
	p, wake := s.asleep(round)
	through := w.moment(whole) == published // perhaps since it sleeps
	expire()
	w.data()
	w.materialize(append([]string{"whole"}, round.then...)...)
	before := dump(t, w.store())
	wake()
	status := p.wait()
	log := p.log.String()
	switch {
	case status == 5 && strings.Contains(log, "another "):
	case status == 0 && through: // there was nothing left to write
	default:
		t.Fatalf("stopped when %s, flags %v, and overtaken with %v: status %d\n%s", round.at, round.first, round.then, status, log)
	}
	if after := dump(t, w.store()); !maps.Equal(before, after) {
		t.Fatalf("stopped when %s, flags %v, and overtaken with %v, it changed the store", round.at, round.first, round.then)
	}
	w.rightRecords(whole)
}

// asleep returns a run of the view whole that was stopped.
func (s *sleeper) asleep(round sleep) (p *process, wake func()) {
	w := s.w
	for range 30 {
		w.data()
		to := w.tick()
		args := append([]string{"whole"}, round.first...)
		_, _ = w.expectRun(to, args)
		p, wake := s.gate.stopAt(round.at, append([]string{"materialize", "--to", to.Format(time.RFC3339Nano)}, args...)...)
		if p != nil {
			return p, wake
		}
	}
	w.t.Fatalf("no run could be stopped when %s, with %v", round.at, round.first)
	return nil, nil
}

// moment says how far the run of a view's serving version for the last instant has come.
func (w *liveWorld) moment(view string) moment {
	ref := fstore.ViewRef{Name: view, Version: w.names.serves[view]}
	l, held := leaseOf(w.t, w.registry(), ref.String())
	if !held {
		return ""
	}
	store := online.New(w.store(), "live")
	pointer, ok, err := store.Pointer(context.Background(), ref)
	if err != nil || !ok {
		w.t.Fatal(ok, err)
	}
	if pointer.Published.Equal(w.last) {
		return published
	}
	header := func(g fstore.Generation) fstore.Header {
		h, _, err := store.Header(context.Background(), ref, g)
		if err != nil {
			w.t.Fatal(err)
		}
		return h
	}
	if header(pointer.Generation).Token != l.token {
		return leased
	}
	g := w.generationOf(ref, w.last)
	h := header(g)
	f, _, err := store.Fence(context.Background(), ref, g)
	if err != nil {
		w.t.Fatal(err)
	}
	switch {
	case !h.RunAt.Equal(w.last):
		return computing
	case f.Run != h.Run || f.Watermark == 0 && !f.Complete:
		return begun
	case !f.Complete:
		return midway
	}
	return written
}

// generationOf returns the generation that the run for an instant is to write, as state says; "" where it says nothing.
func (w *liveWorld) generationOf(ref fstore.ViewRef, at time.Time) fstore.Generation {
	files, err := filepath.Glob(filepath.Join(w.r.dir, ".fstore", "state", "live", ref.String(), "*.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		var run struct {
			Generation fstore.Generation
			At         time.Time
		}
		if err == nil {
			err = json.Unmarshal(text, &run)
		}
		if err != nil {
			w.t.Fatal(name, err)
		}
		if run.At.Equal(at) {
			return run.Generation
		}
	}
	return "0000000000000000"
}

// rightRecords compares every record that views have in the store with what the world says it has to be: that of the
// last epoch, under the generation that the pointer names.
func (w *liveWorld) rightRecords(views ...string) {
	w.t.Helper()
	all, store := dump(w.t, w.store()), online.New(w.store(), "live")
	for ref, run := range w.live() {
		if !slices.Contains(views, run.view) {
			continue
		}
		p, ok, err := store.Pointer(context.Background(), fstore.ViewRef{Name: run.view, Version: run.version})
		if err != nil || !ok {
			w.t.Fatalf("%s is not published: %v", ref, err)
		}
		mine, _ := records(all, p.Generation)
		want := 0
		for key := range int64(w.ledger.keys) {
			if run.view == beacon && key > 0 {
				break
			}
			if !originHas(run.view, w.epoch, key, w.ledger.keys) {
				continue
			}
			want++
			column := fstore.Column{Type: fstore.Int64, Len: 1, Int64s: []int64{key}}
			encoded := string(fstore.AppendKey(nil, []*fstore.Column{&column}, 0))
			if run.view == beacon {
				encoded = ""
			}
			// the word is in the record as it is: it names view, version, epoch and key
			if word := originText(run.view, run.version, "word", w.epoch, key); !strings.Contains(mine[encoded], word) {
				w.t.Fatalf("%s has no record of key %d with %s: %q", ref, key, word, mine[encoded])
			}
		}
		if len(mine) != want {
			w.t.Fatalf("%s has %d records, not %d", ref, len(mine), want)
		}
	}
}

// stoppedWithinATransaction stops a run that keeps everybody out of the store's file, as no lease can prevent. The next
// run gives up and says so, readers go on, and when the first goes on, so does everything.
func (s *sleeper) stoppedWithinATransaction(online *sql.DB) {
	t, w := s.w.t, s.w
	var p *process
	for p == nil {
		w.data()
		to := w.tick()
		args := []string{"whole", "--full"}
		_, _ = w.expectRun(to, args)
		p, _ = w.r.start(append([]string{"materialize", "--to", to.Format(time.RFC3339Nano)}, args...)...)
		for caught := false; !caught && p != nil; {
			unlock, free := lock(online)
			if free {
				unlock()
			} else {
				p.signal(syscall.SIGSTOP)
				eventually(t, "a stopped process", p.stoppedOrDone)
				if unlock, free = lock(online); free {
					unlock()
					p.wake()
				}
				caught = !free
			}
			select {
			case <-p.done:
				p = nil
			default:
			}
		}
	}
	expire(t, s.registry, "whole@1")
	begun := time.Now()
	got := w.r.run("materialize", "whole", "--to", w.tick().Format(time.RFC3339Nano))
	if took := time.Since(begun); got.status != 6 || !strings.Contains(got.stderr, "was stopped while it did") || took > 90*time.Second {
		t.Fatalf("status %d after %s\n%s", got.status, took, got.stderr)
	}
	t.Logf("beside a run that was stopped within a transaction another one gave up after %s", time.Since(begun).Round(time.Second))
	p.wake()
	if status := p.wait(); status != 0 && status != 5 {
		t.Fatalf("status %d\n%s", status, p.log)
	}
	w.materialize()
	w.repeat(w.last)
}
