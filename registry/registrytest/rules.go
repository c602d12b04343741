package registrytest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/record"
)

// operation is something that a project does with a registry.
type operation struct {
	name string
	do   func(ctx context.Context, r *registry.Store) error
}

// operations has every operation that writes, in an order in which each of them writes something.
func operations(t testing.TB) []operation {
	var token string
	set := registry.TrainingSetRecord{Name: "q4", Created: Epoch, Service: "churn@1", Rows: 7, Out: "q4.parquet", Lock: []byte(`{"a":1}`)}
	model := fstore.ModelRef{Name: "fraud", Version: "1"}
	first, second := Trips(t), Trips(t, "ttl: 90d", "ttl: 30d", "  - world.population\n", "", `"hour(at)"`, `"hour(at) + 1"`)
	apply := func(d *definition.Definitions) func(ctx context.Context, r *registry.Store) error {
		return func(ctx context.Context, r *registry.Store) error {
			p, err := r.Plan(ctx, Project, d)
			if err != nil {
				return err
			}
			_, err = r.Apply(ctx, p, registry.CommitInfo{Now: Epoch, Author: "ann", Message: "m"})
			return err
		}
	}
	pin := func(version, service, set string) func(ctx context.Context, r *registry.Store) error {
		return func(ctx context.Context, r *registry.Store) error {
			s, err := r.Revision(ctx, Project)
			if err != nil {
				return err
			}
			list, err := s.HeadService(service)
			if err != nil {
				return err
			}
			p := registry.Pin{Model: fstore.ModelRef{Name: "fraud", Version: version}, List: list, TrainingSet: set, Now: Epoch}
			_, _, err = r.PinModel(ctx, Project, p)
			return err
		}
	}
	return []operation{
		{"apply", apply(first)},
		{"promote", func(ctx context.Context, r *registry.Store) error {
			s, err := r.Revision(ctx, Project)
			if err != nil {
				return err
			}
			published := map[fstore.ViewRef]time.Time{}
			for _, v := range s.Live() {
				published[v.Ref] = Epoch
			}
			_, err = r.Promote(ctx, Project, published, Epoch)
			return err
		}},
		{"record a publication", func(ctx context.Context, r *registry.Store) error {
			return r.RecordPublication(ctx, Project, fstore.Publication{View: fstore.ViewRef{Name: "world", Version: 1}, Store: "s", Run: "a", Number: 7, Published: Epoch, Keys: 3})
		}},
		{"keep the outcome of checks", func(ctx context.Context, r *registry.Store) error {
			return r.AddChecks(ctx, Project, registry.KindView, fstore.ViewRef{Name: "world", Version: 1}, registry.Checks{Time: Epoch, By: "check", OK: true, Result: []byte("[1]")})
		}},
		{"record a training set", func(ctx context.Context, r *registry.Store) error {
			return r.AddTrainingSet(ctx, Project, set, registry.RefuseName)
		}},
		{"pin a training set", pin("1", "ride", "q4")},
		{"pin a service", pin("2", "churn", "")},
		{"name an alias", func(ctx context.Context, r *registry.Store) error {
			_, err := r.AliasModel(ctx, Project, "fraud", "champion", "1", Epoch)
			return err
		}},
		{"replace a training set", func(ctx context.Context, r *registry.Store) error {
			return r.AddTrainingSet(ctx, Project, set, registry.ReplaceName)
		}},
		{"apply a change", apply(second)},
		{"take a lease", func(ctx context.Context, r *registry.Store) (err error) {
			token, err = r.AcquireLease(ctx, Project, "v@1", time.Minute, Epoch)
			return err
		}},
		{"renew a lease", func(ctx context.Context, r *registry.Store) error {
			return r.RenewLease(ctx, Project, "v@1", token, time.Minute, Epoch.Add(time.Second))
		}},
		{"drop leases", func(ctx context.Context, r *registry.Store) error {
			_, err := r.DropLeases(ctx, Project, Epoch.Add(time.Hour))
			return err
		}},
		{"unpin", func(ctx context.Context, r *registry.Store) error {
			_, err := r.UnpinModel(ctx, Project, fstore.ModelRef{Name: "fraud", Version: "2"}, Epoch)
			return err
		}},
		{"drop an alias", func(ctx context.Context, r *registry.Store) error {
			_, err := r.DropAlias(ctx, Project, "fraud", "champion", Epoch)
			return err
		}},
		{"unpin the last", func(ctx context.Context, r *registry.Store) error {
			_, err := r.UnpinModel(ctx, Project, model, Epoch)
			return err
		}},
		{"apply the first again", apply(first)},
	}
}

// failedOperationsLeaveNothing lets each use of a transaction fail in turn, until the operation succeeds.
func failedOperationsLeaveNothing(t *testing.T, s *Storage) {
	ctx, b := context.Background(), s.open(t)
	sound := registry.New(b)
	for _, op := range operations(t) {
		before := text(all(t, b, Project))
		uses := &failing{Backend: b}
		for fails := 0; ; fails++ {
			uses.left = fails
			err := op.do(ctx, registry.New(uses))
			if err == nil {
				break
			}
			if !errors.Is(err, fstore.ErrUnavailable) || fails > 500 {
				t.Fatalf("%s: %v", op.name, err)
			}
			if d := cmp.Diff(before, text(all(t, b, Project))); d != "" {
				t.Fatalf("%s, failed at use %d, has left something (-before +after)\n%s", op.name, fails, d)
			}
		}
		if cmp.Equal(before, text(all(t, b, Project))) {
			t.Errorf("%s has written nothing", op.name)
		}
		if err := readAll(ctx, sound); err != nil {
			t.Errorf("after %s: %v", op.name, err)
		}
	}
}

// failing is a Backend whose transactions fail after a number of uses.
type failing struct {
	registry.Backend
	left int
}

func (f *failing) use() error {
	if f.left--; f.left < 0 {
		return fstore.Errorf(fstore.ErrUnavailable, "the storage fails")
	}
	return nil
}

func (f *failing) Read(ctx context.Context, project string, do func(record.Tx) error) error {
	return f.Backend.Read(ctx, project, func(tx record.Tx) error { return do(failingTx{tx, f}) })
}

func (f *failing) Write(ctx context.Context, project string, do func(record.Tx) error) error {
	return f.Backend.Write(ctx, project, func(tx record.Tx) error { return do(failingTx{tx, f}) })
}

type failingTx struct {
	record.Tx
	of *failing
}

func (tx failingTx) Get(ctx context.Context, r record.Record) (bool, error) {
	if err := tx.of.use(); err != nil {
		return false, err
	}
	return tx.Tx.Get(ctx, r)
}

func (tx failingTx) List(ctx context.Context, r record.Record) iter.Seq2[record.Record, error] {
	return func(yield func(record.Record, error) bool) {
		for r, err := range tx.Tx.List(ctx, r) {
			if failed := tx.of.use(); failed != nil {
				r, err = nil, failed
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (tx failingTx) Put(ctx context.Context, r record.Record) error {
	if err := tx.of.use(); err != nil {
		return err
	}
	return tx.Tx.Put(ctx, r)
}

func (tx failingTx) Delete(ctx context.Context, r record.Record) error {
	if err := tx.of.use(); err != nil {
		return err
	}
	return tx.Tx.Delete(ctx, r)
}

// readAll asks a registry for everything. What is not there is fine; any other error is returned.
func readAll(ctx context.Context, r *registry.Store) error {
	_, commits := r.Commits(ctx, Project)
	_, lives := r.Lives(ctx, Project)
	_, sets := r.TrainingSets(ctx, Project)
	_, locks := r.Locks(ctx)
	_, set := r.TrainingSet(ctx, Project, "q4")
	_, _, published := r.Publication(ctx, Project, fstore.Publication{View: fstore.ViewRef{Name: "world", Version: 1}, Store: "s", Number: 7, Run: "a"})
	_, checks := r.Checks(ctx, Project, registry.KindView, fstore.ViewRef{Name: "world", Version: 1})
	s, err := r.Revision(ctx, Project)
	errs := []error{commits, lives, sets, locks, set, published, checks, err}
	if err == nil {
		s.Live()
		s.Entities()
		s.Sources()
		s.Views()
		s.OnDemand()
		s.Services()
		s.SentColumns()
		s.Versions("world")
		_, head := s.HeadService("churn")
		_, serving := s.ServingService("churn")
		_, first := s.ServiceVersion(fstore.ViewRef{Name: "churn", Version: 1})
		_, ride := s.ServingService("ride")
		_, headFeatures := s.HeadFeatures([]string{"customer_orders.*", "world@1.*", "fare.*", "trip@1.*"})
		_, servingFeatures := s.ServingFeatures([]string{"customer_orders.order_value", "world.*", "trip.hour"})
		errs = append(errs, head, serving, first, ride, headFeatures, servingFeatures)
		for _, m := range s.Models() {
			_, features := s.ModelFeatures(m.Ref)
			errs = append(errs, features)
		}
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, fstore.ErrNotFound) && !errors.Is(err, fstore.ErrNotReady) && !errors.Is(err, fstore.ErrInvalid) {
			return err
		}
	}
	return nil
}

// filled returns a storage with something of everything.
func filled(t *testing.T, s *Storage) (registry.Backend, []record.Record) {
	t.Helper()
	ctx, b := context.Background(), s.open(t)
	for _, op := range operations(t)[:11] {
		if err := op.do(ctx, registry.New(b)); err != nil {
			t.Fatalf("%s: %v", op.name, err)
		}
	}
	return b, all(t, b, Project)
}

// probe reads everything while the storage is spoilt, and says how it was.
func probe(b registry.Backend) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx := context.Background()
	r := registry.New(b)
	if err := readAll(ctx, r); err != nil {
		return err
	}
	if _, err := r.Promote(ctx, Project, nil, Epoch); err != nil {
		return err
	}
	return r.NoteIdle(ctx, Project, Epoch)
}

// undone is a backend in whose transactions one more change is made, and nothing is kept.
type undone struct {
	tx record.Tx
	registry.Backend
}

func (u undone) Read(_ context.Context, project string, do func(record.Tx) error) error {
	return u.Write(context.Background(), project, do)
}

func (u undone) Write(_ context.Context, project string, do func(record.Tx) error) error {
	if project != Project {
		return nil
	}
	return do(u.tx)
}
