package redis

import (
	"context"
	"slices"
	"sync"
	"time"

	driver "github.com/redis/go-redis/v9"
)

// combiner sends the reads of concurrent callers in common MGETs: one command, one write and one read of a connection for
// many. A read that finds nothing under way is sent at once. Those that come meanwhile wait for its reply, and are then
// sent together. So a single caller waits for nobody, and the busier a server is the less a read costs.
//
// Callers of one view read the same fence and pointer. A common MGET has each key once. It is atomic, so each caller
// still gets its records, fences and pointers of one instant.
type combiner struct {
	mget func(context.Context, []arg) ([]string, error)

	mu      sync.Mutex  // guards the rest
	flight  uint64      // number of the flight under way; 0: none
	flights uint64      // so far
	queue   []*common   // wait for the flight; only the last takes more reads
	late    *time.Timer // set while reads wait
	watched uint64      // the flight that late is for
}

// common is an MGET for several reads.
type common struct {
	keys []arg          // distinct; copies
	at   map[string]int // by key: where it is in keys
	done chan struct{}  // closed after values and err are set

	values []string
	err    error
}

const (
	// overdue is how long reads wait for the flight before them. Then they are sent beside it: its connection may hang.
	overdue = 5 * time.Millisecond
	// maxCombined is the number of keys of a common MGET. It bounds how long Redis is busy with it.
	maxCombined = perCommand
	// maxSmall is the number of keys of a read that waits for others. Where replies are long, reading them at the same time
	// is worth more than a system call.
	maxSmall = 32
)

func newCombiner(client *driver.Client) *combiner {
	return &combiner{mget: func(ctx context.Context, keys []arg) ([]string, error) {
		cmd := driver.NewStringSliceCmd(ctx, boxed("mget", keys)...)
		err := client.Process(ctx, cmd)
		return cmd.Val(), err
	}}
}

// read sends an MGET of keys. It returns early if ctx ends, and does not keep the keys.
func (c *combiner) read(ctx context.Context, keys []arg) ([]string, error) {
	if len(keys) > maxSmall {
		return c.mget(ctx, keys)
	}
	c.mu.Lock()
	if c.flight == 0 {
		flight := c.takeOff()
		c.mu.Unlock()
		defer func() {
			if next, m := c.land(flight); m != nil {
				go c.send(next, m)
			}
		}()
		return c.mget(ctx, keys)
	}
	m, places := c.join(keys)
	c.watch()
	c.mu.Unlock()
	select {
	case <-m.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch {
	case driver.HasErrorPrefix(m.err, "NOPERM"): // perhaps for the keys of another caller
		return c.mget(ctx, keys)
	case m.err != nil:
		return nil, m.err
	}
	values := make([]string, len(places))
	for i, at := range places {
		values[i] = m.values[at]
	}
	return values, nil
}

// join adds keys to the MGET that is sent next. It returns the MGET, and where the keys are in it. c.mu is held.
func (c *combiner) join(keys []arg) (m *common, places []int) {
	if n := len(c.queue); n > 0 {
		m = c.queue[n-1]
	}
	if m == nil || len(m.keys)+len(keys) > maxCombined {
		m = &common{at: map[string]int{}, done: make(chan struct{})}
		c.queue = append(c.queue, m)
	}
	places = make([]int, len(keys))
	for i, k := range keys {
		at, known := m.at[string(k)]
		if !known {
			at = len(m.keys)
			m.at[string(k)] = at
			m.keys = append(m.keys, slices.Clone(k)) // a caller that leaves early uses its keys again
		}
		places[i] = at
	}
	return m, places
}

// takeOff begins a flight. c.mu is held.
func (c *combiner) takeOff() uint64 {
	c.flights++
	c.flight = c.flights
	return c.flight
}

// watch makes sure that the reads in the queue do not wait longer than overdue for the flight before them. c.mu is held.
func (c *combiner) watch() {
	if c.watched == c.flight {
		return
	}
	c.watched = c.flight
	if c.late == nil {
		c.late = time.AfterFunc(overdue, c.overtake)
		return
	}
	c.late.Reset(overdue)
}

// overtake sends what waits for a flight that is overdue.
func (c *combiner) overtake() {
	c.mu.Lock()
	flight := c.watched
	c.mu.Unlock()
	if next, m := c.land(flight); m != nil {
		c.send(next, m)
	}
}

// land ends a flight. It returns the next one, which the caller must send; a nil MGET if there is none, or if the flight
// has been overtaken.
func (c *combiner) land(flight uint64) (next uint64, m *common) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight != flight {
		return 0, nil
	}
	c.flight = 0
	if len(c.queue) == 0 {
		return 0, nil
	}
	m = c.queue[0]
	c.queue = slices.Delete(c.queue, 0, 1)
	next = c.takeOff()
	if len(c.queue) > 0 {
		c.watch()
	}
	return next, m
}

// send sends a flight, and those that come after it. No caller's context bounds it: each caller waits for its own, and the
// driver's timeouts end the read.
func (c *combiner) send(flight uint64, m *common) {
	for m != nil {
		m.values, m.err = c.mget(context.Background(), m.keys)
		close(m.done)
		flight, m = c.land(flight)
	}
}
