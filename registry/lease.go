package registry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// AcquireLease takes the lease of a name for this process until now + ttl and returns its token. The error is
// ErrConflict, naming the holder, while another process holds it. A holder that is gone loses the lease at once if the
// backend can tell; any other loses it when it expires.
func (r *Store) AcquireLease(ctx context.Context, project, name string, ttl time.Duration, now time.Time) (string, error) {
	lease, err := r.newLease(name, now.Add(ttl))
	if err == nil {
		err = r.backend.Write(ctx, project, func(tx record.Tx) error {
			if err := r.checkFree(ctx, tx, name, now); err != nil {
				return err
			}
			return tx.Put(ctx, lease)
		})
	}
	if err != nil {
		return "", wrap("lease "+name, err)
	}
	return lease.Token, nil
}

func (r *Store) newLease(name string, expires time.Time) (*record.Lease, error) {
	self, err := r.backend.Self()
	if err != nil {
		return nil, err
	}
	return &record.Lease{Name: name, Token: newToken(), Holder: self, Expires: fstore.Micros(expires)}, nil
}

// newToken returns a text that nobody else makes.
func newToken() string {
	var token [16]byte
	_, _ = rand.Read(token[:]) // never fails
	return hex.EncodeToString(token[:])
}

// checkFree returns ErrConflict while the lease is held by a process that may be alive.
func (r *Store) checkFree(ctx context.Context, tx record.Tx, name string, now time.Time) error {
	lease := &record.Lease{Name: name}
	if held, err := tx.Get(ctx, lease); err != nil || !held {
		return err
	}
	holder, err := r.backend.Holder(lease.Holder)
	if err != nil || holder.Gone || lease.Expires <= fstore.Micros(now) {
		return err
	}
	return fstore.Errorf(fstore.ErrConflict, "it is held by %s until %s", holder.Name, fstore.FormatTime(fstore.FromMicros(lease.Expires))).
		WithHint("wait for it with --wait 10m")
}

// RenewLease holds a lease until now + ttl. The error is ErrConflict if another process has taken it.
func (r *Store) RenewLease(ctx context.Context, project, name, token string, ttl time.Duration, now time.Time) error {
	err := r.backend.Write(ctx, project, func(tx record.Tx) error {
		lease := &record.Lease{Name: name}
		held, err := tx.Get(ctx, lease)
		if err != nil {
			return err
		}
		if !held || lease.Token != token {
			return fstore.Errorf(fstore.ErrConflict, "another process has taken it")
		}
		lease.Expires = fstore.Micros(now.Add(ttl))
		return tx.Put(ctx, lease)
	})
	return wrap("renew lease "+name, err)
}

// ReleaseLease gives a lease back. Releasing a lost lease is not an error.
func (r *Store) ReleaseLease(ctx context.Context, project, name, token string) error {
	err := r.backend.Write(ctx, project, func(tx record.Tx) error {
		lease := &record.Lease{Name: name}
		if held, err := tx.Get(ctx, lease); err != nil || !held || lease.Token != token {
			return err
		}
		return tx.Delete(ctx, lease)
	})
	return wrap("release lease "+name, err)
}

// DropLeases forgets leases that expired before an instant, and returns their names.
func (r *Store) DropLeases(ctx context.Context, project string, before time.Time) ([]string, error) {
	var names []string
	err := r.backend.Write(ctx, project, func(tx record.Tx) error {
		leases, err := collect(records[record.Lease](ctx, tx))
		if err != nil {
			return err
		}
		for _, l := range leases {
			if l.Expires >= fstore.Micros(before) {
				continue
			}
			if err := tx.Delete(ctx, l); err != nil {
				return err
			}
			names = append(names, l.Name)
		}
		return nil
	})
	slices.Sort(names)
	return names, wrap("drop leases", err)
}
