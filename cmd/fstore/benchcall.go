package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/internal/load"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/project"
)

// statuses is how many statuses values may have.
const statuses = len(online.Counts{})

// What asking counts in answers: values by status, and then these.
const (
	countStale    = statuses + iota // answers in which a view was stale
	countSent                       // bytes
	countReceived                   // bytes
)

// asking makes the requests of a bench.
type asking struct {
	*bench
	rows    *project.KeyRows
	now     func() time.Time
	clients []*client.Client

	mu       sync.Mutex       // guards failures
	failures map[string]error // the first of each kind
}

func newAsking(b *bench, rows *project.KeyRows, now func() time.Time) (*asking, error) {
	a := &asking{bench: b, rows: rows, now: now, failures: map[string]error{}}
	if b.rate == 0 {
		b.connections = min(b.connections, b.concurrency)
	}
	for range b.connections {
		c, err := b.server.Open()
		if err != nil {
			a.close()
			return nil, err
		}
		a.clients = append(a.clients, c)
	}
	return a, nil
}

func (a *asking) close() {
	for _, c := range a.clients {
		_ = c.Close()
	}
}

// connect sends a request over each connection, which connects them. Its error says why there is no use in a load.
func (a *asking) connect(ctx context.Context) error {
	for n, c := range a.clients {
		if _, err := c.Get(ctx, a.request(int64(n))); err != nil {
			return a.server.Explain(err)
		}
	}
	return nil
}

// request returns request n. Its keys are the same whenever and by whomever it is sent.
func (a *asking) request(n int64) client.Request {
	s := &a.selected
	r := client.Request{Selection: client.Selection{Service: s.Service, Model: s.Model, Features: s.Features}}
	if len(a.rows.Columns) > 0 {
		r.Keys = a.rows.Draw(a.keys, rand.New(rand.NewPCG(a.seed, uint64(n)))) //nolint:gosec // G404: a load that can be made again
	}
	return r
}

// call implements load.Call.
func (a *asking) call(ctx context.Context, n int64, due time.Time) (out load.Outcome) {
	ctx, cancel := context.WithTimeout(ctx, due.Add(a.server.Timeout()).Sub(a.now()))
	defer cancel()
	answer, err := a.clients[n%int64(len(a.clients))].Get(ctx, a.request(n))
	if err != nil {
		out.Late = errors.Is(err, context.DeadlineExceeded)
		out.Failure, _ = project.KindOf(err)
		a.fails(out.Failure, err)
		return out
	}
	out.Counts[countSent], out.Counts[countReceived] = int64(answer.Traffic.Sent), int64(answer.Traffic.Received)
	for i := range answer.Features {
		f := &answer.Features[i]
		for row := range answer.Rows {
			out.Counts[f.Status(row)]++
		}
	}
	for _, v := range answer.Versions {
		if v.Stale {
			out.Counts[countStale] = 1
		}
	}
	return out
}

func (a *asking) fails(kind string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failures[kind] == nil {
		a.failures[kind] = a.server.Explain(err)
	}
}

// example returns the first error of a kind.
func (a *asking) example(kind string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if kind == load.NotBegun {
		return fstore.Errorf(context.DeadlineExceeded, "its time was over before it could be sent")
	}
	return a.failures[kind]
}
