package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// Backend keeps the records of projects. It must be safe for concurrent use, by several processes where its storage
// is. Package registrytest holds every Backend to the same suite.
//
// Its errors are *fstore.Error: ErrUnavailable where the same call may succeed later, ErrInvalid where the settings or
// the rights are wrong, ErrCorrupt where the storage is damaged. If the context ends, the error is the context's.
type Backend interface {
	// Read calls do with a transaction that sees one state of a project, and returns do's error. It does not wait for
	// writers. The transaction is not written to.
	Read(ctx context.Context, project string, do func(record.Tx) error) error

	// Write calls do with a transaction. No other Write to the project runs at the same time, in any process. If do
	// returns nil, everything it wrote is kept, durably as far as the backend is durable; else nothing is.
	Write(ctx context.Context, project string, do func(record.Tx) error) error

	// Projects returns the projects that have a record of their own or a training set.
	Projects(ctx context.Context) ([]string, error)

	// Self returns this process as the holder of leases.
	Self() (record.Holder, error)

	// Holder says who a holder is, and whether that process is certainly gone as far as this process can see.
	Holder(record.Holder) (record.HolderState, error)

	// Close releases what the backend holds. Later calls return ErrUnavailable.
	Close() error
}

// Store is a registry: the rules of versions, pins, training sets and leases over a Backend. Its methods are safe for
// concurrent use.
type Store struct{ backend Backend }

// New returns the registry in a backend.
func New(b Backend) *Store { return &Store{b} }

// Close closes the backend.
func (r *Store) Close() error { return r.backend.Close() }

// recordOf is a pointer to a struct that is a record.
type recordOf[T any] interface {
	*T
	record.Record
}

// records returns the records of a type, in the order of Tx.List.
func records[T any, R recordOf[T]](ctx context.Context, tx record.Tx) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for r, err := range tx.List(ctx, R(new(T))) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(r.(R), nil) {
				return
			}
		}
	}
}

// collect returns what a loop over records yields.
func collect[R any](all iter.Seq2[R, error]) (out []R, err error) {
	for r, err := range all {
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// wrap says what was being done.
func wrap(doing string, err error) error {
	var known *fstore.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		c := *known
		c.Message = doing + ": " + c.Message
		return &c
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fstore.Errorf(fstore.ErrUnavailable, "%s: %s", doing, err)
}
