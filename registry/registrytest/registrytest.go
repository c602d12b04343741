// Package registrytest is the conformance suite of registry.Backend.
package registrytest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/record"
)

// Storage is what the backends of several processes share.
type Storage struct {
	Open     func(t testing.TB) registry.Backend                 // as one more process; the suite closes it
	Watch    func(t testing.TB, project string) registry.Watcher // of the same storage
	Far      record.Holder                                       // a process that may be alive
	Dead     record.Holder                                       // a process that is certainly gone
	Nonsense record.Holder                                       // what no backend writes; empty if the backend reads anything
}

// Run runs the suite. Each test has a new, empty storage.
func Run(t *testing.T, newStorage func(t testing.TB) *Storage) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s *Storage)
	}{
		{"every record comes back as it was put", everyRecordComesBack},
		{"a record is replaced and deleted by its key", recordsAreFoundByTheirKeys},
		{"names and texts may be anything", namesMayBeAnything},
		{"commits and training sets are listed newest first", newestAreFirst},
		{"projects are apart", projectsAreApart},
		{"a loop over records may end early", loopsMayEndEarly},
		{"a transaction happens or does not", transactionsHappenOrDoNot},
		{"random transactions agree with a map", randomTransactionsAgree},
		{"a write sees what it wrote", writesSeeTheirOwn},
		{"a read sees one state", readsSeeOneState},
		{"a read does not wait for a writer", readsDoNotWait},
		{"no update is lost", noUpdateIsLost},
		{"a context that has ended", endedContexts},
		{"a closed backend", closedBackends},
		{"leases", leases},
		{"one of many gets a lease", oneGetsTheLease},
		{"the latest outcomes of checks are kept", latestChecksAreKept},
		{"the latest publications are kept", latestPublicationsAreKept},
		{"a watcher sees each revision", watchersSeeEachRevision},
		{"an operation that fails anywhere leaves nothing", failedOperationsLeaveNothing},
		{"a damaged record is an error and no panic", damagedRecords},
		{"a missing record is an error and no panic", missingRecords},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, newStorage(t)) })
	}
}

// open opens the storage as one more process.
func (s *Storage) open(t testing.TB) registry.Backend {
	t.Helper()
	b := s.Open(t)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// types has an empty record of each type, each after those that it refers to.
func types() []record.Record {
	return []record.Record{
		&record.Project{}, &record.Version{}, &record.Head{}, &record.Serving{}, &record.Commit{}, &record.TrainingSet{},
		&record.Lock{}, &record.Model{}, &record.Alias{}, &record.Idle{}, &record.Publication{}, &record.Expected{}, &record.Checked{},
		&record.Monitored{}, &record.Alert{}, &record.Lease{},
	}
}

// write runs do in a transaction that must succeed.
func write(t testing.TB, b registry.Backend, project string, do func(ctx context.Context, tx record.Tx) error) {
	t.Helper()
	ctx := context.Background()
	if err := b.Write(ctx, project, func(tx record.Tx) error { return do(ctx, tx) }); err != nil {
		t.Fatal(err)
	}
}

// put puts records in one transaction.
func put(t testing.TB, b registry.Backend, project string, records ...record.Record) {
	t.Helper()
	write(t, b, project, func(ctx context.Context, tx record.Tx) error {
		for _, r := range records {
			if err := tx.Put(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// all returns the records of a project.
func all(t testing.TB, b registry.Backend, project string) (out []record.Record) {
	t.Helper()
	ctx := context.Background()
	err := b.Read(ctx, project, func(tx record.Tx) (err error) {
		out, err = allIn(ctx, tx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func allIn(ctx context.Context, tx record.Tx) (out []record.Record, err error) {
	for _, like := range types() {
		for r, err := range tx.List(ctx, like) {
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// text shows records, sorted.
func text(records []record.Record) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = fmt.Sprintf("%T%+v", r, r)
	}
	slices.Sort(out)
	return out
}

// same fails the test unless a project has exactly these records.
func same(t testing.TB, b registry.Backend, project string, want []record.Record) {
	t.Helper()
	if d := cmp.Diff(text(want), text(all(t, b, project))); d != "" {
		t.Errorf("project %q (-want +got)\n%s", project, d)
	}
}

// revision reads the revision of a project in a transaction.
func revision(ctx context.Context, tx record.Tx) (int64, error) {
	var p record.Project
	_, err := tx.Get(ctx, &p)
	return p.Revision, err
}
