package onlinetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/cache"
)

// RunCached is Run with a cache in front of every store. Each commit takes two seconds, so all that was read before must be
// forgotten, and what is read between two commits comes from the cache.
func RunCached(t *testing.T, open Open) {
	Run(t, func(t testing.TB) online.Backend { return &slow{Backend: open(t)} })
}

// slow is a backend whose commits take two seconds of a clock.
type slow struct {
	online.Backend
	clock atomic.Int64
}

func (s *slow) Commit(ctx context.Context, c online.Commit) error {
	s.clock.Add(int64(time.Second))
	defer s.clock.Add(int64(time.Second))
	return s.Backend.Commit(ctx, c)
}

// newStore returns a store as a test needs it: with a cache if the backend is slow.
func newStore(b online.Backend, project string) *online.Store {
	s := online.New(b, project)
	if slow, ok := b.(*slow); ok {
		s.Cache = cache.New(1 << 20)
		s.Elapsed = func() time.Duration { return time.Duration(slow.clock.Load()) }
	}
	return s
}

// cacheTests test what a store with a cache answers.
var cacheTests = []test{
	{"every_answer_is_one_of_the_last_second", func(t *testing.T, b online.Backend) {
		hits, late := 0, 0
		observe := func(s *online.Stats) {
			if s.Cached {
				hits++
			}
		}
		for seed := range uint64(8) {
			l := newTimeline(t, b, seed)
			steps := []time.Duration{0, 0, 0, 1, 50 * time.Millisecond, 300 * time.Millisecond, time.Second - 1, time.Second}
			reader := l.reader(seed)
			l.store.Observe = observe
			l.between = func() {
				for range 3 {
					l.clock.Add(int64(steps[reader.rand.IntN(len(steps))]))
					reader.ask(t)
				}
			}
			l.write(t, 25)
			late += reader.late
		}
		if hits < 300 || late < 30 {
			t.Errorf("%d answers from the cache, %d of an earlier state: the test is too easy", hits, late)
		}
	}},
	{"every_answer_is_one_of_the_last_second_while_others_read_and_write", func(t *testing.T, b online.Backend) {
		l := newTimeline(t, b, 99)
		pace := rand.New(rand.NewPCG(1, 99))
		l.between = func() { l.clock.Add(pace.Int64N(int64(600 * time.Millisecond))) }
		var done atomic.Bool
		var all sync.WaitGroup
		for n := range uint64(4) {
			reader := l.reader(n)
			all.Go(func() {
				for i := 0; i < 100 || !done.Load() && i < 5000; i++ {
					reader.ask(t)
				}
			})
		}
		l.write(t, 40)
		done.Store(true)
		all.Wait()
	}},
	{"hot_records_and_absent_ones_are_answered_without_a_read_for_a_second", func(t *testing.T, b online.Backend) {
		count := &counting{Backend: b}
		s, v, clock := online.New(count, "p"), view("v", "id int64", "x int64"), time.Duration(0)
		s.Cache, s.Elapsed = cache.New(1<<20), func() time.Duration { return clock }
		load(t, s, v, generation1, published, row{int64(1), published, int64(1)})
		l := list(use(v))
		for _, c := range []struct {
			at    time.Duration
			keys  []any
			calls int
		}{
			{0, []any{int64(1), int64(2)}, 2}, // the pointer was not known
			{0, []any{int64(2), int64(1), nil}, 0},
			{time.Second - 1, []any{int64(1)}, 0},
			{time.Second - 1, []any{int64(1), int64(3)}, 1},
			{time.Second - 1, []any{int64(3)}, 0},
			{time.Second, []any{int64(1)}, 1},
			{2*time.Second - 1, []any{int64(3)}, 0},
		} {
			clock, count.calls = c.at, 0
			var stats online.Stats
			s.Observe = func(is *online.Stats) { stats = *is }
			for _, line := range ask(t, s, l, online.Request{Keys: []fstore.Column{ids(c.keys...)}}) {
				want := "x:"
				for i, k := range c.keys {
					if want += []string{" ", " | "}[min(i, 1)]; k == int64(1) {
						want += "1"
					} else {
						want += "null NOT_FOUND"
					}
				}
				same(t, line, want)
			}
			if count.calls != c.calls || stats.RoundTrips != c.calls || stats.Cached != (c.calls == 0) {
				t.Errorf("at %s, keys %v: %d reads, stats %+v; want %d reads", c.at, c.keys, count.calls, stats, c.calls)
			}
		}
	}},
	{"what_is_stale_in_the_cache_is_read_again", func(t *testing.T, b online.Backend) {
		s, v := online.New(b, "p"), view("v", "id int64", "x int64")
		s.Cache, s.Elapsed = cache.New(1<<20), func() time.Duration { return 0 }
		load(t, s, v, generation1, published, row{int64(1), published, int64(1)})
		l := list(use(v))
		l.MaxStaleness = &fstore.MaxStaleness{Age: fstore.Duration(time.Hour), Beyond: fstore.BeyondRefuse}
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published.Add(time.Hour)}
		same(t, ask(t, s, l, req), []string{"x: 1"})
		load(t, s, v, generation2, published.Add(time.Hour), row{int64(1), published, int64(2)})
		req.Now = req.Now.Add(time.Microsecond)
		same(t, ask(t, s, l, req), []string{"x: 2"})
	}},
	{"the_clock_of_a_request_decides_what_the_cache_answers", func(t *testing.T, b online.Backend) {
		s, v := online.New(b, "p"), ttl(view("v", "id int64", "x int64"), time.Hour)
		s.Cache, s.Elapsed = cache.New(1<<20), func() time.Duration { return 0 }
		load(t, s, v, generation1, published, row{int64(1), published, int64(1)})
		for _, c := range []struct {
			now  time.Time
			want string
		}{
			{published, "x: 1"}, {published.Add(time.Hour), "x: 1"}, {published.Add(time.Hour + time.Microsecond), "x: null OUTSIDE_MAX_AGE"}, {published, "x: 1"},
		} {
			same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: c.now}), []string{c.want})
		}
	}},
	{"a_damaged_record_is_not_kept", func(t *testing.T, b online.Backend) {
		s, v := online.New(b, "p"), view("v", "id int64", "x int64")
		s.Cache, s.Elapsed = cache.New(1<<20), func() time.Duration { return 0 }
		load(t, s, v, generation1, published, row{int64(1), published, int64(1)})
		key := string(scanned(t, b, "f{")[0])
		right := get(t, b, key)
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published}
		set(t, b, key, "x"+right[1:])
		_, err := s.Lookup(context.Background(), list(use(v)), req)
		isKind(t, err, fstore.ErrCorrupt, "record of v@1")
		set(t, b, key, right)
		same(t, ask(t, s, list(use(v)), req), []string{"x: 1"})
	}},
}

// timeline is a backend that remembers each of its states and when it began.
type timeline struct {
	online.Backend
	store   *online.Store // with a cache
	views   [2]*fstore.ViewVersion
	rand    *rand.Rand // the writer's
	clock   atomic.Int64
	between func() // called after each commit

	mu     sync.RWMutex // guards states, and keeps reads and commits apart
	states []state
	count  int // of publications
}

type state struct {
	data map[string][]byte
	from int64
}

// Get reads as of a state.
func (s state) Get(_ context.Context, r online.Read) (records, pointers [][]byte, err error) {
	for _, k := range r.Keys {
		records = append(records, s.data[string(k)])
	}
	for _, k := range r.Pointers {
		pointers = append(pointers, s.data[string(k)])
	}
	return records, pointers, nil
}

func newTimeline(t *testing.T, b online.Backend, seed uint64) *timeline {
	t.Helper()
	if keys := scanned(t, b, ""); len(keys) > 0 {
		check(t, b.Commit(context.Background(), online.Commit{Delete: keys}))
	}
	l := &timeline{Backend: b, rand: rand.New(rand.NewPCG(0, seed)), states: []state{{}}, between: func() {}}
	l.views = [2]*fstore.ViewVersion{view("v", "id int64", "x int64"), view("w", "id int64", "y int64")}
	l.store = online.New(l, "p")
	l.store.Cache, l.store.Elapsed = cache.New(1<<20), func() time.Duration { return time.Duration(l.clock.Load()) }
	return l
}

func (l *timeline) Get(ctx context.Context, r online.Read) ([][]byte, [][]byte, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.Backend.Get(ctx, r)
}

func (l *timeline) Commit(ctx context.Context, c online.Commit) error {
	err := l.commit(ctx, c)
	l.between()
	return err
}

func (l *timeline) commit(ctx context.Context, c online.Commit) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.Backend.Commit(ctx, c); err != nil {
		return err
	}
	data := maps.Clone(l.states[len(l.states)-1].data)
	if data == nil {
		data = map[string][]byte{}
	}
	for _, kv := range c.Set {
		data[string(kv.Key)] = append([]byte{}, kv.Value...)
	}
	for _, k := range c.Delete {
		delete(data, string(k))
	}
	l.states = append(l.states, state{data, l.clock.Load()})
	return nil
}

// since returns the states from an instant on.
func (l *timeline) since(from int64) []state {
	l.mu.RLock()
	defer l.mu.RUnlock()
	first := len(l.states) - 1
	for first > 0 && l.states[first].from > from {
		first--
	}
	return slices.Clone(l.states[first:])
}

// write changes the store in ways that materialize, gc and failovers do, and in some that only an operator could.
func (l *timeline) write(t *testing.T, steps int) {
	t.Helper()
	ctx := context.Background()
	for range steps {
		v := l.views[l.rand.IntN(2)]
		p, found, err := l.store.Pointer(ctx, v.Ref)
		check(t, err)
		switch n := l.rand.IntN(10); {
		case !found || n < 2:
			l.full(t, v)
		case n < 7:
			l.inPlace(t, v, p)
		case n < 8:
			check(t, l.store.Unpublish(ctx, v.Ref, p.Generation))
		case n < 9:
			l.collect(t)
		default: // the store goes back in time
			l.mu.RLock()
			to := l.states[max(0, len(l.states)-1-l.rand.IntN(8))].data
			l.mu.RUnlock()
			c := online.Commit{}
			for _, k := range scanned(t, l.Backend, "") {
				if _, ok := to[string(k)]; !ok {
					c.Delete = append(c.Delete, k)
				}
			}
			for k, value := range to {
				c.Set = append(c.Set, online.KV{Key: []byte(k), Value: value})
			}
			check(t, l.Commit(ctx, c))
		}
	}
}

// next returns the instant and the rows of a publication that differ from those of any other. The instant may be before the
// last one's.
func (l *timeline) next() (at time.Time, rows []row) {
	l.count++
	for k := range timelineKeys {
		if l.rand.IntN(3) > 0 {
			rows = append(rows, row{int64(k), published, int64(100*l.count + k)})
		}
	}
	return published.Add(time.Duration(l.rand.IntN(24))*time.Hour + time.Duration(l.count)*time.Microsecond), rows
}

const timelineKeys = 5

// full publishes a new generation.
func (l *timeline) full(t *testing.T, v *fstore.ViewVersion) {
	t.Helper()
	at, rows := l.next()
	load(t, l.store, v, fstore.Generation(fmt.Sprintf("%016x", l.count)), at, rows...)
}

// inPlace changes the published generation in several batches. Some runs end before they publish.
func (l *timeline) inPlace(t *testing.T, v *fstore.ViewVersion, p fstore.Pointer) {
	t.Helper()
	ctx := context.Background()
	h, _, err := l.store.Header(ctx, v.Ref, p.Generation)
	check(t, err)
	at, rows := l.next()
	begun := begin(t, l.store, v, &h, p.Generation, at)
	saw := fenceOf(t, l.store, begun)
	f := fstore.Fence{View: v.Ref, Generation: p.Generation, Run: runOf(p.Generation, at), At: at, Base: p.Run, BaseAt: p.Published}
	check(t, l.store.SetFence(ctx, &saw, f))
	all, _ := encode(t, l.store, v, p.Generation, many(timelineKeys)...)
	for i := range rows {
		keys, records := encode(t, l.store, v, p.Generation, rows[i])
		is := f
		is.Watermark++
		gone := all[i : i+1]
		if slices.Equal(gone[0], keys[0]) {
			gone = nil
		}
		check(t, l.store.WriteBatch(ctx, f, is, keys, records, gone))
		if f = is; l.rand.IntN(12) == 0 {
			return
		}
	}
	done := f
	done.Complete = true
	check(t, l.store.SetFence(ctx, &f, done))
	publish(t, l.store, begun, done, at)
}

// collect drops all generations that no pointer names, as gc does.
func (l *timeline) collect(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	inventory, err := l.store.Inventory(ctx)
	check(t, err)
	dead := maps.Clone(inventory.Headers)
	for _, g := range inventory.Pointers {
		delete(dead, g)
	}
	for g, ref := range dead {
		check(t, l.store.BuryFence(ctx, ref, g))
	}
	_, err = l.store.DropGenerations(ctx, dead, func(int64) {})
	check(t, err)
	for g, ref := range dead {
		check(t, l.store.BuryHeader(ctx, ref, g))
	}
}

// timelineReader looks up random keys of random views, and knows what is right.
type timelineReader struct {
	l    *timeline
	rand *rand.Rand
	late int // answers of an earlier state
}

func (l *timeline) reader(seed uint64) *timelineReader {
	return &timelineReader{l: l, rand: rand.New(rand.NewPCG(2, seed))}
}

func (r *timelineReader) ask(t *testing.T) {
	t.Helper()
	uses := [][]fstore.ViewUse{{use(r.l.views[0])}, {use(r.l.views[1])}, {use(r.l.views[0]), use(r.l.views[1])}}[r.rand.IntN(3)]
	var keys []any
	for range 1 + r.rand.IntN(3) {
		keys = append(keys, int64(r.rand.IntN(timelineKeys+1)))
	}
	req := online.Request{Keys: []fstore.Column{ids(keys...)}, Now: published.AddDate(1, 0, 0)}
	earliest := r.l.clock.Load() - int64(time.Second)
	a, err := r.l.store.Lookup(context.Background(), list(uses...), req)
	if errors.Is(err, fstore.ErrUnavailable) || errors.Is(err, fstore.ErrNotReady) {
		return // the cache answers no errors
	}
	check(t, err)
	states := r.l.since(earliest)
	slices.Reverse(states) // the newest first
	for i, got := range versionsOf(a) {
		at := slices.IndexFunc(states, func(s state) bool {
			b, err := online.New(frozen{state: s}, "p").Lookup(context.Background(), list(uses[i]), req)
			return err == nil && versionsOf(b)[0] == got
		})
		switch {
		case at < 0:
			t.Errorf("%s of keys %v is no answer of the last second", got, keys)
		case at > 0:
			r.late++
		}
	}
}

// versionsOf formats an answer of views with a feature each, by view.
func versionsOf(a *online.Answer) (texts []string) {
	for i, line := range show(a) {
		texts = append(texts, fmt.Sprint(line, a.Versions[i]))
	}
	return texts
}

// frozen is a backend that only reads.
type frozen struct {
	online.Backend
	state
}

func (f frozen) Get(ctx context.Context, r online.Read) ([][]byte, [][]byte, error) {
	return f.state.Get(ctx, r)
}
