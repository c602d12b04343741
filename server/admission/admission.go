// Package admission decides which calls a server takes on when it gets more than it can answer. It refuses the others
// at once, before they cost much.
//
// A limit says how many calls run at a time. It adapts to how long calls take. Calls beyond it wait in a queue, in the order of
// their arrival. A burst may wait. A queue that does not empty is an overload: then the server takes on only as many calls at a
// time as keep it busy, so that those that are answered are answered quickly.
package admission

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fstore-dev/fstore"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
)

// Options configure a Control. Clock is required. For the others, zero is the default.
type Options struct {
	Clock      func() time.Time // how long calls wait and run
	Concurrent int              // calls that run at a time; 0 adapts
	Rate       float64          // calls a second of one caller; 0 is no limit
	Burst      int              // calls that a caller may send at once within Rate; 0 is a second's worth
}

// Cause is why a call is refused, in a word for logs and metrics.
type Cause string

// The causes.
const (
	Rate     Cause = "rate"     // its caller sends more than it may
	Overload Cause = "overload" // the server has more calls than it can answer
	Deadline Cause = "deadline" // and the call's deadline would pass meanwhile
)

// Busy is the error for a call that is refused.
type Busy struct {
	Cause  Cause
	Reason string
	Retry  time.Duration // when the same call may succeed
}

// Error implements error.
func (b *Busy) Error() string { return b.Reason }

// Unwrap returns fstore.ErrBusy.
func (b *Busy) Unwrap() error { return fstore.ErrBusy }

const (
	// Always is how many calls at a time are no overload: as many ordinary clients may ask at once. The adaptive limit is never
	// lower.
	Always = 64

	// MaxConcurrent is the largest limit.
	MaxConcurrent = 1000

	// How the limit adapts.
	headroom     = 4 // times the calls that run, which the limit may grow to
	recentWindow = 100 * time.Millisecond
	longWindow   = time.Second
	recentCalls  = 50

	burst   = 10 * time.Millisecond // a queue that lasts longer is an overload
	brief   = 5 * time.Millisecond  // a wait this short is no sign of overload
	longest = 50 * time.Millisecond // that a burst may wait
	hardly  = 2 * time.Millisecond  // a wait that is never refused before an overload
	calm    = time.Second           // without refusals, after which an overload is over
	era     = 30 * time.Second      // after which it counts as over, to see whether no more than Always calls come at a time
)

// Control admits calls. It is safe for concurrent use.
type Control struct {
	limiter adaptivelimiter.AdaptiveLimiter[any]
	clock   func() time.Time
	callers *callers // nil: a caller may send any number of calls
	began   time.Time

	limit    atomic.Int64 // the limiter's
	arriving atomic.Int64 // calls whose request has not arrived
	waiting  atomic.Int64 // calls that wait for their turn
	running  atomic.Int64
	sending  atomic.Int64 // calls whose answer is not sent
	took     atomic.Int64 // nanoseconds that a call runs, a moving average
	fine     atomic.Int64 // when the wait of a call was last brief, in nanoseconds since began
	until    atomic.Int64 // when the overload is over unless another call is refused, likewise
	entered  atomic.Int64 // when it began, likewise
	pace     pace         // in an overload
}

// New returns a Control. The options' numbers are not negative.
func New(o Options) *Control {
	c := &Control{clock: o.Clock, began: o.Clock()}
	low, first, high := uint(Always), uint(Always), uint(MaxConcurrent)
	if o.Concurrent > 0 {
		low, first, high = uint(o.Concurrent), uint(o.Concurrent), uint(o.Concurrent)
	}
	c.limit.Store(int64(first))
	c.limiter = adaptivelimiter.NewBuilder[any]().
		WithLimits(low, high, first).
		WithMaxLimitFunc(func(running int) float64 { return max(float64(first), headroom*float64(running)) }).
		WithRecentWindow(recentWindow, longWindow, recentCalls).
		OnLimitChanged(func(e adaptivelimiter.LimitChangedEvent) { c.limit.Store(int64(e.NewLimit)) }).
		Build()
	if o.Rate > 0 {
		c.callers = newCallers(o.Rate, o.Burst)
	}
	return c
}

func (c *Control) now() time.Duration { return c.clock().Sub(c.began) }

// Call is a call that was admitted. Its owner must call Leave.
type Call struct {
	control *Control
	stage   atomic.Int32
	permit  adaptivelimiter.Permit // of a call that runs
	started time.Duration
	beside  int64 // how many ran then, itself included
}

// The stages of a call.
const (
	arriving int32 = iota
	turning        // waits for its turn, or runs
	gone
)

// Admit takes on a call before its request has arrived, or returns a Busy. It never waits. ctx has the call's
// deadline, and caller says whose call it is.
func (c *Control) Admit(ctx context.Context, caller string) (*Call, error) {
	now := c.now()
	if c.callers != nil {
		if retry := c.callers.take(caller, c.began.Add(now)); retry > 0 {
			return nil, &Busy{Cause: Rate, Reason: fmt.Sprintf("the caller sends more than %s", c.callers), Retry: retry}
		}
	}
	if busy := c.crowded(ctx, now); busy != nil {
		return nil, busy
	}
	c.arriving.Add(1)
	return &Call{control: c}, nil
}

// crowded returns nil if one more call may come.
func (c *Control) crowded(ctx context.Context, now time.Duration) *Busy {
	limit, working := c.limit.Load(), c.waiting.Load()+c.running.Load()
	if c.refuses(now) {
		c.pace.look(now, c.edge())
		if working+max(0, c.edge()-c.pace.stuck.Load()) >= c.pace.most.Load() {
			c.overloaded(now)
			return Overloaded
		}
		return c.hopeless(ctx, now, c.wait(working, limit))
	}
	// A slow client holds up no others: calls that arrive or are sent slowly do not count for more than the limit.
	ahead := working + min(c.arriving.Load(), limit) + min(c.sending.Load(), limit)
	if ahead < limit {
		c.fine.Store(int64(now))
		return nil
	}
	wait := c.wait(ahead, limit)
	if busy := c.hopeless(ctx, now, wait); busy != nil {
		return busy
	}
	lasting := now-time.Duration(c.fine.Load()) > burst
	switch {
	case ahead < Always, wait < hardly, !lasting && wait < longest:
		return nil
	case lasting:
		c.overloaded(now)
	}
	return Overloaded
}

// edge returns how many calls arrive, or their answers are sent.
func (c *Control) edge() int64 { return c.arriving.Load() + c.sending.Load() }

// wait returns how long a call will wait for its turn behind others.
func (c *Control) wait(ahead, limit int64) time.Duration {
	return time.Duration(c.took.Load()) * time.Duration(max(0, ahead-limit+1)) / time.Duration(limit)
}

// hopeless returns nil unless the deadline of a call that waits would pass before its answer.
func (c *Control) hopeless(ctx context.Context, now, wait time.Duration) *Busy {
	deadline, ok := ctx.Deadline()
	if !ok || wait == 0 || wait+time.Duration(c.took.Load()) <= deadline.Sub(c.began.Add(now)) {
		return nil
	}
	return &Busy{Cause: Deadline, Reason: "the server is overloaded: the deadline would pass before the answer", Retry: max(wait, brief)}
}

// overloaded notes that a call is refused because the server is overloaded.
func (c *Control) overloaded(now time.Duration) {
	if !c.refuses(now) {
		c.entered.Store(int64(now))
		c.pace.enter(now, c.limit.Load())
	}
	c.until.Store(int64(min(now+calm, time.Duration(c.entered.Load())+era)))
}

// refuses reports whether the server is overloaded and has refused calls lately. It does not while the clock is set back.
func (c *Control) refuses(now time.Duration) bool {
	until := time.Duration(c.until.Load())
	return until != 0 && now < until && until <= now+calm
}

// tooLate reports whether a call has waited for its turn for longer than calls may. Admit only estimates that: it does not know
// how many calls arrive together.
func (c *Control) tooLate(now, waited time.Duration) bool {
	late := waited > longest || waited > brief && c.refuses(now)
	if late {
		c.overloaded(now)
	}
	return late
}

// Overloaded is one value, since it is the answer to most calls of an overload. Clients vary the time.
var Overloaded = &Busy{Cause: Overload, Reason: "the server is overloaded", Retry: 100 * time.Millisecond}

// Begin waits for the turn of a call whose request has arrived. It returns nil, a Busy, or ctx's error.
func (c *Call) Begin(ctx context.Context) error {
	if c == nil || !c.stage.CompareAndSwap(arriving, turning) {
		return nil
	}
	control, arrived := c.control, c.control.now()
	control.arriving.Add(-1)
	control.pace.see(control.edge())
	ahead := control.waiting.Load() + control.running.Load()
	if control.refuses(arrived) && ahead >= control.pace.most.Load() { // more came than Admit saw
		control.overloaded(arrived)
		return Overloaded
	}
	control.waiting.Add(1)
	permit, err := control.limiter.AcquirePermit(ctx)
	control.waiting.Add(-1)
	if err != nil {
		return err
	}
	now := control.now()
	if ahead >= Always && control.tooLate(now, now-arrived) {
		permit.Drop()
		return Overloaded
	}
	c.permit, c.started, c.beside = permit, now, control.running.Add(1)
	if now-arrived < brief {
		control.fine.Store(int64(now))
	}
	return nil
}

// Leave ends a call. answered says whether it was answered: then its time counts. A call may be left more than once.
func (c *Call) Leave(answered bool) {
	if c == nil {
		return
	}
	switch was := c.stage.Swap(gone); {
	case was == arriving:
		c.control.arriving.Add(-1)
	case was == turning && c.permit != nil:
		c.control.leave(c, answered)
	}
}

// Sending counts a call whose answer is being sent, until Sent.
func (c *Call) Sending() {
	if c != nil {
		c.control.sending.Add(1)
	}
}

// Sent ends what Sending began.
func (c *Call) Sent() {
	if c != nil {
		c.control.sending.Add(-1)
	}
}

// Abandon ends a call whose request has not arrived.
func (c *Call) Abandon() {
	if c.stage.CompareAndSwap(arriving, gone) {
		c.control.arriving.Add(-1)
	}
}

func (c *Control) leave(call *Call, answered bool) {
	c.running.Add(-1)
	if !answered {
		call.permit.Drop()
		return
	}
	call.permit.Record()
	now := c.now()
	took := now - call.started
	c.took.Store(int64(moved(time.Duration(c.took.Load()), took))) // a lost update is no matter
	c.pace.answer(now, took, call.beside, c.edge())
}

// Stats is what metrics show.
type Stats struct {
	Limit, Arriving, Running, Waiting int64
	Callers                           int // that are remembered
}

// Stats returns the present numbers.
func (c *Control) Stats() Stats {
	s := Stats{Limit: c.limit.Load(), Arriving: c.arriving.Load(), Running: c.running.Load(), Waiting: c.waiting.Load()}
	if c.callers != nil {
		s.Callers = c.callers.len()
	}
	return s
}
