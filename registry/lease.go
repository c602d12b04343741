package registry

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fstore-dev/fstore"
)

// Holder is the process that holds a lease.
type Holder struct {
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	Started string `json:"started,omitempty"` // tells the process from a later one of the same PID
	Space   string `json:"space,omitempty"`   // of process ids: in another one, PID is somebody else
}

func (h Holder) String() string { return fmt.Sprintf("process %d on %s", h.PID, h.Host) }

// AcquireLease takes the lease of a name until now + ttl and returns its token. The error is ErrConflict, naming
// the holder, while another process holds it. A holder whose process is gone loses it at once, where that can be
// seen, which is on the same host; any other loses it when it expires.
func (r *DB) AcquireLease(ctx context.Context, project, name string, holder Holder, ttl time.Duration, now time.Time) (string, error) {
	token, err := newToken()
	if err != nil {
		return "", err
	}
	me, err := json.Marshal(holder)
	if err != nil {
		return "", err
	}
	err = r.write(ctx, func(tx *sql.Tx) error {
		if err := heldByOther(ctx, tx, project, name, holder, now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			insert into leases values (?, ?, ?, ?, ?)
			on conflict do update set token = excluded.token, holder = excluded.holder, expires = excluded.expires`,
			project, name, token, string(me), fstore.Micros(now.Add(ttl)))
		return err
	})
	if err != nil {
		return "", wrap("lease "+name, err)
	}
	return token, nil
}

func newToken() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// heldByOther returns ErrConflict while the lease is held by a process that may be alive.
func heldByOther(ctx context.Context, tx *sql.Tx, project, name string, me Holder, now time.Time) error {
	var holder Holder
	var raw []byte
	var expires int64
	err := tx.QueryRowContext(ctx, "select holder, expires from leases where project = ? and name = ?", project, name).Scan(&raw, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &holder); err != nil {
		return fstore.Errorf(fstore.ErrCorrupt, "its holder: %s", err)
	}
	if expires <= fstore.Micros(now) || gone(holder, me) {
		return nil
	}
	return fstore.Errorf(fstore.ErrConflict, "it is held by %s until %s", holder, fstore.FormatTime(fstore.FromMicros(expires))).
		WithHint("wait for it with --wait 10m")
}

// RenewLease holds a lease until now + ttl. The error is ErrConflict if another process has taken it.
func (r *DB) RenewLease(ctx context.Context, project, name, token string, ttl time.Duration, now time.Time) error {
	result, err := r.db.ExecContext(ctx, "update leases set expires = ? where project = ? and name = ? and token = ?",
		fstore.Micros(now.Add(ttl)), project, name, token)
	if err != nil {
		return wrap("renew lease "+name, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return wrap("renew lease "+name, err)
	}
	return fstore.Errorf(fstore.ErrConflict, "renew lease %s: another process has taken it", name)
}

// ReleaseLease gives a lease back. One that was lost already is nothing to say.
func (r *DB) ReleaseLease(ctx context.Context, project, name, token string) error {
	_, err := r.db.ExecContext(ctx, "delete from leases where project = ? and name = ? and token = ?", project, name, token)
	return wrap("release lease "+name, err)
}
