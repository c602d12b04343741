package admission

import (
	"sync"
	"sync/atomic"
	"time"
)

// pace says how many calls an overloaded server works on at a time. Fewer leave it idle, more only wait for each other.
// By Little's law a server that answers r calls a second needs r × t calls at a time, where t is how long a call takes
// that hardly any others run beside. pace allows for some milliseconds more than that.
//
// Where t grows, because the store has become slow, the number first falls. At few calls t is measured anew, and the
// number rises again.
type pace struct {
	most  atomic.Int64 // calls at a time
	stuck atomic.Int64 // calls that arrive, or whose answer is sent, so slowly that they do not count
	least atomic.Int64 // of those at once, in this window

	mu       sync.Mutex // guards the rest
	began    time.Duration
	answered int
	sum      time.Duration // that the answered took
	alone    time.Duration // how long a call takes beside at most few, a moving average
}

const (
	few         = 8                      // calls at a time that an overloaded server takes on in any case
	slack       = 3 * time.Millisecond   // that a call may take longer than beside few others
	probe       = 1.25                   // how much faster than measured a server may be
	paceWindow  = 20 * time.Millisecond  // the shortest over which answers are counted
	paceAnswers = 32                     // that end a window
	paceLongest = 200 * time.Millisecond // after which a window ends without them
)

// enter begins with half of what the server took on until it was overloaded.
func (p *pace) enter(now time.Duration, limit int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most.Store(max(few, limit/2))
	p.began, p.answered, p.sum = now, 0, 0
}

// see takes in how many calls arrive or are sent.
func (p *pace) see(edge int64) {
	if edge < p.least.Load() {
		p.least.Store(edge) // a lost update is no matter
	}
}

// answer takes in a call that was answered. beside is how many ran with it when it began.
func (p *pace) answer(now, took time.Duration, beside, edge int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered++
	p.sum += took
	if beside <= few {
		p.alone = moved(p.alone, took)
	}
	p.turn(now, edge)
}

// look ends a window in which nothing was answered.
func (p *pace) look(now time.Duration, edge int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now, edge)
}

// turn begins a new window if it is time. p.mu is held.
func (p *pace) turn(now time.Duration, edge int64) {
	while := now - p.began
	if while < paceWindow || p.answered < paceAnswers && while < paceLongest {
		return
	}
	if p.answered > 0 {
		if mean := p.sum / time.Duration(p.answered); p.alone == 0 || mean < p.alone {
			p.alone = mean
		}
	}
	perCall := probe*p.alone.Seconds() + slack.Seconds()
	p.most.Store(max(few, int64(float64(p.answered)/while.Seconds()*perCall)))
	p.stuck.Store(min(p.least.Load(), edge))
	p.least.Store(edge)
	p.began, p.answered, p.sum = now, 0, 0
}

// moved returns a moving average with one more value.
func moved(average, value time.Duration) time.Duration {
	if average == 0 {
		return value
	}
	return average + (value-average)/habit
}

// habit is how many values change an average by about two thirds.
const habit = 32
