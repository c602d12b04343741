package onlinetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

// collectTests test what gc and verify need.
var collectTests = []test{
	{"an_inventory_knows_what_is_whose", func(t *testing.T, b online.Backend) {
		ours, theirs, v, w := newStore(b, "p"), newStore(b, "other"), view("v", "id int64", "x int64"), view("w", "id int64", "x int64")
		load(t, ours, v, generation1, published, many(700)...)
		load(t, theirs, w, generation2, published, many(3)...)
		const orphan, begun = fstore.Generation("00000000000000aa"), fstore.Generation("00000000000000bb")
		lose(t, ours, w, orphan, 2)
		h := header()
		h.View, h.Generation = w.Ref, begun
		if err := ours.SetHeader(context.Background(), nil, h); err != nil {
			t.Fatal(err)
		}
		got, err := ours.Inventory(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		same(t, got.Pointers, map[fstore.ViewRef]fstore.Generation{v.Ref: generation1})
		same(t, got.Headers, map[fstore.Generation]fstore.ViewRef{generation1: v.Ref, begun: w.Ref})
		same(t, got.Fences, map[fstore.Generation]fstore.ViewRef{generation1: v.Ref})
		same(t, got.Others, map[fstore.Generation]bool{generation2: true})
		if n := got.Records[generation1]; n < 700 || got.Records[generation2] < 3 {
			t.Errorf("records: %v", got.Records)
		}
		if orphans := got.Orphans(); len(orphans) != 1 || orphans[orphan] < 2 {
			t.Errorf("orphans: %v", orphans)
		}
	}},
	{"a_pointer_that_cannot_be_read_is_in_the_inventory", func(t *testing.T, b online.Backend) {
		s, v := newStore(b, "p"), view("v", "id int64", "x int64")
		load(t, s, v, generation1, published, many(1)...)
		commit(t, b, online.Commit{Set: []online.KV{{Key: []byte("fstore:p:p:v@1"), Value: []byte("?")}}})
		got, err := s.Inventory(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		same(t, got.Pointers, map[fstore.ViewRef]fstore.Generation{v.Ref: ""})
		conflict(t, s.Unpublish(context.Background(), v.Ref, generation1))
		if err := s.Unpublish(context.Background(), v.Ref, ""); err != nil {
			t.Fatal(err)
		}
		if got, _ = s.Inventory(context.Background()); len(got.Pointers) != 0 {
			t.Error(got.Pointers)
		}
	}},
	{"a_pointer_that_reads_as_damaged_is_unpublished_as_such", func(t *testing.T, b online.Backend) {
		s, ctx, v := newStore(b, "p"), context.Background(), view("v", "id int64", "x int64")
		load(t, s, v, generation1, published, many(1)...)
		another := `{"generation":"` + string(generation1) + `","published":"2026-01-01T00:00:00Z","fingerprint":"f","by":"a newer fstore"}`
		commit(t, b, online.Commit{Set: []online.KV{{Key: []byte("fstore:p:p:v@1"), Value: []byte(another)}}})
		if p, ok, err := s.Pointer(ctx, v.Ref); !ok || err != nil || p.Damaged != another {
			t.Fatal(p, ok, err)
		}
		if err := s.Unpublish(ctx, v.Ref, ""); err != nil {
			t.Error(err)
		}
	}},
	{"a_view_is_unpublished_only_from_the_generation_named", func(t *testing.T, b online.Backend) {
		s, ctx, v := newStore(b, "p"), context.Background(), view("v", "id int64", "x int64")
		load(t, s, v, generation1, published, many(1)...)
		conflict(t, s.Unpublish(ctx, v.Ref, generation2))
		if _, ok, err := s.Pointer(ctx, v.Ref); !ok || err != nil {
			t.Fatal(ok, err)
		}
		for range 2 { // deleting something absent is not an error
			if err := s.Unpublish(ctx, v.Ref, generation1); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.Lookup(ctx, list(use(v)), online.Request{Keys: []fstore.Column{ids(int64(1))}, Now: published})
		isKind(t, err, fstore.ErrNotReady, "v@1: not published")
	}},
	{"generations_are_dropped_whole_and_others_not", func(t *testing.T, b online.Backend) {
		s, ctx, v, w := newStore(b, "p"), context.Background(), view("v", "id int64", "x int64"), view("w", "id int64", "x int64")
		load(t, s, v, generation1, published, many(1203)...)
		load(t, s, w, generation2, published, many(40)...)
		astray := append([]byte("f{___}"), 1, 2, 3, 4, 5, 6, 7, 8, 9)
		commit(t, b, online.Commit{Set: []online.KV{{Key: astray, Value: []byte{1}}}})
		found := 0
		if err := s.ScanRecords(ctx, func(k fstore.StoredKey) error {
			if k.Astray {
				found++
				same(t, k, fstore.StoredKey{Generation: generation1, Key: []byte{9}, Astray: true})
			}
			return nil
		}); err != nil || found == 0 {
			t.Errorf("astray: %d, %v", found, err)
		}
		var told []int64
		dead, progress := map[fstore.Generation]fstore.ViewRef{generation1: v.Ref}, func(n int64) { told = append(told, n) }
		_, err := s.DropGenerations(ctx, dead, progress)
		conflict(t, err)
		conflict(t, s.BuryFence(ctx, v.Ref, generation1))
		if err := s.Unpublish(ctx, v.Ref, generation1); err != nil {
			t.Fatal(err)
		}
		for range 2 { // deleting something absent is not an error
			if err := s.BuryFence(ctx, v.Ref, generation1); err != nil {
				t.Fatal(err)
			}
		}
		dropped, err := s.DropGenerations(ctx, dead, progress)
		if err != nil || dropped[generation1] < 1204 || len(dropped) != 1 {
			t.Fatal(dropped, err)
		}
		if !slices.IsSorted(told) || len(told) < 3 || told[len(told)-1] != dropped[generation1] {
			t.Errorf("progress: %v", told)
		}
		if err := s.BuryHeader(ctx, v.Ref, generation1); err != nil {
			t.Fatal(err)
		}
		if err := s.BuryHeader(ctx, v.Ref, generation1); err != nil {
			t.Error("what is gone is no error:", err)
		}
		if _, ok, _ := s.Header(ctx, v.Ref, generation1); ok {
			t.Error("the header is still there")
		}
		n := 0
		if err := b.Scan(ctx, []byte("f{"), func([]byte) error { n++; return nil }); err != nil || n < 40 || n > 80 {
			t.Errorf("%d records are left, %v", n, err)
		}
		same(t, ask(t, s, list(use(w)), online.Request{Keys: []fstore.Column{ids(int64(7))}, Now: published}), []string{"x: 70"})
	}},
	{"a_scan_of_records_ends_with_the_first_error", func(t *testing.T, b online.Backend) {
		s, v, stop, calls := newStore(b, "p"), view("v", "id int64", "x int64"), fmt.Errorf("stop"), 0
		load(t, s, v, generation1, published, many(600)...)
		if err := s.ScanRecords(context.Background(), func(fstore.StoredKey) error { calls++; return stop }); err != stop || calls != 1 {
			t.Error(calls, err)
		}
	}},
}

// many returns n rows: key i has 10 i.
func many(n int) []row {
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{int64(i), published, int64(10 * i)}
	}
	return rows
}

// lose stores records of a generation that has neither header nor fence.
func lose(t *testing.T, s *online.Store, v *fstore.ViewVersion, g fstore.Generation, n int) {
	t.Helper()
	load(t, s, v, g, published, many(n)...)
	for _, err := range []error{
		s.Unpublish(context.Background(), v.Ref, g), s.BuryFence(context.Background(), v.Ref, g), s.BuryHeader(context.Background(), v.Ref, g),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func commit(t *testing.T, b online.Backend, c online.Commit) {
	t.Helper()
	for i := range c.Set {
		c.Set[i].Key = bytes.Clone(c.Set[i].Key)
	}
	if err := b.Commit(context.Background(), c); err != nil {
		t.Fatal(err)
	}
}
