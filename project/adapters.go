package project

import (
	"context"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/verify"
)

// Sink is the write side of the online store, for materialize.
type Sink struct{ *online.Store }

// Encoder returns the encoder of the rows of a view version for a generation.
func (s Sink) Encoder(v *fstore.ViewVersion, g fstore.Generation) (materialize.Encoder, error) {
	return s.Store.Encoder(v, g)
}

// verifiable is the read side of the online store, for verify.
type verifiable struct{ *online.Store }

func (s verifiable) Decoder(v *fstore.ViewVersion, p fstore.Pointer) (verify.Decoder, error) {
	return s.Store.Decoder(v, p)
}

// Leases are this process's leases in a project's registry, for materialize.
type Leases struct {
	db      *registry.Store
	project string
}

// NewLeases returns the leases of this process.
func NewLeases(db *registry.Store, project string) *Leases { return &Leases{db, project} }

// Acquire implements materialize.Leases.
func (l *Leases) Acquire(ctx context.Context, view fstore.ViewRef, ttl time.Duration, now time.Time) (string, error) {
	return l.db.AcquireLease(ctx, l.project, view.String(), ttl, now)
}

// Renew implements materialize.Leases.
func (l *Leases) Renew(ctx context.Context, view fstore.ViewRef, token string, ttl time.Duration, now time.Time) error {
	return l.db.RenewLease(ctx, l.project, view.String(), token, ttl, now)
}

// Release implements materialize.Leases.
func (l *Leases) Release(ctx context.Context, view fstore.ViewRef, token string) error {
	return l.db.ReleaseLease(ctx, l.project, view.String(), token)
}

// publications are the counts in a project's registry, for materialize.
type publications struct {
	db      *registry.Store
	rev     *registry.Revision
	project string
	store   string
}

func (p publications) Record(ctx context.Context, of fstore.Publication) error {
	of.Store = p.store
	return p.db.RecordPublication(ctx, p.project, of)
}

func (p publications) Published(ctx context.Context, view fstore.ViewRef, at fstore.Pointer) (fstore.Publication, bool, error) {
	return p.db.Publication(ctx, p.project, fstore.Publication{View: view, Store: p.store, Number: at.Number, Run: at.Run})
}

func (p publications) Replaces(v fstore.ViewRef) (fstore.ViewRef, bool) { return p.rev.Replaces(v) }

// Clock sleeps by the machine's clock and returns the time of a function.
type Clock struct{ Time func() time.Time }

// Now tells the time.
func (c Clock) Now() time.Time { return c.Time() }

// Sleep waits for d, or until ctx ends.
func (c Clock) Sleep(ctx context.Context, d time.Duration) error {
	return fstore.Sleep(ctx, d)
}
