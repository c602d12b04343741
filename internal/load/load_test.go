package load_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/load"
)

// machine is the clock of the machine; in a bubble of synctest it is a fake one.
type machine struct{}

func (machine) Now() time.Time                             { return time.Now() }
func (machine) Sleep(ctx context.Context, d time.Duration) { _ = fstore.Sleep(ctx, d) }

func plan(call load.Call) load.Plan {
	return load.Plan{
		Call: call, Duration: 10 * time.Second, Timeout: 5 * time.Second, Seed: 7, Concurrency: 1, MaxInFlight: 10_000,
		Clock: machine{}, Progress: func(time.Duration) {},
	}
}

// stalling answers in a millisecond, but not in the second that begins 4 s after the start.
func stalling() load.Call {
	from := time.Now().Add(4 * time.Second)
	return func(context.Context, int64, time.Time) load.Outcome {
		if into := time.Since(from); into >= 0 && into < time.Second {
			time.Sleep(time.Second - into)
		}
		time.Sleep(time.Millisecond)
		return load.Outcome{}
	}
}

// A server stalls for one of ten seconds. An open loop sees a tenth of its calls wait, half a second each in the mean. A closed
// loop has a single slow call.
func TestAStallShowsInEveryCallThatWasDue(t *testing.T) {
	for name, constant := range map[string]bool{"constant": true, "poisson": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := plan(stalling())
				p.Rate, p.Constant = 1000, constant
				r := load.Run(t.Context(), p)
				if n := r.Calls(); n < 9_700 || n > 10_300 || r.Answered != n {
					t.Errorf("%d calls, %d answered; want about 10000", n, r.Answered)
				}
				for q, want := range map[float64]time.Duration{0.5: time.Millisecond, 0.95: 500 * time.Millisecond, 0.99: 900 * time.Millisecond} {
					if got := r.Latency.Quantile(q); got < want*9/10 || got > want*11/10 {
						t.Errorf("quantile %v is %v, want about %v", q, got, want)
					}
				}
				if !r.KeptUp() || r.AtLimit || r.Due != r.Calls() || r.Begun != r.Due {
					t.Errorf("the generator did not keep up: %d of %d begun, lag %v, at the limit: %v", r.Begun, r.Due, r.Lag.Max(), r.AtLimit)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := load.Run(t.Context(), plan(stalling()))
		if got := r.Latency.Quantile(0.99); got > 2*time.Millisecond {
			t.Errorf("the closed loop's p99 is %v", got)
		}
		if got := r.Latency.Max(); got < time.Second {
			t.Errorf("the closed loop's slowest call took %v", got)
		}
	})
}

// A stall of the generator counts like one of the server: calls that wait for a place are as old as if they had begun.
func TestCallsThatAreHeldBackCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan(stalling())
		p.Rate, p.Constant, p.MaxInFlight = 1000, true, 10
		r := load.Run(t.Context(), p)
		if got := r.Latency.Quantile(0.99); got < 800*time.Millisecond {
			t.Errorf("p99 is %v", got)
		}
		if !r.AtLimit || r.KeptUp() {
			t.Errorf("at the limit: %v, kept up: %v", r.AtLimit, r.KeptUp())
		}
	})
}

// A server that answers nothing has its calls given up at their time. Those that cannot begin by then are late unmade.
func TestADeadServerEndsTheLoad(t *testing.T) {
	for name, overdue := range map[string]time.Duration{"in time": 0, "late": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := plan(func(_ context.Context, _ int64, due time.Time) load.Outcome {
					time.Sleep(5*time.Second + overdue - time.Since(due))
					return load.Outcome{Failure: "deadline_exceeded", Late: true}
				})
				p.Rate, p.Constant, p.MaxInFlight = 100, true, 10
				began := time.Now()
				r := load.Run(t.Context(), p)
				if r.Answered != 0 || r.Calls() != 1000 || r.Failures["deadline_exceeded"] < 10 || (r.Failures[load.NotBegun] > 0) != (overdue > 0) {
					t.Errorf("answered %d, failures %v", r.Answered, r.Failures)
				}
				if got := r.Latency.Min(); got < 5*time.Second || r.Latency.Count() != 1000 {
					t.Errorf("%d times, the shortest is %v", r.Latency.Count(), got)
				}
				if took := time.Since(began); took > 16*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// A closed loop has as many calls in flight as it was told to, and waits after failures.
func TestAClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most, seen := 0, 0, map[int64]bool{}
		p := plan(func(_ context.Context, n int64, _ time.Time) load.Outcome {
			mu.Lock()
			running++
			most, seen[n] = max(most, running), true
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			running--
			mu.Unlock()
			return load.Outcome{Counts: [load.Kinds]int64{2: 3}}
		})
		p.Concurrency, p.Warmup = 4, time.Second
		r := load.Run(t.Context(), p)
		if most != 4 || len(seen) != 4400 || !seen[0] || !seen[4399] {
			t.Errorf("%d at once, %d calls", most, len(seen))
		}
		if r.Answered != 4000 || r.Counts[2] != 12_000 || r.PerSecond(r.InTime) > 400 || r.PerSecond(r.InTime) < 399 {
			t.Errorf("answered %d, in time %d, counted %d", r.Answered, r.InTime, r.Counts[2])
		}
		p.Call = func(context.Context, int64, time.Time) load.Outcome { return load.Outcome{Failure: "unavailable"} }
		p.Concurrency = 1
		if r := load.Run(t.Context(), p); r.Failures["unavailable"] != 1000 || r.Latency.Count() != 0 {
			t.Errorf("%v, %d times", r.Failures, r.Latency.Count())
		}
	})
}

// The end of the context ends the load with the figures so far. Calls that it cut off are no failures.
func TestALoadIsStopped(t *testing.T) {
	for name, rate := range map[string]float64{"open": 100, "closed": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 3050*time.Millisecond)
				defer cancel()
				p := plan(func(ctx context.Context, _ int64, _ time.Time) load.Outcome {
					if fstore.Sleep(ctx, 100*time.Millisecond) != nil {
						return load.Outcome{Failure: "stopped"}
					}
					return load.Outcome{}
				})
				p.Rate, p.Constant, p.Warmup = rate, true, time.Second
				began := time.Now()
				r := load.Run(ctx, p)
				if took := time.Since(began); took != 3050*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				if !r.Stopped || r.Elapsed != 2050*time.Millisecond || r.Failed() != 0 || r.Unfinished == 0 || r.Answered == 0 {
					t.Errorf("stopped %v after %v: %d answered, %d unfinished, failures %v", r.Stopped, r.Elapsed, r.Answered, r.Unfinished, r.Failures)
				}
			})
		})
	}
}

// Calls that were overdue when the context ended count as due and unfinished, though they never began.
func TestWhatWasOverdueWhenALoadIsStoppedCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3005*time.Millisecond)
		defer cancel()
		p := plan(func(ctx context.Context, _ int64, _ time.Time) load.Outcome {
			<-ctx.Done()
			return load.Outcome{Failure: "stopped"}
		})
		p.Rate, p.Constant, p.Warmup, p.MaxInFlight = 100, true, time.Second, 110 // 10 calls after the warm-up begin
		r := load.Run(ctx, p)
		if !r.Stopped || r.Due != 201 || r.Begun != 10 || r.Unfinished != r.Due || r.Calls() != 0 {
			t.Errorf("due %d, begun %d, unfinished %d, answered or failed %d", r.Due, r.Begun, r.Unfinished, r.Calls())
		}
		if r.KeptUp() || r.Lag.Count() != r.Due || r.Lag.Max() < 1900*time.Millisecond {
			t.Errorf("kept up: %v, %d lags up to %v", r.KeptUp(), r.Lag.Count(), r.Lag.Max())
		}
	})
}

// A load is also stopped if the context ends when all calls have begun.
func TestALoadIsStoppedAfterItsLastCall(t *testing.T) {
	for name, after := range map[string]time.Duration{"in the duration": 2500 * time.Millisecond, "after it": 4 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), after)
				defer cancel()
				p := plan(func(ctx context.Context, _ int64, _ time.Time) load.Outcome {
					<-ctx.Done()
					return load.Outcome{Failure: "stopped"}
				})
				p.Rate, p.Constant, p.Duration = 1, true, 3*time.Second
				p.Timeout = time.Minute
				r := load.Run(ctx, p)
				if want := min(after, p.Duration); !r.Stopped || r.Elapsed != want || r.Due != 3 || r.Unfinished != 3 {
					t.Errorf("stopped: %v, after %v of %v, due %d, unfinished %d", r.Stopped, r.Elapsed, want, r.Due, r.Unfinished)
				}
			})
		})
	}
}

// A server that refuses every call at once leaves no times to compare the lag with.
func TestALoadWithoutTimesIsKeptUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan(func(context.Context, int64, time.Time) load.Outcome { return load.Outcome{Failure: "busy"} })
		p.Rate, p.Constant, p.Clock = 1000, true, tardy{}
		if r := load.Run(t.Context(), p); !r.KeptUp() || r.Latency.Count() != 0 || r.Lag.Max() == 0 {
			t.Errorf("kept up: %v, %d times, lag %v", r.KeptUp(), r.Latency.Count(), r.Lag.Max())
		}
	})
}

// tardy is a clock whose sleeps are 10 µs too long.
type tardy struct{ machine }

func (c tardy) Sleep(ctx context.Context, d time.Duration) {
	c.machine.Sleep(ctx, d+10*time.Microsecond)
}

// One seed makes one schedule, and another seed another. The gaps of a Poisson process vary as much as their mean.
func TestInstants(t *testing.T) {
	schedule := func(seed uint64) (gaps []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			began, last := time.Now(), time.Duration(0)
			var mu sync.Mutex
			p := plan(func(_ context.Context, _ int64, due time.Time) load.Outcome {
				mu.Lock()
				defer mu.Unlock()
				gaps = append(gaps, due.Sub(began)-last)
				last = due.Sub(began)
				return load.Outcome{}
			})
			p.Rate, p.Seed = 1000, seed
			load.Run(t.Context(), p)
		})
		slices.Sort(gaps)
		return gaps
	}
	one, again, other := schedule(1), schedule(1), schedule(2)
	if !slices.Equal(one, again) || slices.Equal(one, other) {
		t.Errorf("the seed does not decide the schedule")
	}
	median := one[len(one)/2] // of an exponential distribution: ln 2 of the mean
	if median < 660*time.Microsecond || median > 730*time.Microsecond {
		t.Errorf("the median gap is %v", median)
	}
}

// A quantile is what sorting gives, or up to 1/256 above it.
func TestQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		var h load.Histogram
		all := make([]time.Duration, 1+random.IntN(2000))
		for i := range all {
			all[i] = time.Duration(1) << random.IntN(40)
			all[i] += time.Duration(random.Int64N(int64(all[i])))
			h.Record(all[i])
		}
		slices.Sort(all)
		for _, q := range []float64{0, 0.001, 0.5, 0.9, 0.99, 0.999, 1} {
			want := all[max(0, int(math.Ceil(q*float64(len(all))))-1)]
			if got := h.Quantile(q); got < want || got > want+want/256 {
				t.Fatalf("quantile %v of %d: got %d, want %d", q, len(all), got, want)
			}
		}
		octaves := int64(0)
		below := time.Duration(0)
		for under, n := range h.Octaves() {
			octaves += n
			want := 0
			for _, d := range all {
				if d >= below && d < under {
					want++
				}
			}
			if int(n) != want {
				t.Fatalf("%d durations from %d to %d, want %d", n, below, under, want)
			}
			below = under
		}
		if h.Count() != int64(len(all)) || octaves != h.Count() || h.Min() != all[0] || h.Max() != all[len(all)-1] {
			t.Fatalf("count %d, by octaves %d, of %d; from %v to %v", h.Count(), octaves, len(all), h.Min(), h.Max())
		}
	}
	if load.Needed(0.99) != 1000 || load.Needed(0.999) != 10_000 || load.Needed(0.5) != 20 {
		t.Error(load.Needed(0.99), load.Needed(0.999), load.Needed(0.5))
	}
}
