package onlinetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

// fenceTests test which records look-ups answer, whatever they read beside the pointer.
var fenceTests = []test{
	{"a_fence_comes_back_as_it_was", func(t *testing.T, b online.Backend) {
		s, ctx, f := newStore(b, "p"), context.Background(), someFence()
		if _, ok, err := s.Fence(ctx, f.View, f.Generation); ok || err != nil {
			t.Error(ok, err)
		}
		check(t, s.SetFence(ctx, nil, f))
		got, ok, err := s.Fence(ctx, f.View, f.Generation)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		f.At = f.At.Truncate(time.Microsecond)
		same(t, got, f)
		first := f
		first.Base, first.BaseAt, first.Complete = "", time.Time{}, true
		check(t, s.SetFence(ctx, &got, first))
		got, _, _ = s.Fence(ctx, f.View, f.Generation)
		same(t, got, first)
	}},
	{"a_fence_is_set_only_over_the_one_expected", func(t *testing.T, b online.Backend) {
		s, ctx, first := newStore(b, "p"), context.Background(), someFence()
		second, third := first, first
		second.Watermark, third.Token = 8, 9
		conflict(t, s.SetFence(ctx, &first, second))
		check(t, s.SetFence(ctx, nil, first))
		conflict(t, s.SetFence(ctx, nil, second))
		check(t, s.SetFence(ctx, &first, second))
		conflict(t, s.SetFence(ctx, &first, third))
		conflict(t, s.WriteBatch(ctx, first, third, nil, nil, nil))
	}},
	{"a_fence_is_dropped_only_behind_the_pointer_that_left_it", func(t *testing.T, b online.Backend) {
		s, ctx, v := newStore(b, "p"), context.Background(), view("v", "id int64", "x int64")
		h := load(t, s, v, generation1, published)
		f := fenceOf(t, s, h)
		load(t, s, v, generation2, published)
		p := *pointerTo(generation2, published)
		other := f
		other.Token++
		conflict(t, s.DropFence(ctx, *pointerTo(generation1, published), f))
		conflict(t, s.DropFence(ctx, p, other))
		check(t, s.DropFence(ctx, p, f))
		if _, ok, err := s.Fence(ctx, v.Ref, generation1); ok || err != nil {
			t.Error(ok, err)
		}
	}},
	{"records_are_answered_under_a_fence_that_fits", func(t *testing.T, b online.Backend) {
		s, ctx, v := newStore(b, "p"), context.Background(), view("v", "id int64", "x int64")
		was := fenceOf(t, s, load(t, s, v, generation1, published, row{int64(1), published, int64(1)}))
		req := online.Request{Keys: []fstore.Column{ids(int64(1), int64(2))}, Now: published}
		this, other := was.Run, runOf(generation1, published.Add(time.Hour))
		for name, c := range map[string]struct {
			fence *fstore.Fence // nil: none
			raw   string        // instead
			want  string        // in the error
		}{
			"complete":                {fence: &fstore.Fence{Run: this, Complete: true}},
			"complete on another":     {fence: &fstore.Fence{Run: this, Base: other, BaseAt: published, Complete: true}},
			"in flight":               {fence: &fstore.Fence{Run: other, Base: this, BaseAt: published, Watermark: 3}},
			"in flight and complete":  {fence: &fstore.Fence{Run: other, Base: this, BaseAt: published, Watermark: 3, Complete: true}},
			"missing":                 {want: "missing"},
			"empty":                   {raw: "-", want: "bytes that are not a fence"},
			"damaged":                 {raw: "x", want: "bytes that are not a fence"},
			"incomplete":              {fence: &fstore.Fence{Run: this, Watermark: 3}, want: "another run"},
			"incomplete on another":   {fence: &fstore.Fence{Run: this, Base: other, BaseAt: published}, want: "another run"},
			"of another run":          {fence: &fstore.Fence{Run: other, Complete: true}, want: "another run"},
			"of one that is not this": {fence: &fstore.Fence{Run: other, Base: runOf(generation2, published), BaseAt: published}, want: "another run"},
		} {
			key := []byte("fstore:p:f:v@1:" + string(generation1) + ":0")
			check(t, b.Commit(ctx, online.Commit{Delete: [][]byte{key}}))
			switch {
			case c.fence != nil:
				f := *c.fence
				f.View, f.Generation, f.At = v.Ref, generation1, published
				check(t, s.SetFence(ctx, nil, f))
			case c.raw != "":
				check(t, b.Commit(ctx, online.Commit{Set: []online.KV{{Key: key, Value: []byte(c.raw[1:])}}}))
			}
			for _, reader := range []*online.Store{s, newStore(b, "p")} {
				a, err := reader.Lookup(ctx, list(use(v)), req)
				if c.want == "" {
					check(t, err)
					same(t, show(a), []string{"x: 1 | null NOT_FOUND"})
					continue
				}
				if !errors.Is(err, fstore.ErrUnavailable) {
					t.Fatalf("%s: got %v", name, err)
				}
				isKind(t, err, fstore.ErrUnavailable, "v@1, partition 0 of generation "+string(generation1), "run: fstore materialize v@1")
			}
		}
	}},
	{"a_publication_of_the_same_generation_is_no_reason_to_read_again", func(t *testing.T, b online.Backend) {
		count := &counting{Backend: b}
		reader, s, v := online.New(count, "p"), newStore(b, "p"), view("v", "id int64", "x int64")
		was := load(t, s, v, generation1, published, row{int64(1), published, int64(1)})
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published}
		ask(t, reader, list(use(v)), req)
		later, saw := published.Add(time.Hour), fenceOf(t, s, was)
		begun := begin(t, s, v, &was, generation1, later)
		publish(t, s, begun, write(t, s, v, &saw, generation1, later, row{int64(1), later, int64(2)}), later)
		count.calls = 0
		a, err := reader.Lookup(context.Background(), list(use(v)), req)
		check(t, err)
		same(t, show(a), []string{"x: 2"})
		same(t, a.Versions[0].Published, later)
		if count.calls != 1 {
			t.Errorf("%d reads", count.calls)
		}
	}},
	{"a_read_that_is_not_atomic_has_the_fence_before_and_after_the_records", func(t *testing.T, b online.Backend) {
		hook := &hooked{Backend: b}
		reader, s, v := online.New(hook, "p"), newStore(b, "p"), view("v", "id int64", "x int64")
		was := load(t, s, v, generation1, published, many(1100)...)
		keys := make([]any, 1100)
		for i := range keys {
			keys[i] = int64(i)
		}
		req := online.Request{Keys: []fstore.Column{ids(keys...)}, Now: published}
		ask(t, reader, list(use(v)), req)
		fence := "fstore:p:f:v@1:" + string(generation1) + ":0"
		hook.before = func(keys, _ [][]byte) {
			if string(keys[0]) != fence || string(keys[len(keys)-1]) != fence || len(keys) != 1102 {
				t.Errorf("%d keys from %q to %q", len(keys), keys[0], keys[len(keys)-1])
			}
		}
		// A run begins, writes and publishes while the first read is between its first and its last key.
		later, saw := published.Add(time.Hour), fenceOf(t, s, was)
		torn := &split{Backend: b, between: func() {
			begun := begin(t, s, v, &was, generation1, later)
			rows := many(1100)
			for i := range rows {
				rows[i][2] = int64(10*i + 1)
			}
			publish(t, s, begun, write(t, s, v, &saw, generation1, later, rows...), later)
		}}
		hook.Backend = torn
		a, err := reader.Lookup(context.Background(), list(use(v)), req)
		check(t, err)
		for i, x := range a.Features[0].Column.Int64s {
			if x != int64(10*i+1) || !a.Versions[0].Published.Equal(later) {
				t.Fatalf("key %d is %d at %s", i, x, a.Versions[0].Published)
			}
		}
		if torn.calls != 2 {
			t.Errorf("%d reads", torn.calls)
		}
	}},
	{"a_replica_that_lags_is_never_answered_as_the_instant_it_is_not", func(t *testing.T, b online.Backend) {
		h := newHistory(t, b)
		for now := range h.states {
			for lag := 0; lag <= now; lag++ {
				for knew := -1; knew < now; knew += 6 {
					h.ask(t, now, lag, knew)
				}
			}
		}
	}},
	{"the_last_pointer_seen_serves_for_ten_seconds", func(t *testing.T, b online.Backend) {
		h := newHistory(t, b)
		last := len(h.states) - 1
		r := &replicated{h: h, now: last, lag: last}
		clock := time.Duration(0)
		s := online.New(r, "p")
		s.Elapsed = func() time.Duration { return clock }
		req := online.Request{Keys: []fstore.Column{ids(int64(0), int64(1), int64(9))}, Now: h.at(9)}
		if _, err := s.Lookup(context.Background(), list(use(h.v)), req); err != nil {
			t.Fatal(err)
		}
		r.silent = true
		for _, c := range []struct {
			at   time.Duration
			lag  int
			want error
		}{
			{0, last, nil},
			{10 * time.Second, last, nil},
			{10 * time.Second, 1, fstore.ErrUnavailable},
			{10*time.Second + 1, last, fstore.ErrUnavailable},
		} {
			clock, r.lag = c.at, c.lag
			a, err := s.Lookup(context.Background(), list(use(h.v)), req)
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("after %s with the replica at %d: %v", c.at, c.lag, err)
			}
			if err == nil {
				h.right(t, a, fmt.Sprint("after ", c.at))
			}
		}
		if _, err := online.New(r, "p").Lookup(context.Background(), list(use(h.v)), req); !errors.Is(err, fstore.ErrUnavailable) {
			t.Errorf("a reader that knows no pointer: %v", err)
		}
		s.Elapsed = nil
		if _, err := s.Lookup(context.Background(), list(use(h.v)), req); !errors.Is(err, fstore.ErrUnavailable) {
			t.Errorf("a reader without a clock: %v", err)
		}
	}},
	{"a_store_that_went_back_is_reported_once", func(t *testing.T, b online.Backend) {
		h := newHistory(t, b)
		r := &replicated{h: h}
		s := online.New(r, "p")
		var told []string
		s.WentBack = func(ref fstore.ViewRef, was, is fstore.Pointer) {
			told = append(told, fmt.Sprint(ref, " ", was.Number, " ", is.Number))
		}
		for _, now := range slices.Concat(seq(0, len(h.states)), seq(12, 15), []int{12}, seq(30, len(h.states)), []int{3}) {
			r.now, r.lag = now, now
			for range 2 {
				_, err := s.Lookup(context.Background(), list(use(h.v)), online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: h.at(9)})
				if err != nil && !errors.Is(err, fstore.ErrNotReady) {
					t.Fatal(err)
				}
			}
		}
		same(t, told, []string{"v@1 4 1"})
	}},
}

func seq(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

func someFence() fstore.Fence {
	return fstore.Fence{
		View: fstore.ViewRef{Name: "v", Version: 1}, Generation: generation1, Run: "00000000000000ab", At: published.Add(1999 * time.Nanosecond).UTC(),
		Base: "ffffffffffffffff", BaseAt: published, Watermark: 1 << 40, Token: 1<<63 + 1,
	}
}

// split reads the first half of the keys, lets something happen once, and reads the others.
type split struct {
	online.Backend
	between func()
	calls   int
}

func (s *split) Get(ctx context.Context, r online.Read) ([][]byte, [][]byte, error) {
	s.calls++
	half := len(r.Keys) / 2
	first, _, err := s.Backend.Get(ctx, online.Read{Keys: r.Keys[:half]})
	if err != nil {
		return nil, nil, err
	}
	if s.between != nil {
		s.between()
		s.between = nil
	}
	second, pointers, err := s.Backend.Get(ctx, online.Read{Keys: r.Keys[half:], Pointers: r.Pointers})
	return slices.Concat(first, second), pointers, err
}

// history is a store after each of the commits of a view's publications: a first load, two in place, and one in a new
// generation, whose predecessor is then dropped. Publication n gives key k the value 100 n + k; each deletes key n.
type history struct {
	online.Backend
	v      *fstore.ViewVersion
	states []map[string][]byte
}

func (h *history) at(n int) time.Time { return published.Add(time.Duration(n) * time.Hour) }

func (h *history) Commit(ctx context.Context, c online.Commit) error {
	err := h.Backend.Commit(ctx, c)
	if err == nil {
		next := map[string][]byte{}
		if n := len(h.states); n > 0 {
			next = maps.Clone(h.states[n-1])
		}
		for _, kv := range c.Set {
			next[string(kv.Key)] = append([]byte{}, kv.Value...)
		}
		for _, k := range c.Delete {
			delete(next, string(k))
		}
		h.states = append(h.states, next)
	}
	return err
}

const historyKeys = 6

func newHistory(t *testing.T, b online.Backend) *history {
	t.Helper()
	ctx := context.Background()
	h := &history{Backend: b, v: view("v", "id int64", "x int64")}
	s := online.New(h, "p")
	var header fstore.Header
	var fence fstore.Fence
	for n := range 4 {
		g := generation1
		was, saw := &header, &fence
		if n == 0 || n == 3 {
			was, saw = nil, nil
		}
		if n == 3 {
			g = generation2
		}
		begun := begin(t, s, h.v, was, g, h.at(n))
		f := fstore.Fence{View: h.v.Ref, Generation: g, Run: runOf(g, h.at(n)), At: h.at(n)}
		if saw != nil {
			f.Base, f.BaseAt = saw.Run, saw.At
		}
		check(t, s.SetFence(ctx, saw, f))
		for k := range historyKeys {
			keys, records := encode(t, s, h.v, g, row{int64(k), published, int64(100*n + k)})
			is := f
			if is.Watermark++; k == n {
				check(t, s.WriteBatch(ctx, f, is, nil, nil, keys))
			} else {
				check(t, s.WriteBatch(ctx, f, is, keys, records, nil))
			}
			f = is
		}
		done := f
		done.Complete = true
		check(t, s.SetFence(ctx, &f, done))
		to, is := *pointerTo(g, h.at(n)), begun
		to.Number, is.Published, is.Complete = int64(n+1), h.at(n), true
		from, found, err := s.Pointer(ctx, h.v.Ref)
		check(t, err)
		if found {
			check(t, s.Publish(ctx, begun, is, done, &from, to))
		} else {
			check(t, s.Publish(ctx, begun, is, done, nil, to))
		}
		if n == 3 {
			keys, _ := encode(t, s, h.v, generation1, many(historyKeys)...)
			check(t, s.DropFence(ctx, to, fence))
			check(t, s.Drop(ctx, h.v.Ref, to, generation1, keys[:3]))
			check(t, s.Drop(ctx, h.v.Ref, to, generation1, keys[3:]))
			check(t, s.DropHeader(ctx, to, header))
		}
		header, fence = is, done
	}
	return h
}

// replicated is a primary and a replica at two states of a history.
type replicated struct {
	online.Backend
	h        *history
	now, lag int
	silent   bool // the primary does not answer
}

func (r *replicated) Get(_ context.Context, read online.Read) (records, pointers [][]byte, err error) {
	from := r.lag
	if read.Primary {
		from = r.now
	}
	switch {
	case r.silent && read.Primary:
		return nil, nil, fstore.Errorf(fstore.ErrUnavailable, "the primary is gone")
	case !r.silent:
		pointers = [][]byte{}
		for _, k := range read.Pointers {
			pointers = append(pointers, r.h.states[r.now][string(k)])
		}
	}
	for _, k := range read.Keys {
		records = append(records, r.h.states[from][string(k)])
	}
	return records, pointers, nil
}

// ask looks everything up with the primary at one state, the replica at an earlier one, and a reader that has looked up
// before when both were at a third one (−1: never).
func (h *history) ask(t *testing.T, now, lag, knew int) {
	t.Helper()
	r := &replicated{h: h}
	s := online.New(r, "p")
	req := online.Request{Keys: []fstore.Column{column[int64]("id", fstore.Int64, 0, 1, 2, 3, 4, 5)}, Now: h.at(9)}
	if knew >= 0 {
		r.now, r.lag = knew, knew
		_, err := s.Lookup(context.Background(), list(use(h.v)), req)
		if errors.Is(err, fstore.ErrNotReady) {
			return // as a reader that knows nothing
		}
		check(t, err)
	}
	r.now, r.lag = now, lag
	a, err := s.Lookup(context.Background(), list(use(h.v)), req)
	if errors.Is(err, fstore.ErrNotReady) && len(h.states[now]["fstore:p:p:v@1"]) == 0 {
		return
	}
	check(t, err)
	h.right(t, a, fmt.Sprintf("primary at %d, replica at %d, pointer of %d", now, lag, knew))
}

// right checks each value: it is of the answer's instant, or of the run that follows it in the same generation.
func (h *history) right(t *testing.T, a *online.Answer, when string) {
	t.Helper()
	n := int(a.Versions[0].Published.Sub(published) / time.Hour)
	f := &a.Features[0]
	keys := f.Column.Len
	for k := range keys {
		x, present := int(f.Column.Int64s[k]), f.Status(k) == online.Present
		ok := func(n int) bool { return present && x == 100*n+k || !present && k == n }
		if keys < historyKeys && k == 2 { // key 9, which never existed
			ok = func(int) bool { return !present }
		}
		if !ok(n) && (n == 2 || n == 3 || !ok(n+1)) {
			t.Fatalf("%s: published %d, key %d is %d %v", when, n, k, x, f.Status(k))
		}
	}
}
