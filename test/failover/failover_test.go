package failover

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

var reads = flag.Int64("reads", 10_000, "look-ups to make at least")

const keys = 30

func day(n int) time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

func dayOf(t time.Time) int { return int(t.Sub(day(0)) / (24 * time.Hour)) }

// exists reports whether a key has a row as of a day. Each day some keys come and some go.
func exists(key, n int) bool { return (key+n)%5 != 0 }

// value says which key and which day it is of.
func value(key, n int) int64 { return int64(n*1000 + key) }

var view = &fstore.ViewVersion{
	Ref: fstore.ViewRef{Name: "v", Version: 1}, Fingerprint: "f00d",
	View: fstore.View{
		Name: "v", Keys: []fstore.Field{{Name: "id", Type: fstore.Int64}}, Event: "at",
		Features: []fstore.Feature{{Name: "x", Type: fstore.Int64, Column: "x"}},
	},
}

// source computes the view: every value changes every day.
type source struct{}

func (source) Stamp(context.Context, *fstore.ViewVersion) string { return "s" }

func (source) AsOf(_ context.Context, _ *fstore.ViewVersion, p time.Time) iter.Seq2[*fstore.Batch, error] {
	return func(yield func(*fstore.Batch, error) bool) {
		b := &fstore.Batch{Columns: []fstore.Column{
			fstore.NewColumn("id", fstore.Int64, keys), fstore.NewColumn("event", fstore.Timestamp, keys), fstore.NewColumn("x", fstore.Int64, keys),
		}}
		for k := range keys {
			if exists(k, dayOf(p)) {
				b.Columns[0].Append(int64(k))
				b.Columns[1].Append(p)
				b.Columns[2].Append(value(k, dayOf(p)))
				b.Len++
			}
		}
		yield(b, nil)
	}
}

// sink remembers from which day to which day runs were going.
type sink struct {
	*online.Store
	flights *sync.Map // of [2]int
}

func (s sink) Encoder(v *fstore.ViewVersion, g fstore.Generation) (materialize.Encoder, error) {
	return s.Store.Encoder(v, g)
}

func (s sink) SetFence(ctx context.Context, was *fstore.Fence, is fstore.Fence) error {
	s.flights.Store([2]int{dayOf(is.BaseAt), dayOf(is.At)}, true)
	return s.Store.SetFence(ctx, was, is)
}

// leases is a registry in which nobody else wants a lease.
type leases struct{ count atomic.Int64 }

func (l *leases) Acquire(context.Context, fstore.ViewRef, time.Duration, time.Time) (string, error) {
	return fmt.Sprint("token-", l.count.Add(1)), nil
}

func (*leases) Renew(context.Context, fstore.ViewRef, string, time.Duration, time.Time) error {
	return nil
}
func (*leases) Release(context.Context, fstore.ViewRef, string) error { return nil }

type clock struct{}

func (clock) Now() time.Time { return time.Now() }
func (clock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

type world struct {
	t       *testing.T
	servers *redistest.Sentinels
	state   string
	leases  *leases
	flights sync.Map
	reads   atomic.Int64
	refused atomic.Int64
	back    atomic.Int64
}

func (w *world) store(options string) *online.Store {
	b, err := redis.Open(w.servers.URL + options)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { b.Close() })
	s := online.New(b, "p")
	start := time.Now()
	s.Elapsed = func() time.Duration { return time.Since(start) }
	s.WentBack = func(fstore.ViewRef, fstore.Pointer, fstore.Pointer) { w.back.Add(1) }
	return s
}

func (w *world) options(s *online.Store, n int) materialize.Options {
	return materialize.Options{
		Views: []*fstore.ViewVersion{view}, To: day(n), Now: func() time.Time { return day(1 << 16) }, State: w.state, Store: "redis",
		Source: source{}, Sink: sink{s, &w.flights}, Leases: w.leases, Clock: clock{}, BatchKeys: 5,
	}
}

// run materializes a day once.
func (w *world) run(s *online.Store, n int) (materialize.Summary, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := materialize.Run(ctx, w.options(s, n))
	if len(out) == 0 {
		return materialize.Summary{}, err
	}
	return out[0], err
}

// settle materializes a day until it succeeds.
func (w *world) settle(s *online.Store, n int) materialize.Summary {
	for end := time.After(time.Minute); ; {
		summary, err := w.run(s, n)
		if err == nil {
			return summary
		}
		if !errors.Is(err, fstore.ErrUnavailable) && !errors.Is(err, fstore.ErrConflict) {
			w.t.Errorf("day %d: %v", n, err)
		}
		select {
		case <-end:
			w.t.Fatalf("day %d does not get materialized: %v", n, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func prepare(t *testing.T, s *online.Store) *online.Prepared {
	p, err := s.Prepare(&fstore.FeatureList{
		Uses:    []fstore.ViewUse{{Version: view, Keys: []fstore.KeyBinding{{Key: view.View.Keys[0], Column: "id"}}}},
		Outputs: fstore.Outputs{fstore.FeatureOutput{As: "x", Feature: "x"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// look reads all keys and compares each value with the published instant of the answer: it is as of that, or of a run
// that was going from there.
func (w *world) look(p *online.Prepared) (published int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	ids := fstore.NewColumn("id", fstore.Int64, 8)
	first := rand.IntN(keys)
	for i := range 8 {
		ids.Append(int64((first + i) % keys))
	}
	a, err := p.Lookup(ctx, online.Request{Keys: []fstore.Column{ids}, Now: day(1 << 16)})
	if err != nil {
		return 0, err
	}
	base := dayOf(a.Versions[0].Published)
	for i := range 8 {
		key, n := (first+i)%keys, base
		if a.Features[0].Status(i) == online.Present {
			n = int(a.Features[0].Column.Int64s[i]) / 1000
			if a.Features[0].Column.Int64s[i] != value(key, n) {
				return base, fmt.Errorf("key %d has the value %d of another", key, a.Features[0].Column.Int64s[i])
			}
		}
		if fits := func(n int) bool { return exists(key, n) == (a.Features[0].Status(i) == online.Present) }; n == base && fits(base) {
			continue
		} else if n != base && fits(n) && w.flying(base, n) || n == base && w.gone(base, fits) {
			continue
		}
		return base, fmt.Errorf("key %d published on day %d is of day %d: %v", key, base, n, a.Features[0].Status(i))
	}
	return base, nil
}

func (w *world) flying(from, to int) bool { _, ok := w.flights.Load([2]int{from, to}); return ok }

// gone reports whether a run going from a day explains that there is no record.
func (w *world) gone(from int, fits func(int) bool) (found bool) {
	w.flights.Range(func(flight, _ any) bool {
		f := flight.([2]int)
		found = f[0] == from && fits(f[1])
		return !found
	})
	return found
}

func TestNoFailoverGivesAWrongAnswer(t *testing.T) {
	w := &world{t: t, servers: redistest.NewSentinels(t, redistest.Config{}), state: t.TempDir(), leases: &leases{}}
	writer := w.store("")
	w.settle(writer, 1)
	w.servers.Settle()
	done := make(chan struct{})
	var all sync.WaitGroup
	var last atomic.Int64
	all.Go(func() {
		for n := 2; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			w.settle(writer, n)
			last.Store(int64(n))
		}
	})
	for i := range 4 {
		s := w.store([]string{"", "&read_from=replica"}[i%2])
		p := prepare(t, s)
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				_, err := w.look(p)
				switch {
				case err == nil:
					w.reads.Add(1)
				case errors.Is(err, fstore.ErrUnavailable):
					w.refused.Add(1)
					time.Sleep(time.Millisecond)
				default:
					t.Error(err)
				}
			}
		})
	}
	s := w.servers
	faults := []func(){
		func() { old := s.Primary(); old.Kill(); s.Failover(old); old.Restart() },
		func() { // acknowledged writes are lost
			old, from := s.Primary(), last.Load()
			s.StopReplication()
			for end := time.After(10 * time.Second); last.Load() < from+2; time.Sleep(time.Millisecond) {
				select {
				case <-end:
					return
				default:
				}
			}
			old.Kill()
			s.Failover(old)
			s.ResumeReplication()
			old.Restart()
		},
		func() { s.Promote(s.Replicas()[0]) },
		func() { old := s.Primary(); old.Pause(); s.Failover(old); old.Resume() },
	}
	for i := 0; (i < len(faults) || w.reads.Load() < *reads) && !t.Failed(); i++ {
		faults[i%len(faults)]()
		s.ResumeReplication()
		s.Settle()
	}
	close(done)
	all.Wait()
	final := int(last.Load()) + 1
	w.settle(writer, final)
	s.Settle()
	for _, options := range []string{"", "&read_from=replica"} {
		if got, err := w.look(prepare(t, w.store(options))); err != nil || got != final {
			t.Errorf("after all, day %d is answered, want %d: %v", got, final, err)
		}
	}
	t.Logf("%d answers, %d refused, %d days, %d times back", w.reads.Load(), w.refused.Load(), final, w.back.Load())
}

// A pointer that went back is noticed, and the next run repairs the store.
func TestAPublicationThatIsLostIsNoticedAndRepaired(t *testing.T) {
	w := &world{t: t, servers: redistest.NewSentinels(t, redistest.Config{}), state: t.TempDir(), leases: &leases{}}
	s, writer := w.servers, w.store("")
	w.settle(writer, 1)
	s.Settle()
	reader := prepare(t, w.store(""))
	s.StopReplication()
	if summary := w.settle(writer, 2); summary.Warning == "" {
		t.Error("no replica has confirmed, and there is no warning")
	}
	if got, err := w.look(reader); got != 2 || err != nil {
		t.Fatalf("day %d is answered: %v", got, err)
	}
	old := s.Primary()
	old.Kill()
	s.Failover(old)
	s.ResumeReplication()
	for got := 0; got != 1; {
		var err error
		if got, err = w.look(reader); err != nil && !errors.Is(err, fstore.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if w.back.Load() == 0 {
		t.Error("nobody noticed that the store went back")
	}
	if summary := w.settle(writer, 2); summary.Skipped != "" {
		t.Errorf("the run skipped: %s", summary.Skipped)
	}
	if got, err := w.look(reader); got != 2 || err != nil {
		t.Errorf("day %d is answered: %v", got, err)
	}
}

// A run whose primary dies waits for the next one, and goes on there.
func TestARunGoesOnAfterAFailover(t *testing.T) {
	w := &world{t: t, servers: redistest.NewSentinels(t, redistest.Config{}), state: t.TempDir(), leases: &leases{}}
	s, store := w.servers, w.store("")
	w.settle(store, 1)
	o := w.options(store, 2)
	killed := false
	o.Progress = func(p materialize.Progress) {
		if p.Stage == materialize.StageWrite && p.Done > 0 && !killed {
			killed = true
			s.Settle() // nothing is lost with the primary
			s.Primary().Kill()
		}
	}
	if _, err := materialize.Run(t.Context(), o); err != nil || !killed {
		t.Fatal(killed, err)
	}
	if got, err := w.look(prepare(t, w.store(""))); got != 2 || err != nil {
		t.Errorf("day %d is answered: %v", got, err)
	}
}
