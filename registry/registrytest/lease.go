package registrytest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/record"
)

// process is a backend as another process would open it.
type process struct {
	registry.Backend
	holder record.Holder
}

func (p process) Self() (record.Holder, error) { return p.holder, nil }

func leases(t *testing.T, s *Storage) {
	ctx, b := context.Background(), s.open(t)
	me, far, dead := registry.New(b), registry.New(process{b, s.Far}), registry.New(process{b, s.Dead})
	acquire := func(r *registry.Store, project string, now time.Time) (string, error) {
		return r.AcquireLease(ctx, project, "v@1", time.Minute, now)
	}
	first, err := acquire(far, Project, Epoch)
	if err != nil {
		t.Fatal(err)
	}
	state, err := b.Holder(s.Far)
	if err != nil || state.Gone || state.Name == "" {
		t.Error(state, err)
	}
	if _, err := acquire(me, Project, Epoch.Add(59*time.Second)); !errors.Is(err, fstore.ErrConflict) || !strings.Contains(err.Error(), state.Name) {
		t.Error("a holder elsewhere keeps its lease until it expires:", err)
	}
	if _, err := acquire(me, "other", Epoch); err != nil {
		t.Error("projects are apart:", err)
	}
	if err := far.RenewLease(ctx, Project, "v@1", first, time.Minute, Epoch.Add(59*time.Second)); err != nil {
		t.Error(err)
	}
	if _, err := acquire(me, Project, Epoch.Add(118*time.Second)); !errors.Is(err, fstore.ErrConflict) {
		t.Error("a renewed lease is held:", err)
	}
	second, err := acquire(me, Project, Epoch.Add(119*time.Second)) // to the microsecond
	if err != nil {
		t.Fatal("it expires:", err)
	}
	if err := far.RenewLease(ctx, Project, "v@1", first, time.Minute, Epoch); !errors.Is(err, fstore.ErrConflict) {
		t.Error("a lost lease is not renewed:", err)
	}
	if err := far.ReleaseLease(ctx, Project, "v@1", first); err != nil {
		t.Error("releasing a lost lease is not an error:", err)
	}
	if _, err := acquire(far, Project, Epoch.Add(2*time.Minute)); !errors.Is(err, fstore.ErrConflict) {
		t.Error("a lease that somebody else released is still held:", err)
	}
	if err := me.ReleaseLease(ctx, Project, "v@1", second); err != nil {
		t.Error(err)
	}
	if err := me.RenewLease(ctx, Project, "v@1", second, time.Minute, Epoch); !errors.Is(err, fstore.ErrConflict) {
		t.Error("a released lease is not renewed:", err)
	}
	if _, err := acquire(dead, Project, Epoch); err != nil {
		t.Fatal("a released lease is free:", err)
	}
	if _, err := acquire(me, Project, Epoch); err != nil {
		t.Error("a process that is gone loses its lease at once:", err)
	}
	if s.Nonsense != "" {
		put(t, b, Project, &record.Lease{Name: "v@1", Token: "x", Holder: s.Nonsense, Expires: fstore.Micros(Epoch.Add(time.Hour))})
		if _, err := acquire(me, Project, Epoch); !errors.Is(err, fstore.ErrCorrupt) {
			t.Error("a holder that cannot be read:", err)
		}
	}
	if names, err := me.DropLeases(ctx, Project, Epoch.Add(2*time.Hour)); err != nil || strings.Join(names, " ") != "v@1" {
		t.Error(names, err)
	}
	if names, err := me.DropLeases(ctx, Project, Epoch.Add(2*time.Hour)); err != nil || len(names) != 0 {
		t.Error(names, err)
	}
}

func oneGetsTheLease(t *testing.T, s *Storage) {
	ctx := context.Background()
	var wg sync.WaitGroup
	var got, refused atomic.Int64
	for range 4 {
		r := registry.New(process{s.open(t), s.Far})
		for range 3 {
			wg.Go(func() {
				_, err := r.AcquireLease(ctx, Project, "v@1", time.Minute, Epoch)
				switch {
				case err == nil:
					got.Add(1)
				case errors.Is(err, fstore.ErrConflict):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if got.Load() != 1 || refused.Load() != 11 {
		t.Errorf("%d got the lease and %d were refused, want 1 and 11", got.Load(), refused.Load())
	}
}

func watchersSeeEachRevision(t *testing.T, s *Storage) {
	ctx, writer := context.Background(), s.open(t)
	put(t, writer, "other", &record.Project{Revision: 9})
	w := s.Watch(t, Project)
	look := func(want int64) {
		t.Helper()
		for range 4 { // the later looks may take a short cut
			if got, err := w.Look(ctx); err != nil || got != (record.Seen{Storage: 1, Revision: want}) {
				t.Fatalf("got %+v, %v, want revision %d", got, err, want)
			}
		}
		err := w.Read(ctx, func(tx record.Tx) error {
			if got, err := revision(ctx, tx); err != nil || got != want {
				t.Errorf("got %d, %v, want revision %d", got, err, want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	look(0)
	for revision := range int64(6) {
		put(t, writer, Project, &record.Project{Revision: revision + 1})
		if revision%3 != 0 { // looks may come at any time
			look(revision + 1)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	look(6)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := w.Read(ended, func(tx record.Tx) error { _, err := revision(ended, tx); return err }); !errors.Is(err, context.Canceled) {
		t.Error("a read whose context has ended:", err)
	}
}
