package main

import (
	"context"

	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/registry"
)

// unneededSnapshots returns the inputs that are kept (training-set create --snapshot) and that no lock in the registry
// needs, of any project. The caller closes it: until then no training set with a snapshot is made.
// The error is ErrConflict while one is.
func unneededSnapshots(ctx context.Context, s *Settings, db *registry.DB) (*offline.Sweep, error) {
	return offline.NewSnapshots(s.Snapshots).Sweep(func() ([][]byte, error) { return db.Locks(ctx) })
}
