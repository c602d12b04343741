package redis

import (
	"bytes"
	"context"
	"sync"
	"time"

	driver "github.com/redis/go-redis/v9"
)

// combiner sends the reads of concurrent callers in common pipelines: one write and one read of a connection for many.
// A read that finds nothing under way is sent at once. Those that come meanwhile wait for its reply, and are then sent
// together. So a single caller waits for nobody, and the busier a server is the less a read costs.
type combiner struct {
	one  func(context.Context, *driver.StringSliceCmd) error // sends one command
	many func([]*queued)                                     // sends commands in one pipeline and sets their errors

	mu      sync.Mutex // guards the rest
	flight  uint64     // number of the pipeline under way; 0: none
	flights uint64     // pipelines so far
	queue   []*queued
	late    *time.Timer // set while reads wait
	watched uint64      // the flight that late is for
}

// queued is a read that waits for its pipeline.
type queued struct {
	cmd  *driver.StringSliceCmd
	keys int
	done chan error
}

const (
	// overdue is how long reads wait for the pipeline before them. Then they are sent beside it: its connection
	// may hang.
	overdue = 5 * time.Millisecond
	// maxCombined is the number of keys of a pipeline. It bounds how long Redis is busy with it.
	maxCombined = perCommand
	// maxSmall is the number of keys of a read that waits for others. Where replies are long, reading them at the same time
	// is worth more than a system call.
	maxSmall = 32
)

func newCombiner(client *driver.Client) *combiner {
	return &combiner{
		one: func(ctx context.Context, cmd *driver.StringSliceCmd) error { return client.Process(ctx, cmd) },
		many: func(batch []*queued) {
			ctx := context.Background() // each caller waits for its own; the driver's timeouts end the pipeline
			pipe := client.Pipeline()
			for _, q := range batch {
				_ = pipe.Process(ctx, q.cmd) // only queues the command
			}
			_, err := pipe.Exec(ctx)
			for _, q := range batch {
				if q.cmd.Err() == nil && len(q.cmd.Val()) != q.keys { // without a connection, the commands have no error
					q.cmd.SetErr(err)
				}
			}
		},
	}
}

// read sends an MGET of keys. It returns early if ctx ends, and does not keep the keys.
func (c *combiner) read(ctx context.Context, keys []arg) ([]string, error) {
	if len(keys) > maxSmall {
		return c.alone(ctx, keys)
	}
	c.mu.Lock()
	if c.flight == 0 {
		flight := c.takeOff()
		c.mu.Unlock()
		defer c.land(flight)
		return c.alone(ctx, keys)
	}
	cmd := driver.NewStringSliceCmd(ctx, boxed("mget", cloned(keys))...) // a caller that leaves early uses its keys again
	q := &queued{cmd: cmd, keys: len(keys), done: make(chan error, 1)}
	c.queue = append(c.queue, q)
	c.watch()
	c.mu.Unlock()
	select {
	case err := <-q.done:
		return cmd.Val(), err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *combiner) alone(ctx context.Context, keys []arg) ([]string, error) {
	cmd := driver.NewStringSliceCmd(ctx, boxed("mget", keys)...)
	err := c.one(ctx, cmd)
	return cmd.Val(), err
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
	c.land(flight)
}

// land ends a flight, unless it has been overtaken, and sends what has come meanwhile.
func (c *combiner) land(flight uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight != flight {
		return
	}
	c.flight = 0
	if len(c.queue) == 0 {
		return
	}
	n, keys := 0, 0
	for n < len(c.queue) && (n == 0 || keys+c.queue[n].keys <= maxCombined) {
		keys += c.queue[n].keys
		n++
	}
	batch := make([]*queued, n)
	copy(batch, c.queue)
	left := copy(c.queue, c.queue[n:])
	clear(c.queue[left:])
	c.queue = c.queue[:left]
	next := c.takeOff()
	if left > 0 {
		c.watch()
	}
	go c.send(next, batch)
}

func (c *combiner) send(flight uint64, batch []*queued) {
	defer c.land(flight)
	c.many(batch)
	for _, q := range batch {
		q.done <- q.cmd.Err()
	}
}

// cloned returns a copy of keys, in two allocations.
func cloned(keys []arg) []arg {
	size := 0
	for _, k := range keys {
		size += len(k)
	}
	var all bytes.Buffer
	all.Grow(size)
	out := make([]arg, len(keys))
	for i, k := range keys {
		from := all.Len()
		all.Write(k)
		out[i] = all.Bytes()[from:all.Len():all.Len()]
	}
	return out
}
