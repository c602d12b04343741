package registrytest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/record"
)

// latestChecksAreKept lets two processes keep outcomes of checks at the same time: each keeps the latest MaxChecks of all, the newest
// first, and none is lost below that number.
func latestChecksAreKept(t *testing.T, s *Storage) {
	ctx, first := t.Context(), s.open(t)
	put(t, first, Project, &record.Project{Revision: 1})
	processes := []*registry.Store{registry.New(first), registry.New(s.open(t))}
	world := fstore.ViewRef{Name: "world", Version: 1}
	add := func(r *registry.Store, kind registry.Kind, ref fstore.ViewRef, by string, n int) error {
		c := registry.Checks{Time: Epoch.Add(time.Duration(n) * time.Second), At: Epoch, By: by, OK: n%2 == 0, Result: fmt.Appendf(nil, `[{"n":%d}]`, n)}
		return r.AddChecks(ctx, Project, kind, ref, c)
	}
	const each = registry.MaxChecks / 2
	var wg sync.WaitGroup
	for i, r := range processes {
		wg.Go(func() {
			for n := range each {
				if err := add(r, registry.KindView, world, fmt.Sprint(i), n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := processes[0].Checks(ctx, Project, registry.KindView, world)
	if err != nil {
		t.Fatal(err)
	}
	next := map[string]int{"0": each, "1": each} // each process's own, the newest first
	for _, c := range got {
		next[c.By]--
		if want := fmt.Sprintf(`[{"n":%d}]`, next[c.By]); string(c.Result) != want {
			t.Errorf("process %s: got %s, want %s", c.By, c.Result, want)
		}
	}
	if next["0"] != 0 || next["1"] != 0 {
		t.Errorf("lost are %v", next)
	}
	if err := add(processes[1], registry.KindView, world, "late", 99); err != nil {
		t.Fatal(err)
	}
	want := append([]registry.Checks{{Time: Epoch.Add(99 * time.Second), At: Epoch, By: "late", Result: []byte(`[{"n":99}]`)}}, got[:registry.MaxChecks-1]...)
	again, err := processes[0].Checks(ctx, Project, registry.KindView, world)
	if d := cmp.Diff(want, again); d != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
	for _, other := range []struct {
		project string
		kind    registry.Kind
		ref     fstore.ViewRef
	}{{Project, registry.KindView, fstore.ViewRef{Name: "world", Version: 2}}, {Project, registry.KindSource, world}, {"another", registry.KindView, world}} {
		if got, err := processes[0].Checks(ctx, other.project, other.kind, other.ref); err != nil || got != nil {
			t.Errorf("%v has %v, %v", other, got, err)
		}
	}
}

// latestPublicationsAreKept keeps publications of two stores in turns, and finds the latest MaxPublications of each from another
// process.
func latestPublicationsAreKept(t *testing.T, s *Storage) {
	ctx, first := t.Context(), s.open(t)
	put(t, first, Project, &record.Project{Revision: 1})
	writer, reader := registry.New(first), registry.New(s.open(t))
	publication := func(store string, number int64) fstore.Publication {
		return fstore.Publication{
			View: fstore.ViewRef{Name: "world", Version: 1}, Store: store, Number: number, Run: fmt.Sprint(store, number), Published: Epoch,
			Keys: number, Nulls: map[string]int64{"population": number},
		}
	}
	const last = registry.MaxPublications + 2
	for number := int64(1); number <= last; number++ {
		for _, store := range []string{"one", "two"} {
			if err := writer.RecordPublication(ctx, Project, publication(store, number)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for number := int64(1); number <= last; number++ {
		for _, store := range []string{"one", "two", "a name of the same store"} {
			want := publication(store, number)
			if store != "one" && store != "two" {
				want = publication("one", number)
			}
			asked := want
			asked.Store, asked.Keys, asked.Nulls = store, 0, nil
			got, known, err := reader.Publication(ctx, Project, asked)
			if kept := number > last-registry.MaxPublications; err != nil || known != kept || kept && !cmp.Equal(got, want) {
				t.Errorf("%s, number %d: got %+v, %t, %v", store, number, got, known, err)
			}
		}
	}
}
