package registrytest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/record"
)

var errFailure = errors.New("failure")

func transactionsHappenOrDoNot(t *testing.T, s *Storage) {
	ctx, b := context.Background(), s.open(t)
	before := full("a", 1)
	put(t, b, Project, before...)
	err := b.Write(ctx, Project, func(tx record.Tx) error {
		for _, r := range full("b", 0) {
			if set, ok := r.(*record.TrainingSet); ok {
				set.Name = "c"
			}
			if err := tx.Put(ctx, r); err != nil {
				t.Error(err)
			}
		}
		for _, r := range []record.Record{&record.Lease{Name: "a"}, &record.Idle{Name: "a", Version: 7}, &record.Commit{ID: 3}} {
			if err := tx.Delete(ctx, r); err != nil {
				t.Error(err)
			}
		}
		return errFailure
	})
	if !errors.Is(err, errFailure) {
		t.Error("the error of the function is returned:", err)
	}
	same(t, b, Project, before)
	same(t, s.open(t), Project, before)
	if err := b.Read(ctx, Project, func(record.Tx) error { return errFailure }); !errors.Is(err, errFailure) {
		t.Error("the error of the function is returned:", err)
	}
	put(t, b, Project, &record.Lease{Name: "the next transaction is a new one"})
}

func writesSeeTheirOwn(t *testing.T, s *Storage) {
	b := s.open(t)
	write(t, b, Project, func(ctx context.Context, tx record.Tx) error {
		for _, r := range full("a", 1) {
			if err := tx.Put(ctx, r); err != nil {
				return err
			}
			if found, err := tx.Get(ctx, blank(r)); err != nil || !found {
				t.Errorf("%T: %v, %v", r, found, err)
			}
		}
		got, err := allIn(ctx, tx)
		if err != nil || len(got) != len(types()) {
			t.Error(text(got), err)
		}
		if err := tx.Delete(ctx, &record.Lease{Name: "a"}); err != nil {
			return err
		}
		if found, err := tx.Get(ctx, &record.Lease{Name: "a"}); err != nil || found {
			t.Error("a deleted record is there:", found, err)
		}
		return nil
	})
}

func readsSeeOneState(t *testing.T, s *Storage) {
	ctx, reader, writer := context.Background(), s.open(t), s.open(t)
	put(t, writer, Project, &record.Project{Revision: 1}, &record.Lease{Name: "a"})
	err := reader.Read(ctx, Project, func(tx record.Tx) error {
		before, err := revision(ctx, tx)
		if err != nil {
			return err
		}
		for range 3 {
			put(t, writer, Project, &record.Project{Revision: before + 1}, &record.Lease{Name: "b"})
			after, err := revision(ctx, tx)
			records, listErr := allIn(ctx, tx)
			if errors.Join(err, listErr) != nil || before != 1 || after != 1 || len(records) != 2 {
				t.Errorf("revisions %d and %d, %v, %v, %v: want those of one state", before, after, text(records), err, listErr)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, reader, Project, []record.Record{&record.Project{Revision: 2}, &record.Lease{Name: "a"}, &record.Lease{Name: "b"}})
}

func readsDoNotWait(t *testing.T, s *Storage) {
	writer, reader := s.open(t), s.open(t)
	put(t, writer, Project, &record.Project{Revision: 1})
	write(t, writer, Project, func(ctx context.Context, tx record.Tx) error {
		if err := tx.Put(ctx, &record.Project{Revision: 2}); err != nil {
			return err
		}
		for _, b := range []registry.Backend{reader, writer} { // of another process, and of the writer's own
			same(t, b, Project, []record.Record{&record.Project{Revision: 1}})
		}
		return nil
	})
	same(t, reader, Project, []record.Record{&record.Project{Revision: 2}})
}

func noUpdateIsLost(t *testing.T, s *Storage) {
	const writers, rounds = 6, 8
	ctx := context.Background()
	processes := []registry.Backend{s.open(t), s.open(t), s.open(t)}
	var wg sync.WaitGroup
	for i := range writers {
		b := processes[i%len(processes)]
		wg.Go(func() {
			for range rounds {
				err := b.Write(ctx, Project, func(tx record.Tx) error {
					n, err := revision(ctx, tx)
					if err != nil {
						return err
					}
					return errors.Join(tx.Put(ctx, &record.Project{Revision: n + 1}), tx.Put(ctx, &record.Commit{ID: n}))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, commits := int64(0), 0
	for _, r := range all(t, processes[0], Project) {
		switch r := r.(type) {
		case *record.Project:
			got = r.Revision
		case *record.Commit:
			commits++
		}
	}
	if got != writers*rounds || commits != writers*rounds {
		t.Errorf("revision %d and %d commits, want %d", got, commits, writers*rounds)
	}
}

func endedContexts(t *testing.T, s *Storage) {
	b := s.open(t)
	before := []record.Record{&record.Project{Revision: 1}}
	put(t, b, Project, before...)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_, listErr := b.Projects(ended)
	for what, err := range map[string]error{
		"Read":     b.Read(ended, Project, func(tx record.Tx) error { _, err := revision(ended, tx); return err }),
		"Write":    b.Write(ended, Project, func(tx record.Tx) error { return tx.Put(ended, &record.Project{Revision: 2}) }),
		"Projects": listErr,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	same(t, b, Project, before)

	for name, do := range map[string]func(ctx context.Context, tx record.Tx) error{
		"nothing":  func(context.Context, record.Tx) error { return nil },
		"a get":    func(ctx context.Context, tx record.Tx) error { _, err := revision(ctx, tx); return err },
		"a list":   func(ctx context.Context, tx record.Tx) error { _, err := allIn(ctx, tx); return err },
		"a put":    func(ctx context.Context, tx record.Tx) error { return tx.Put(ctx, &record.Lease{Name: "b"}) },
		"a delete": func(ctx context.Context, tx record.Tx) error { return tx.Delete(ctx, &record.Lease{Name: "b"}) },
	} {
		ctx, cancel := context.WithCancel(context.Background())
		err := b.Write(ctx, Project, func(tx record.Tx) error {
			if err := tx.Put(ctx, &record.Project{Revision: 3}); err != nil {
				t.Error(err)
			}
			cancel()
			return do(ctx, tx)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the context ends before %s: %v", name, err)
		}
		same(t, b, Project, before)
	}
	put(t, b, Project, &record.Project{Revision: 4}) // what ended early holds up nobody
}

func closedBackends(t *testing.T, s *Storage) {
	ctx, b, other := context.Background(), s.open(t), s.open(t)
	put(t, b, Project, &record.Project{Revision: 1})
	for range 2 {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	called := func(record.Tx) error {
		t.Error("the function was called")
		return nil
	}
	_, listErr := b.Projects(ctx)
	for what, err := range map[string]error{"Read": b.Read(ctx, Project, called), "Write": b.Write(ctx, Project, called), "Projects": listErr} {
		if !errors.Is(err, fstore.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	put(t, other, Project, &record.Project{Revision: 2})
}
