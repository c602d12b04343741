package system

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// readers ask a server again and again, and check each answer.
type readers struct {
	t      testing.TB
	ledger *ledger
	server *served

	count  atomic.Int64 // answers
	wrong  atomic.Int64 // of them
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Numbers of clients.
const (
	grpcConnections = 3
	perConnection   = 2
	httpClients     = 2
)

// startReaders begins to read. pace is the least time between two requests of a client; 0: none.
func startReaders(t testing.TB, l *ledger, server *served, pace time.Duration) *readers {
	ctx, cancel := context.WithCancel(context.Background())
	r := &readers{t: t, ledger: l, server: server, cancel: cancel}
	for i := range grpcConnections {
		conn, err := grpc.NewClient(server.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		client := fstorev1.NewFeatureStoreClient(conn)
		for j := range perConnection {
			r.client(ctx, uint64(i*perConnection+j), manyRows, pace, func(q *ask) *answer {
				// a deadline of its own, for when the machine has other work
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				return askGRPC(ctx, client, q)
			})
		}
	}
	for i := range httpClients {
		client := &http.Client{Timeout: time.Minute}
		t.Cleanup(client.CloseIdleConnections)
		r.client(ctx, uint64(100+i), someRows, pace, func(q *ask) *answer { return askHTTP(context.Background(), client, server.http, q) })
	}
	t.Cleanup(r.stop) // before the connections are closed
	return r
}

// client reads until ctx ends, at most so many rows at once.
func (r *readers) client(ctx context.Context, seed uint64, most int, pace time.Duration, send func(*ask) *answer) {
	r.done.Go(func() {
		random := rand.New(rand.NewPCG(seed, 7))
		for ctx.Err() == nil {
			begun := time.Now()
			q := r.question(random, most)
			e := r.ledger.enter()
			a := send(q)
			if err := r.ledger.check(e, q, a); err != nil {
				if n := r.wrong.Add(1); n <= 10 {
					r.t.Errorf("wrong answer %d to %.300v\n%v", n, q, err)
				}
			}
			r.count.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(pace - time.Since(begun)):
			}
		}
	})
}

// stop ends the reading; no request is given up.
func (r *readers) stop() {
	r.cancel()
	r.done.Wait()
}

// Numbers of rows in a request; the larger one is more keys than a store is asked for with one command, and more bytes
// than it receives at once.
const (
	someRows = 100
	manyRows = 2000
)

// question makes up a request of at most so many rows.
func (r *readers) question(random *rand.Rand, most int) *ask {
	rows := 1
	switch n := random.IntN(60); {
	case n == 0:
		rows = most
	case n < 20:
		rows = someRows
	}
	keys := func() []int64 {
		out := make([]int64, rows)
		for i := range out {
			if out[i] = random.Int64N(int64(r.ledger.keys)); random.IntN(50) == 0 {
				out[i] += int64(r.ledger.keys) // there is no such key
			}
		}
		return out
	}
	q := &ask{columns: map[string][]int64{"id": keys()}, events: random.IntN(3) == 0}
	switch random.IntN(10) {
	case 0, 1:
		q.kind, q.service = "service", "main"
	case 2:
		q.kind, q.service = "service, a view by two keys", "twice"
		q.columns["left"], q.columns["right"] = keys(), keys()
	case 3:
		q.kind, q.refs = "features", []string{"third.word", "whole.stamp", "beacon.stamp=b", "third.stamp=s", "whole.shape"}
	case 4:
		q.kind, q.refs = "all of a view", []string{[]string{whole, third}[random.IntN(2)] + ".*"}
	case 5, 6:
		q.kind, q.refs = "pinned versions", r.pinned(random)
	case 7:
		q.kind, q.service = "service that comes and goes", flicker
	case 8:
		q.kind, q.refs = "view that comes and goes", []string{flicker + ".stamp", flicker + ".word"}
	case 9:
		q.kind, q.refs = "feature that comes and goes", []string{[]string{whole, third}[random.IntN(2)] + ".extra"}
	}
	if random.IntN(12) == 0 {
		q.kind, q.service, q.refs, q.columns = "view without a key", "", []string{"beacon.*"}, nil
	}
	return q
}

// pinned names features of versions that were published at some time, beside those that serve.
func (r *readers) pinned(random *rand.Rand) []string {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	refs := []string{"whole.stamp=now"}
	for _, log := range r.ledger.logs {
		// No state of a server that reads may be asked for is without it, once an answer has named it.
		if log.view != beacon && log.floor >= 0 && log.version <= r.ledger.states[r.ledger.floor].known[log.view] && random.IntN(3) == 0 {
			for _, f := range []string{"stamp", "shape"} {
				refs = append(refs, fmt.Sprintf("%s@%d.%s=%s", log.view, log.version, f, fmt.Sprintf("%s%d_%s", log.view, log.version, f)))
			}
		}
	}
	return refs
}

// report says what was read and how long things took to be seen.
func (l *ledger) report() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out strings.Builder
	fmt.Fprintf(&out, "%d answers with %d values; %d records rightly absent; %d right refusals; %d answers with values of a run under way\n",
		l.answers, l.values, l.absent, l.refused, l.halfway)
	for _, kind := range sortedNames(l.kinds) {
		fmt.Fprintf(&out, "  %7d %s\n", l.kinds[kind], kind)
	}
	var names, published lags
	for _, s := range l.states {
		names.add(s.seen, s.ended)
	}
	publications := 0
	for _, v := range l.logs {
		publications += len(v.publications)
		for _, p := range v.publications {
			published.add(p.seen, p.ended)
		}
	}
	fmt.Fprintf(&out, "  %d states of the registry, %d seen, after their command's end by %s\n", len(l.states), names.n, names)
	fmt.Fprintf(&out, "  %d publications of %d view versions, %d seen, after their command's end by %s", publications, len(l.logs), published.n, published)
	return out.String()
}

// lags are how long after the end of a command its effect was first seen; before it is negative.
type lags struct {
	n        int
	sum      time.Duration
	min, max time.Duration
}

func (l *lags) add(seen, ended time.Time) {
	if seen.IsZero() || ended.IsZero() {
		return
	}
	d := seen.Sub(ended)
	if l.n == 0 {
		l.min, l.max = d, d
	}
	l.n, l.sum, l.min, l.max = l.n+1, l.sum+d, min(l.min, d), max(l.max, d)
}

func (l lags) String() string {
	return fmt.Sprintf("%s to %s, %s in the mean", l.min.Round(time.Millisecond), l.max.Round(time.Millisecond), (l.sum / time.Duration(max(l.n, 1))).Round(time.Millisecond))
}
