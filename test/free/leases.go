// Package free provides leases that nobody contests, for runs without a registry.
package free

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	fstore "github.com/fstore-dev/fstore"
)

// Leases implements materialize.Leases. Every token is another.
type Leases struct{ given atomic.Int64 }

// Acquire always succeeds.
func (l *Leases) Acquire(context.Context, fstore.ViewRef, time.Duration, time.Time) (string, error) {
	return fmt.Sprintf("token %d", l.given.Add(1)), nil
}

// Renew always succeeds.
func (*Leases) Renew(context.Context, fstore.ViewRef, string, time.Duration, time.Time) error {
	return nil
}

// Release always succeeds.
func (*Leases) Release(context.Context, fstore.ViewRef, string) error { return nil }
