// Package load makes calls at a given concurrency or rate, and measures how long they take.
//
// In a closed loop, each of so many clients calls again once it has its answer. A slow answer holds back later calls, so the
// loop shows the most that a server answers, and flatters its times. In an open loop, calls are due at a rate whatever
// becomes of earlier ones, and a call's time counts from when it was due. So a stall shows in every call that was due
// meanwhile, whether the server or this generator stalled.
package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Call makes call n, counted from 0, which was due at an instant. Several run at once.
type Call func(ctx context.Context, n int64, due time.Time) Outcome

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or until ctx ends.
	Sleep(ctx context.Context, d time.Duration)
}

// Plan says which load to make.
type Plan struct {
	Call     Call
	Warmup   time.Duration // what is due in it is not measured
	Duration time.Duration // after the warm-up
	Timeout  time.Duration // of a call, from when it is due; Call keeps it

	Concurrency int // of a closed loop: calls that run at all times

	Rate        float64 // of an open loop: calls per second; 0: the loop is closed
	Constant    bool    // calls are due equally far apart; otherwise at random, as a Poisson process
	Seed        uint64  // of the random instants
	MaxInFlight int     // calls of an open loop that run at once: others wait, and their time counts

	Clock    Clock
	Progress func(done time.Duration) // of warm-up and duration; called often, by one goroutine at a time
}

// afterFailure is how long a client of a closed loop waits after a call that failed. Otherwise it would spin while a server is
// away.
const afterFailure = 10 * time.Millisecond

// Run makes the load, and waits for every call. If ctx ends, it stops and returns what was measured until then.
func Run(ctx context.Context, p Plan) *Result {
	r := &run{Plan: p, begin: p.Clock.Now(), result: Result{Failures: map[string]int64{}}}
	r.from = r.begin.Add(p.Warmup)
	r.to = r.from.Add(p.Duration)
	var calls sync.WaitGroup
	if p.Rate > 0 {
		r.open(ctx, &calls)
	} else {
		r.closed(ctx, &calls)
	}
	r.stopIf(ctx)
	calls.Wait()
	r.stopIf(ctx)
	r.result.Elapsed = max(0, r.to.Sub(r.from))
	return &r.result
}

type run struct {
	Plan
	begin, from time.Time    // of the load, and of what is measured
	next        atomic.Int64 // the number of the next call of a closed loop

	mu     sync.Mutex // guards what follows
	to     time.Time  // the end of what is measured
	result Result
}

// stopIf ends what is measured if ctx has ended.
func (r *run) stopIf(ctx context.Context) {
	if ctx.Err() == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Stopped = true
	if now := r.Clock.Now(); now.Before(r.to) {
		r.to = now
	}
}

func (r *run) closed(ctx context.Context, clients *sync.WaitGroup) {
	end := r.to
	for client := range r.Concurrency {
		clients.Go(func() {
			for due := r.begin; due.Before(end) && ctx.Err() == nil; due = r.Clock.Now() {
				if client == 0 {
					r.Progress(due.Sub(r.begin))
				}
				if failed := r.call(ctx, r.next.Add(1)-1, due); failed {
					r.Clock.Sleep(ctx, afterFailure)
				}
			}
		})
	}
	clients.Wait()
}

func (r *run) open(ctx context.Context, calls *sync.WaitGroup) {
	places := make(chan struct{}, r.MaxInFlight)
	end, instant := r.to, r.instants()
	for n := int64(0); ; n++ {
		due := instant(n)
		if !due.Before(end) {
			return
		}
		if wait := due.Sub(r.Clock.Now()); wait > 0 {
			r.Clock.Sleep(ctx, wait)
		}
		r.Progress(due.Sub(r.begin))
		held := !take(ctx, places)
		if ctx.Err() != nil {
			r.overdue(due, func() time.Time { n++; return instant(n) })
			return
		}
		if !r.begins(due, held) {
			<-places
			continue
		}
		calls.Go(func() {
			r.call(ctx, n, due)
			<-places
		})
	}
}

// overdue records the calls of an open loop that were due by now when ctx ended, and had not begun: the one due at an
// instant, and those after it.
func (r *run) overdue(due time.Time, next func() time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for now := r.Clock.Now(); due.Before(now) && due.Before(r.to); due = next() {
		if due.Before(r.from) {
			continue
		}
		r.result.Due++
		r.result.Unfinished++
		r.result.Lag.Record(now.Sub(due))
	}
}

// take takes a place, and waits for one until ctx ends. It reports whether there was one at once.
func take(ctx context.Context, places chan<- struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
	}
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
	}
	return false
}

// instants returns what says when the calls of an open loop are due. It is asked for each in order.
func (r *run) instants() func(n int64) time.Time {
	if r.Constant {
		return func(n int64) time.Time { return r.begin.Add(time.Duration(float64(n) / r.Rate * float64(time.Second))) }
	}
	random := rand.New(rand.NewPCG(r.Seed, 0)) //nolint:gosec // G404: a load that can be made again
	after := 0.0                               // seconds
	return func(int64) time.Time {
		after += random.ExpFloat64() / r.Rate
		return r.begin.Add(time.Duration(after * float64(time.Second)))
	}
}

// begins records that a call of an open loop begins, and how late. It returns false if the call's time is already over: then
// the call is late without having been made.
func (r *run) begins(due time.Time, held bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Clock.Now()
	lag := now.Sub(due)
	if due.Before(r.from) {
		return lag < r.Timeout
	}
	r.result.Due++
	r.result.Lag.Record(lag)
	if now.Before(r.to) {
		r.result.Begun++
	}
	r.result.AtLimit = r.result.AtLimit || held
	if lag < r.Timeout {
		return true
	}
	r.result.record(Outcome{Failure: NotBegun, Late: true}, lag, false)
	return false
}

// call makes a call and records what became of it. It reports whether the call failed.
func (r *run) call(ctx context.Context, n int64, due time.Time) (failed bool) {
	o := r.Call(ctx, n, due)
	ended := r.Clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case due.Before(r.from):
	case o.Failure != "" && ctx.Err() != nil:
		r.result.Unfinished++
	default:
		r.result.record(o, ended.Sub(due), ended.Before(r.to))
	}
	return o.Failure != ""
}
