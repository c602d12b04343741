package system

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// ticks is a repo of one view whose values say what they are of: at instant n, key k has the value of(k, n), for every
// key. So whoever reads knows whether an answer is right.
type ticks struct {
	*repo
	store *storage
	twin  *repo
	keys  int
	clean map[int]*content // what a clean run as of an instant makes
}

const tickDefinitions = `kind: entity
name: thing
join_keys: [{name: k, type: int64}]
---
kind: source
name: ticks
path: ${TICKS}/*.parquet
event_timestamp: at
---
kind: feature_view
name: tick
entities: [thing]
source: ticks
features: [{name: v, type: int64}]
---
kind: feature_service
name: now
features: [tick.v]
`

// instants is how many instants there are at most, from tick(0).
const instants = 6

// tick returns an instant.
func tick(n int) time.Time { return time.Date(2025, 3, 1+n, 0, 0, 0, 0, time.UTC) }

func of(k int64, n int) int64 { return k*100 + int64(n) }

// newTicks returns the repo, applied, over data of the first instants and a number of keys.
func newTicks(t testing.TB, server *redistest.Server, keys, upTo int) *ticks {
	t.Helper()
	w := &ticks{twin: newRepo(t, ""), keys: keys, clean: map[int]*content{}}
	w.repo, w.store = newStorage(t, server)
	type row struct {
		K  int64     `parquet:"k"`
		At time.Time `parquet:"at,timestamp(microsecond)"`
		V  int64     `parquet:"v"`
	}
	for n := range upTo {
		rows := make([]row, keys)
		for k := range rows {
			rows[k] = row{int64(k), tick(n), of(int64(k), n)}
		}
		if err := parquet.WriteFile(filepath.Join(w.dir, fmt.Sprint(n, ".parquet")), rows); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []*repo{w.repo, w.twin} {
		r.env = append(r.env, "TICKS="+w.dir)
		r.write("fstore.yaml", "project: shop\n")
		r.write("ticks.yaml", tickDefinitions)
		r.must("apply", "--yes")
	}
	return w
}

// to returns the arguments that materialize as of an instant.
func to(n int, more ...string) []string {
	return append([]string{"materialize", "--to", tick(n).Format(time.RFC3339), "--output", "json"}, more...)
}

// check says whether the store holds what a clean run as of an instant makes, and nothing else in store and state but what
// is left of the generations named.
func (w *ticks) check(n int, left ...fstore.Generation) {
	w.t.Helper()
	b := w.backend()
	defer b.Close()
	got := contents(w.t, b)
	for _, g := range left {
		if _, ok := got.headers["tick@1"][g]; !ok {
			w.t.Errorf("generation %s is said to be left, but has no header", g)
		}
		delete(got.headers["tick@1"], g)
		delete(got.records, g)
	}
	if problems := append(got.differs(w.cleanRun(n)), w.leftInState(got)...); len(problems) > 0 {
		w.t.Errorf("as of %d:\n%s", n, strings.Join(problems, "\n"))
	}
}

func (w *ticks) cleanRun(n int) *content {
	w.t.Helper()
	if w.clean[n] == nil {
		w.clean[n] = cleanRun(w.twin, tick(n))
	}
	return w.clean[n]
}

// run materializes as of an instant, which has to succeed, and returns the summary.
func (w *ticks) run(n int, more ...string) materialized {
	w.t.Helper()
	return materialized(summaries(w.t, w.must(to(n, more...)...))["tick@1"])
}

// reader asks a server all the time and judges every answer.
type reader struct {
	t      testing.TB
	server *served
	keys   int
	stop   context.CancelFunc
	wg     sync.WaitGroup

	toward  atomic.Uint64 // the instants that runs under way go to, a bit each
	answers atomic.Int64
	refused [17]atomic.Int64 // by code

	mu      sync.Mutex // guards what follows
	allowed map[codes.Code]bool
	wrong   []string
}

// read begins to ask a server of the repo.
func (w *ticks) read() *reader {
	w.t.Helper()
	r := &reader{t: w.t, server: w.serve(), keys: w.keys, allowed: map[codes.Code]bool{}}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	pace := time.NewTicker(time.Millisecond) // the machine has others to serve
	w.t.Cleanup(pace.Stop)
	for range 2 {
		r.wg.Go(func() {
			for ctx.Err() == nil {
				r.ask(ctx)
				if *killsFlag <= 50 {
					<-pace.C
				}
			}
		})
	}
	w.t.Cleanup(r.end)
	return r
}

// allow says which refusals are right from now on.
func (r *reader) allow(refusals ...codes.Code) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.allowed = map[codes.Code]bool{}
	for _, c := range refusals {
		r.allowed[c] = true
	}
}

// end stops asking and reports what was wrong.
func (r *reader) end() {
	r.t.Helper()
	r.stop()
	r.wg.Wait()
	refusals := map[codes.Code]int64{}
	for c := range r.refused {
		if n := r.refused[c].Load(); n > 0 && codes.Code(c) != codes.Canceled {
			refusals[codes.Code(c)] = n
		}
	}
	r.t.Logf("%d right answers, refused: %v", r.answers.Load(), refusals)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wrong) > 0 {
		r.t.Errorf("%d answers were wrong, the first: %s\n%s", len(r.wrong), strings.Join(r.wrong[:min(5, len(r.wrong))], "\n"), r.server.log)
		r.wrong = nil
	}
}

// runs says to which instants runs go from now on; answers may have values as of each of them.
func (r *reader) runs(to ...int) {
	mask := uint64(0)
	for _, n := range to {
		mask |= 1 << n
	}
	r.toward.Store(mask)
}

// again waits until the server answers once more.
func (r *reader) again() {
	r.t.Helper()
	was, until := r.answers.Load(), time.Now().Add(time.Minute)
	for r.answers.Load() == was {
		if time.Now().After(until) {
			r.t.Fatalf("no answer any more; the server's log:\n%s", r.server.log)
		}
		time.Sleep(time.Millisecond)
	}
}

// refuses waits until the server refuses with a code once more.
func (r *reader) refuses(c codes.Code) {
	r.t.Helper()
	was, until := r.refused[c].Load(), time.Now().Add(time.Minute)
	for r.refused[c].Load() == was {
		if time.Now().After(until) {
			r.t.Fatalf("no answer is refused as %s; the server's log:\n%s", c, r.server.log)
		}
		time.Sleep(time.Millisecond)
	}
}

// ask asks for some keys. The right answer has all of them, as of the instant that it says, or of that of a run under way.
func (r *reader) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	keys := make([]int64, 20)
	for i := range keys {
		keys[i] = int64(rand.IntN(r.keys))
	}
	before := r.toward.Load()
	answer, err := r.server.client.GetOnlineFeatures(ctx, &fstorev1.GetOnlineFeaturesRequest{
		Selection: &fstorev1.GetOnlineFeaturesRequest_Service{Service: "now"},
		Entities:  []*fstorev1.Column{{Name: "k", Int64Values: keys}},
	})
	if err != nil {
		code := status.Code(err)
		if r.refused[code].Add(1); code == codes.Canceled {
			return // the test is over
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.allowed[code] {
			r.wrong = append(r.wrong, err.Error())
		}
		return
	}
	if what := judge(answer, keys, before|r.toward.Load()); what != "" {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.wrong = append(r.wrong, what)
		return
	}
	r.answers.Add(1)
}

// judge says what is wrong with an answer; empty if nothing is.
func judge(answer *fstorev1.GetOnlineFeaturesResponse, keys []int64, toward uint64) string {
	f := answer.GetFeatures()[0]
	published := fstore.FromMicros(answer.GetViews()[0].GetPublishedMicros())
	n := int64(published.Sub(tick(0)) / (24 * time.Hour))
	if f.GetStatuses() != nil || f.GetValidity() != nil {
		return fmt.Sprintf("as of %d: statuses %v", n, f.GetStatuses())
	}
	values := f.GetInt64Values()
	for i, k := range keys {
		is := values[i] - of(k, 0)
		if is != n && (is < 0 || is >= instants || toward&(1<<is) == 0) {
			return fmt.Sprintf("as of %d, toward %b: key %d has %d", n, toward, k, values[i])
		}
	}
	return ""
}
