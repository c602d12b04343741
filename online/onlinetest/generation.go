package onlinetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

var generationTests = []test{
	{"a_view_that_is_not_published_says_what_to_run", func(t *testing.T, b online.Backend) {
		s, v, w := newStore(b, "p"), view("v", "id int64", "x int64"), view("w", "id int64", "y int64")
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published}
		_, err := s.Lookup(context.Background(), list(use(v), use(w)), req)
		isKind(t, err, fstore.ErrNotReady, "v@1, w@1: not published", "run: fstore materialize v@1 w@1")
		load(t, s, v, generation1, published, row{int64(1), published, int64(1)})
		_, err = s.Lookup(context.Background(), list(use(v), use(w)), req)
		isKind(t, err, fstore.ErrNotReady, "w@1: not published", "run: fstore materialize w@1")
		load(t, s, w, generation2, published, row{int64(1), published, int64(2)})
		same(t, ask(t, s, list(use(v), use(w)), req), []string{"x: 1", "y: 2"})
	}},
	{"what_another_registry_published_under_the_same_name_is_not_served", func(t *testing.T, b online.Backend) {
		s, theirs, ours := newStore(b, "p"), view("v", "id int64", "x int64"), view("v", "id int64", "x int64")
		ours.Fingerprint = "another"
		load(t, s, theirs, generation1, published, row{int64(1), published, int64(1)})
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published}
		_, err := s.Lookup(context.Background(), list(use(ours)), req)
		isKind(t, err, fstore.ErrNotReady, "another definition", "run: fstore materialize v@1")
		load(t, s, ours, generation2, published, row{int64(1), published, int64(2)})
		same(t, ask(t, s, list(use(ours)), req), []string{"x: 2"})
	}},
	{"the_first_request_asks_for_pointers_then_one_round_trip_is_enough", func(t *testing.T, b online.Backend) {
		count := &counting{Backend: b}
		s, v, w := online.New(count, "p"), view("v", "id int64", "x int64"), view("w", "id int64", "y int64")
		load(t, s, v, generation1, published, row{int64(1), published, int64(1)})
		load(t, s, w, generation2, published, row{int64(1), published, int64(2)})
		l, req := list(use(v), use(w)), online.Request{Keys: []fstore.Column{ids(int64(1))}}
		for i, want := range []counting{{calls: 2, keys: 4, pointers: 4}, {calls: 1, keys: 4, pointers: 2}, {calls: 1, keys: 4, pointers: 2}} {
			*count = counting{Backend: b}
			same(t, ask(t, s, l, req), []string{"x: 1", "y: 2"})
			if want.Backend = b; *count != want {
				t.Errorf("request %d: %d calls, %d keys, %d pointers", i+1, count.calls, count.keys, count.pointers)
			}
		}
	}},
	{"a_flip_between_requests_is_noticed", func(t *testing.T, b online.Backend) {
		reader, writer, v := newStore(b, "p"), newStore(b, "p"), view("v", "id int64", "x int64")
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published}
		load(t, writer, v, generation1, published, row{int64(1), published, int64(1)})
		same(t, ask(t, reader, list(use(v)), req), []string{"x: 1"})
		load(t, writer, v, generation2, published.Add(time.Hour), row{int64(1), published, int64(2)})
		a, err := reader.Lookup(context.Background(), list(use(v)), req)
		if err != nil {
			t.Fatal(err)
		}
		same(t, show(a), []string{"x: 2"})
		same(t, a.Versions, []online.AnswerVersion{{
			Ref: v.Ref, Generation: generation2, Published: published.Add(time.Hour), Run: runOf(generation2, published.Add(time.Hour)),
			Servable: published.Add(time.Hour),
		}})
	}},
	{"a_flip_during_a_read_asks_only_that_view_again", func(t *testing.T, b online.Backend) {
		hook := &hooked{Backend: b}
		s, writer := online.New(hook, "p"), newStore(b, "p")
		v, w := view("v", "id int64", "x int64"), view("w", "id int64", "y int64")
		load(t, writer, v, generation1, published, row{int64(1), published, int64(1)})
		load(t, writer, w, "00000000000000aa", published, row{int64(1), published, int64(10)})
		l, req := list(use(v), use(w)), online.Request{Keys: []fstore.Column{ids(int64(1), int64(2))}}
		ask(t, s, l, req)
		var asked []string
		hook.before = func(keys, pointers [][]byte) {
			if asked = append(asked, fmt.Sprint(len(keys), len(pointers))); len(asked) == 1 {
				load(t, writer, v, generation2, published, row{int64(1), published, int64(2)})
			}
		}
		same(t, ask(t, s, l, req), []string{"x: 2 | null NOT_FOUND", "y: 10 | null NOT_FOUND"})
		same(t, asked, []string{"6 2", "3 1"} /* two keys and a fence of each view */)
	}},
	{"a_publication_of_the_same_generation_during_a_read_is_read_again", func(t *testing.T, b online.Backend) {
		// The records may have been read before the run's last batch: they must not count as those of the new
		// instant.
		hook := &hooked{Backend: b}
		s, writer, v := online.New(hook, "p"), newStore(b, "p"), view("v", "id int64", "x int64")
		was := load(t, writer, v, generation1, published, row{int64(1), published, int64(1)})
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published}
		ask(t, s, list(use(v)), req)
		later := published.Add(time.Hour)
		hook.after = func() {
			hook.after = nil
			saw := fenceOf(t, writer, was)
			begun := begin(t, writer, v, &was, generation1, later)
			publish(t, writer, begun, write(t, writer, v, &saw, generation1, later, row{int64(1), later, int64(2)}), later)
		}
		a, err := s.Lookup(context.Background(), list(use(v)), req)
		if err != nil {
			t.Fatal(err)
		}
		same(t, show(a), []string{"x: 2"})
		same(t, a.Versions[0].Published, later)
	}},
	{"a_view_that_is_published_during_every_read_is_unavailable", func(t *testing.T, b online.Backend) {
		hook := &hooked{Backend: b}
		s, writer, v := online.New(hook, "p"), newStore(b, "p"), view("v", "id int64", "x int64")
		n := 0
		flip := func() {
			n++
			load(t, writer, v, fstore.Generation(fmt.Sprintf("%016x", n)), published, row{int64(1), published, int64(n)})
		}
		flip()
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published}
		ask(t, s, list(use(v)), req)
		calls := 0
		hook.before = func(_, _ [][]byte) { calls++; flip() }
		_, err := s.Lookup(context.Background(), list(use(v)), req)
		isKind(t, err, fstore.ErrUnavailable, "v@1 was published again")
		if calls != 4 {
			t.Errorf("%d reads, want one and 3 more", calls)
		}
		hook.before = func(_, _ [][]byte) {
			if calls++; calls < 8 {
				flip()
			}
		}
		same(t, ask(t, s, list(use(v)), req), []string{fmt.Sprint("x: ", n)})
	}},
	{"a_store_that_was_emptied_is_not_ready_and_recovers", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "x int64")
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published}
		load(t, s, v, generation1, published, row{int64(1), published, int64(1)})
		ask(t, s, list(use(v)), req)
		if err := b.Commit(context.Background(), online.Commit{Delete: scanned(t, b, "")}); err != nil {
			t.Fatal(err)
		}
		_, err := s.Lookup(context.Background(), list(use(v)), req)
		isKind(t, err, fstore.ErrNotReady, "run: fstore materialize v@1")
		load(t, s, v, generation2, published, row{int64(1), published, int64(2)})
		same(t, ask(t, s, list(use(v)), req), []string{"x: 2"})
	}},
	{"a_pointer_that_cannot_be_read_is_corrupt", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "x int64")
		req := online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published}
		for _, raw := range []string{"x", "{}", `{"generation":"0102"}`, `{"generation":"zz02030405060708"}`} {
			set(t, b, "fstore:p:p:v@1", raw)
			_, err := s.Lookup(context.Background(), list(use(v)), req)
			isKind(t, err, fstore.ErrCorrupt, "pointer of v@1")
		}
	}},
}

// hooked calls functions around every read of a backend.
type hooked struct {
	online.Backend
	before func(keys, pointers [][]byte)
	after  func() // after the records are read, and before the pointers are
}

func (h *hooked) Get(ctx context.Context, r online.Read) ([][]byte, [][]byte, error) {
	if h.before != nil {
		h.before(r.Keys, r.Pointers)
	}
	if h.after == nil {
		return h.Backend.Get(ctx, r)
	}
	records, _, err := h.Backend.Get(ctx, online.Read{Keys: r.Keys, Primary: r.Primary})
	if err != nil {
		return nil, nil, err
	}
	if h.after != nil {
		h.after()
	}
	_, ptrs, err := h.Backend.Get(ctx, online.Read{Pointers: r.Pointers, Primary: r.Primary})
	return records, ptrs, err
}
