package registry

import (
	"context"

	"github.com/fstore-dev/fstore/registry/record"
)

// Watcher looks at one project of a registry again and again, whatever becomes of the registry's storage: it may be away
// for a while, and may be replaced by another one, such as a copy that is restored. It keeps nobody from replacing it.
// One goroutine uses a Watcher at a time.
type Watcher interface {
	// Look returns the state of the project. It costs little while nothing changes. The error is ErrUnavailable if the
	// registry is away, ErrNotReady if it has not the project that an earlier one had, or what opening it returns.
	Look(ctx context.Context) (record.Seen, error)

	// Read is as Backend.Read of the project.
	Read(ctx context.Context, do func(record.Tx) error) error
}

// Follower follows one project of a registry.
type Follower struct {
	Watcher
	project string
}

// Follow returns a Follower of the project that a Watcher watches.
func Follow(w Watcher, project string) *Follower { return &Follower{w, project} }

// Revision reads the project as it is now.
func (f *Follower) Revision(ctx context.Context) (*Revision, error) {
	return readRevision(ctx, f.project, f.Read)
}
