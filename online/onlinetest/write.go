package onlinetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

var writeTests = []test{
	{"pointer_and_header_of_an_unknown_version", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "x int64")
		if _, ok, err := s.Pointer(context.Background(), v.Ref); ok || err != nil {
			t.Errorf("pointer: %v, %v", ok, err)
		}
		if _, ok, err := s.Header(context.Background(), v.Ref, generation1); ok || err != nil {
			t.Errorf("header: %v, %v", ok, err)
		}
	}},
	{"a_header_comes_back_as_it_was", func(t *testing.T, b online.Backend) {
		s := newStore(b, "p")
		h := header()
		h.Published, h.RunAt = published.In(time.FixedZone("", 3600)), published.Add(1999*time.Nanosecond)
		h.Watermark, h.Complete = []byte{0, 0xff, '}'}, true
		if err := s.SetHeader(context.Background(), nil, h); err != nil {
			t.Fatal(err)
		}
		got, ok, err := s.Header(context.Background(), h.View, h.Generation)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		h.Published, h.RunAt = published, published.Add(time.Microsecond)
		same(t, got, h)
		if err := s.SetHeader(context.Background(), &got, header()); err != nil {
			t.Errorf("the header that was read is not the one that is there: %v", err)
		}
	}},
	{"a_header_is_set_only_over_the_one_expected", func(t *testing.T, b online.Backend) {
		s, ctx := newStore(b, "p"), context.Background()
		first, second, third := header(), header(), header()
		second.Token, third.Token = "second", "third"
		conflict(t, s.SetHeader(ctx, &first, second))
		if err := s.SetHeader(ctx, nil, first); err != nil {
			t.Fatal(err)
		}
		conflict(t, s.SetHeader(ctx, nil, second))
		if err := s.SetHeader(ctx, &first, second); err != nil {
			t.Fatal(err)
		}
		conflict(t, s.SetHeader(ctx, &first, third))
		v, p := view("v", "id int64", "x int64"), *pointerTo(generation2, published)
		conflict(t, s.DropHeader(ctx, p, second))
		load(t, s, v, generation2, published)
		conflict(t, s.DropHeader(ctx, p, first))
		conflict(t, s.DropHeader(ctx, *pointerTo(generation1, published), second))
		if err := s.DropHeader(ctx, p, second); err != nil {
			t.Fatal(err)
		}
		if _, ok, _ := s.Header(ctx, first.View, first.Generation); ok {
			t.Error("the header is still there")
		}
	}},
	{"a_batch_of_a_writer_that_was_fenced_off_changes_nothing", func(t *testing.T, b online.Backend) {
		s, ctx, v := newStore(b, "p"), context.Background(), view("v", "id int64", "x int64")
		was := load(t, s, v, generation1, published, row{int64(1), published, int64(10)})
		fenced := was
		fenced.Token = "another"
		if err := s.SetHeader(ctx, &was, fenced); err != nil {
			t.Fatal(err)
		}
		is, saw := was, fenceOf(t, s, was)
		taken, next := saw, saw
		taken.Token, next.Watermark = 7, 9
		if err := s.SetFence(ctx, &saw, taken); err != nil {
			t.Fatal(err)
		}
		keys, records := encode(t, s, v, generation1, row{int64(1), published, int64(11)}, row{int64(2), published, int64(20)})
		conflict(t, s.WriteBatch(ctx, saw, next, keys, records, nil))
		conflict(t, s.WriteBatch(ctx, saw, next, nil, nil, keys))
		conflict(t, s.Publish(ctx, was, is, taken, pointerTo(generation1, published), *pointerTo(generation1, published)))
		conflict(t, s.Publish(ctx, fenced, is, saw, pointerTo(generation1, published), *pointerTo(generation1, published)))
		same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1), int64(2))}}), []string{"x: 10 | null NOT_FOUND"})
		got, _, _ := s.Header(ctx, v.Ref, generation1)
		same(t, got, fenced)
		p, _, _ := s.Pointer(ctx, v.Ref)
		same(t, p.Published, published)
	}},
	{"a_batch_sets_deletes_and_moves_the_fence", func(t *testing.T, b online.Backend) {
		s, ctx, v := newStore(b, "p"), context.Background(), view("v", "id int64", "x int64")
		was := load(t, s, v, generation1, published, row{int64(1), published, int64(10)}, row{int64(2), published, int64(20)})
		keys, records := encode(t, s, v, generation1, row{int64(1), published, int64(11)}, row{int64(3), published, int64(30)}, row{int64(2), published, int64(0)})
		saw := fenceOf(t, s, was)
		is := saw
		is.Watermark = 3
		if err := s.WriteBatch(ctx, saw, is, keys[:2], records[:2], keys[2:]); err != nil {
			t.Fatal(err)
		}
		same(t, ask(t, s, list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1), int64(2), int64(3))}}), []string{"x: 11 | null NOT_FOUND | 30"})
		same(t, fenceOf(t, s, was), is)
		conflict(t, s.WriteBatch(ctx, saw, is, nil, nil, nil))
	}},
	{"a_run_that_was_overtaken_does_not_publish", func(t *testing.T, b online.Backend) {
		// Both runs hold the header of their own generation. Only the pointer distinguishes them.
		s, ctx, v := newStore(b, "p"), context.Background(), view("v", "id int64", "x int64")
		late := begin(t, s, v, nil, generation2, published)
		wrote := write(t, s, v, nil, generation2, published)
		load(t, s, v, generation1, published.Add(time.Hour), row{int64(1), published, int64(1)})
		done := late
		done.Complete = true
		conflict(t, s.Publish(ctx, late, done, wrote, nil, *pointerTo(generation2, published)))
		p, _, _ := s.Pointer(ctx, v.Ref)
		same(t, p, *pointerTo(generation1, published.Add(time.Hour)))
		if got, _, _ := s.Header(ctx, v.Ref, generation2); got.Complete {
			t.Error("a refused publication moved the header")
		}
	}},
	{"pointers_of_several_versions_at_once", func(t *testing.T, b online.Backend) {
		s, v, w := newStore(b, "p"), view("v", "id int64", "x int64"), view("w", "id int64", "y int64")
		load(t, s, v, generation1, published)
		load(t, s, w, generation2, published.Add(time.Second))
		got, err := s.Pointers(context.Background(), []fstore.ViewRef{w.Ref, {Name: "none", Version: 1}, v.Ref})
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, map[fstore.ViewRef]fstore.Pointer{v.Ref: *pointerTo(generation1, published), w.Ref: *pointerTo(generation2, published.Add(time.Second))})
	}},
	{"what_is_no_pointer_is_replaced_only_by_who_saw_it", func(t *testing.T, b online.Backend) {
		s, ctx, v := newStore(b, "p"), context.Background(), view("v", "id int64", "x int64")
		was := load(t, s, v, generation1, published, row{int64(1), published, int64(10)})
		right, _, _ := s.Pointer(ctx, v.Ref)
		put := func(garbage string) {
			if err := b.Commit(ctx, online.Commit{Set: []online.KV{{Key: []byte("fstore:p:p:v@1"), Value: []byte(garbage)}}}); err != nil {
				t.Fatal(err)
			}
		}
		is, fence := was, fenceOf(t, s, was)
		for i, garbage := range []string{
			"", "garbage", "null", `{"generation":"none"}`,
			`{"generation":"` + string(generation1) + `","published":"2026-01-01T00:00:00Z","fingerprint":"test","newer":1}`,
		} {
			put(garbage)
			damaged, ok, err := s.Pointer(ctx, v.Ref)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			same(t, damaged, fstore.Pointer{Damaged: cmp.Or(garbage, "(no bytes)")})
			is.Token = fmt.Sprint(i)
			conflict(t, s.Publish(ctx, was, is, fence, nil, right))
			conflict(t, s.Publish(ctx, was, is, fence, &right, right))
			conflict(t, s.Publish(ctx, was, is, fence, &fstore.Pointer{Damaged: "other"}, right))
			if err := s.Publish(ctx, was, is, fence, &damaged, right); err != nil {
				t.Error(err)
			}
			got, _, _ := s.Pointer(ctx, v.Ref)
			same(t, got, right)
			was = is
		}
	}},
	{"a_header_that_could_not_be_compared_is_corrupt", func(t *testing.T, b online.Backend) {
		s, ctx, h := newStore(b, "p"), context.Background(), header()
		if err := s.SetHeader(ctx, nil, h); err != nil {
			t.Fatal(err)
		}
		key := []byte("fstore:p:h:v@1:" + string(generation1))
		raw, _, err := b.Get(ctx, online.Read{Keys: [][]byte{key}})
		if err != nil {
			t.Fatal(err)
		}
		for _, garbage := range []string{"", "garbage", " " + string(raw[0]), `{"newer":1,` + string(raw[0][1:])} {
			if err := b.Commit(ctx, online.Commit{Set: []online.KV{{Key: key, Value: []byte(garbage)}}}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Header(ctx, h.View, generation1); !errors.Is(err, fstore.ErrCorrupt) {
				t.Errorf("%s: got %v, want ErrCorrupt", garbage, err)
			}
		}
	}},
	{"headers_of_other_generations_are_not_mixed_up", func(t *testing.T, b online.Backend) {
		s, ctx, h := newStore(b, "p"), context.Background(), header()
		other := h
		other.Generation = generation2
		if err := s.SetHeader(ctx, nil, h); err != nil {
			t.Fatal(err)
		}
		f := fstore.Fence{View: h.View, Generation: h.Generation, Run: h.Run, At: h.RunAt, Complete: true}
		apart, p := f, *pointerTo(generation1, published)
		apart.Generation = generation2
		incomplete, ofAnother := f, f
		incomplete.Complete, ofAnother.Run = false, runOf(generation2, published)
		noRun, p2, p3 := f, p, p
		noRun.Run, p2.Generation, p3.Run = "run", generation2, ofAnother.Run
		for name, err := range map[string]error{
			"set": s.SetHeader(ctx, &h, other), "fence": s.SetFence(ctx, &f, apart), "write": s.WriteBatch(ctx, f, apart, nil, nil, nil),
			"publish":            s.Publish(ctx, h, other, f, nil, p2),
			"pointer":            s.Publish(ctx, h, h, f, nil, p2),
			"pointer's run":      s.Publish(ctx, h, h, f, nil, p3),
			"fence's generation": s.Publish(ctx, h, h, apart, nil, p),
			"incomplete":         s.Publish(ctx, h, h, incomplete, nil, p),
			"another run":        s.Publish(ctx, h, h, ofAnother, nil, p),
			"no run":             s.SetFence(ctx, nil, noRun),
			"keys, values":       s.WriteBatch(ctx, f, f, bs("k"), nil, nil),
		} {
			if !errors.Is(err, fstore.ErrInvalid) {
				t.Errorf("%s: got %v, want ErrInvalid", name, err)
			}
		}
	}},
	{"drop_deletes_one_generation_and_no_other", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "x int64")
		var rows []row
		for i := range 1200 {
			rows = append(rows, row{int64(i), published, int64(i)})
		}
		load(t, s, v, generation1, published, rows...)
		load(t, s, v, generation2, published, rows...)
		keys, _ := encode(t, s, v, generation1, append(rows, row{int64(9999), published, int64(0)})...)
		conflict(t, s.Drop(context.Background(), v.Ref, *pointerTo(generation1, published), generation1, keys))
		if err := s.Drop(context.Background(), v.Ref, *pointerTo(generation2, published), generation1, keys); err != nil {
			t.Fatal(err)
		}
		for g, want := range map[fstore.Generation]int{generation1: 0, generation2: len(rows)} {
			records, err := s.Records(context.Background(), g, keys)
			if err != nil {
				t.Fatal(err)
			}
			if got := found(records); got != want {
				t.Errorf("%s: %d records, want %d", g, got, want)
			}
		}
		if got := len(scanned(t, b, "f{")); got != len(rows) {
			t.Errorf("%d keys, want %d", got, len(rows))
		}
	}},
	{"projects_in_one_store_never_see_each_other", func(t *testing.T, b online.Backend) {
		one, two := newStore(b, "one"), newStore(b, "two")
		v := view("v", "id int64", "x int64")
		req := online.Request{Keys: []fstore.Column{ids(int64(1), int64(2))}, Now: published}
		load(t, one, v, generation1, published, row{int64(1), published, int64(10)})
		if _, err := two.Lookup(context.Background(), list(use(v)), req); !errors.Is(err, fstore.ErrNotReady) {
			t.Errorf("got %v, want ErrNotReady", err)
		}
		if _, ok, _ := two.Header(context.Background(), v.Ref, generation1); ok {
			t.Error("the other project's header is there")
		}
		load(t, two, v, generation2, published, row{int64(2), published, int64(20)})
		same(t, ask(t, one, list(use(v)), req), []string{"x: 10 | null NOT_FOUND"})
		same(t, ask(t, two, list(use(v)), req), []string{"x: null NOT_FOUND | 20"})
	}},
	{"rows_come_back_through_the_decoder", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64, name string", "x int64, s string, l list<float64>")
		rows := []row{
			{int64(1), "a", published, []float64{1, 2}, "s", int64(7)},
			{int64(2), "", published, nil, nil, nil},
			{int64(3), "}{\x00", published, []float64{}, "", int64(0)},
		}
		load(t, s, v, generation1, published, rows...)
		keys, _ := encode(t, s, v, generation1, rows...)
		records, err := s.Records(context.Background(), generation1, keys)
		if err != nil {
			t.Fatal(err)
		}
		decoder, err := s.Decoder(v, *pointerTo(generation1, published))
		if err != nil {
			t.Fatal(err)
		}
		got, err := decoder.Decode(keys, records)
		if err != nil {
			t.Fatal(err)
		}
		want := batch(v, rows...)
		for i := range want.Columns {
			for r := range rows {
				same(t, fmt.Sprint(got.Columns[i].Name, got.Columns[i].Value(r)), fmt.Sprint(want.Columns[i].Name, want.Columns[i].Value(r)))
			}
		}
	}},
}

func header() fstore.Header {
	return fstore.Header{View: fstore.ViewRef{Name: "v", Version: 1}, Generation: generation1, Fingerprint: fingerprint, Layout: fstore.RecordLayout, Partitions: fstore.Partitions, Run: runOf(generation1, published), RunAt: published, Token: "first"}
}

func found(records [][]byte) (n int) {
	for _, r := range records {
		if r != nil {
			n++
		}
	}
	return n
}
