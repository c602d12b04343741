package materialize_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fstore-dev/fstore"
	. "github.com/fstore-dev/fstore/materialize"
)

// wall is the real clock; in a synctest bubble it is a fake one.
type wall struct{}

func (wall) Now() time.Time { return time.Now() }

func (wall) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// slow is a source that takes its time before the first row.
type slow struct {
	*table
	takes time.Duration
}

func (s slow) AsOf(ctx context.Context, v *fstore.ViewVersion, p time.Time) iter.Seq2[*fstore.Batch, error] {
	return func(yield func(*fstore.Batch, error) bool) {
		if err := (wall{}).Sleep(ctx, s.takes); err != nil {
			yield(nil, err)
			return
		}
		s.table.AsOf(ctx, v, p)(yield)
	}
}

// registry is a registry that goes away at some instant, and may hang from then on.
type registry struct {
	*leases
	away  time.Time // zero: never
	hangs time.Duration
	count atomic.Int64 // of renewals
}

func (r *registry) Renew(ctx context.Context, v fstore.ViewRef, token string, ttl time.Duration, now time.Time) error {
	if !r.away.IsZero() && now.After(r.away) {
		if err := (wall{}).Sleep(ctx, r.hangs); err != nil {
			return err
		}
		return fstore.Errorf(fstore.ErrUnavailable, "the registry cannot be reached")
	}
	r.count.Add(1)
	return r.leases.Renew(ctx, v, token, ttl, now)
}

func TestLease(t *testing.T) {
	setup := func(t *testing.T, takes time.Duration) (*world, *registry, Options) {
		w := newWorld(t)
		w.fill(10)
		r := &registry{leases: w.leases}
		o := w.options(day(2), 0)
		o.Clock, o.Leases, o.Source = wall{}, r, slow{w.table, takes}
		return w, r, o
	}
	t.Run("a_long_run_renews_it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, r, o := setup(t, 10*time.Minute+time.Second)
			if _, err := Run(context.Background(), o); err != nil {
				t.Fatal(err)
			}
			w.check(t, day(2))
			if r.count.Load() != 31 {
				t.Errorf("renewed %d times in 10 minutes, want every 20 seconds and once to confirm", r.count.Load())
			}
			if len(w.leases.held) != 0 {
				t.Error("the lease was not released")
			}
		})
	})
	for name, hangs := range map[string]time.Duration{"away": 0, "hanging": time.Hour} {
		t.Run("a_run_stops_before_it_expires_with_the_registry_"+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, r, o := setup(t, time.Hour)
				start := time.Now()
				r.away, r.hangs = start.Add(2*time.Minute+10*time.Second), hangs
				_, err := Run(context.Background(), o)
				if !errors.Is(err, fstore.ErrUnavailable) || !strings.Contains(err.Error(), "could not be renewed") {
					t.Errorf("got %v", err)
				}
				if end := time.Since(start); end >= 3*time.Minute || end < 2*time.Minute+20*time.Second {
					t.Errorf("stopped after %s; the lease expires after 3m0s", end)
				}
				if len(dump(t, w.mem)) != 0 {
					t.Error("something was written")
				}
			})
		})
	}
	t.Run("a_run_stops_when_it_went_to_another", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, _, o := setup(t, time.Hour)
			start := time.Now()
			time.AfterFunc(30*time.Second, func() {
				w.leases.mu.Lock()
				defer w.leases.mu.Unlock()
				w.leases.held[w.table.view.Ref] = "stolen"
			})
			_, err := Run(context.Background(), o)
			if !errors.Is(err, fstore.ErrConflict) || time.Since(start) != 40*time.Second {
				t.Errorf("got %v after %s", err, time.Since(start))
			}
			if w.leases.held[w.table.view.Ref] != "stolen" {
				t.Error("the other's lease was released")
			}
		})
	})
	hold := func(w *world, d time.Duration) {
		if _, err := w.leases.Acquire(context.Background(), w.table.view.Ref, d, time.Now()); err != nil {
			panic(err)
		}
	}
	t.Run("a_second_run_is_refused_at_once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, _, o := setup(t, 0)
			hold(w, time.Hour)
			start := time.Now()
			_, err := Run(context.Background(), o)
			if !errors.Is(err, fstore.ErrConflict) || !strings.Contains(err.Error(), "process 42") || time.Since(start) != 0 {
				t.Errorf("got %v after %s", err, time.Since(start))
			}
		})
	})
	t.Run("wait_ends_when_the_lease_does", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, _, o := setup(t, 0)
			hold(w, time.Minute)
			o.Wait = 10 * time.Minute
			start := time.Now()
			if _, err := Run(context.Background(), o); err != nil || time.Since(start) > 61*time.Second {
				t.Errorf("got %v after %s", err, time.Since(start))
			}
			w.check(t, day(2))
		})
	})
	t.Run("wait_ends_at_its_deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, _, o := setup(t, 0)
			hold(w, time.Hour)
			o.Wait = 10 * time.Minute
			start := time.Now()
			if _, err := Run(context.Background(), o); !errors.Is(err, fstore.ErrConflict) || time.Since(start) != 10*time.Minute {
				t.Errorf("got %v after %s", err, time.Since(start))
			}
		})
	})
	t.Run("an_interrupt_gives_it_back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, _, o := setup(t, time.Hour)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if _, err := Run(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if len(w.leases.held) != 0 {
				t.Error("the lease was not released")
			}
			if got := w.files(t); len(got) != 0 {
				t.Errorf("state holds %v", got)
			}
		})
	})
}

// TestASleeperCannotWrite stops a run at every step, past its lease, lets a second one do all its work, and wakes the
// first: it changes nothing, and what it leaves in state does no harm.
func TestASleeperCannotWrite(t *testing.T) {
	for _, sc := range scenarios() {
		for name, mode := range map[string]Mode{"difference": 0, "full": Full} {
			t.Run(sc.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				for n, more := 1, true; more; n++ {
					w := newWorld(t)
					sc.setup(t, w)
					mode := mode | sc.again
					p := day(6)
					if mode&Rewind != 0 {
						p = day(1)
					}
					steps := 0
					var awake fstore.Pointer
					var overtaken string
					o := w.options(sc.p, sc.mode).WithStep(func(step string) error {
						if steps++; steps != n {
							return nil
						}
						delete(w.leases.held, w.table.view.Ref)
						w.table.put("k005", day(3), 500)
						w.table.remove("k008")
						overtaken = step
						if _, err := w.run(p, mode); err != nil {
							t.Fatalf("overtaking at step %d, %s: %v", n, step, err)
						}
						awake, _ = w.live(t)
						return nil
					})
					_, err := Run(context.Background(), o)
					if more = steps >= n; !more {
						break
					}
					if err != nil && !errors.Is(err, fstore.ErrConflict) { // whatever it stumbled over
						t.Fatalf("overtaken at step %d, %s: %v", n, overtaken, err)
					}
					after := []string{"publish", "drop fence", "drop", "drop header", "cleaned"} // nothing was left to write
					if err == nil && !slices.Contains(after, overtaken) {
						t.Fatalf("overtaken at step %d, %s: it did not notice", n, overtaken)
					}
					w.check(t, p)
					if now, _ := w.live(t); now != awake {
						t.Fatalf("overtaken at step %d, %s: the pointer moved from %v to %v", n, overtaken, awake, now)
					}
					if s, err := w.run(p, mode&Rewind); err != nil || s.Written != 0 || s.NewGeneration != "" {
						t.Fatalf("overtaken at step %d, %s, then: %+v", n, overtaken, s)
					}
				}
			})
		}
	}
}

// TestAStoreThatHangsIsGivenUp: an attempt that takes ten seconds, as one at a locked SQLite file does, is not made eight
// times over.
func TestAStoreThatHangsIsGivenUp(t *testing.T) {
	for n := 1; ; n++ {
		w := newWorld(t)
		w.fill(10)
		w.mustRun(t, day(2), 0)
		w.fill(12)
		o := w.options(day(3), 0)
		w.shaky.count, w.shaky.at = 0, n
		w.shaky.how = func(ctx context.Context, _ func() error) error {
			for range 2 {
				if err := o.Clock.Sleep(ctx, 5*time.Second); err != nil {
					return err
				}
			}
			return fstore.Errorf(fstore.ErrUnavailable, "the file is locked")
		}
		begun := o.Clock.Now()
		_, err := Run(context.Background(), o)
		if w.shaky.count < n {
			return // the run had no such operation
		}
		if took := o.Clock.Now().Sub(begun); !errors.Is(err, fstore.ErrUnavailable) || took < 20*time.Second || took > 45*time.Second {
			t.Fatalf("operation %d hangs: %v after %s", n, err, took)
		}
	}
}
