package registry

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
)

// writeIdle notes which view versions stopped being live with the change that the transaction has made to before, and
// forgets those that are live again.
func writeIdle(ctx context.Context, tx *sql.Tx, project string, before *state, now time.Time) error {
	after, err := readState(ctx, tx, project)
	if err != nil {
		return err
	}
	was, is := before.live(), after.live()
	for ref := range was {
		if is[ref] == nil {
			if err := setIdle(ctx, tx, project, ref, now); err != nil {
				return err
			}
		}
	}
	for ref := range is {
		if was[ref] == nil {
			if _, err := tx.ExecContext(ctx, "delete from idle where project = ? and name = ? and version = ?", project, ref.Name, ref.Version); err != nil {
				return err
			}
		}
	}
	return nil
}

func setIdle(ctx context.Context, tx *sql.Tx, project string, ref fstore.ViewRef, since time.Time) error {
	_, err := tx.ExecContext(ctx, "insert into idle values (?, ?, ?, ?) on conflict do nothing", project, ref.Name, ref.Version, fstore.Micros(since))
	return err
}

// ViewLife says whether a view version is live, and if it is not, since when.
type ViewLife struct {
	Ref         fstore.ViewRef
	Fingerprint string
	Live        bool
	Idle        time.Time // zero where it is live, or where it is not known since when it is not
}

// Lives returns every view version there ever was, by name and version.
func (r *DB) Lives(ctx context.Context, project string) (out []ViewLife, err error) {
	err = r.read(ctx, func(tx *sql.Tx) error {
		s, err := readState(ctx, tx, project)
		if err != nil {
			return err
		}
		out, err = lives(ctx, tx, project, s)
		return err
	})
	return out, wrap("read registry", err)
}

// NoteIdle writes now down for the view versions of which it is not known since when they are not live: an older
// fstore did not note it.
func (r *DB) NoteIdle(ctx context.Context, project string, now time.Time) error {
	err := r.write(ctx, func(tx *sql.Tx) error {
		s, err := readState(ctx, tx, project)
		if err != nil {
			return err
		}
		live := s.live()
		for ref := range s.views {
			if live[ref] == nil {
				if err := setIdle(ctx, tx, project, ref, now); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return wrap("write registry", err)
}

func lives(ctx context.Context, tx *sql.Tx, project string, s *state) ([]ViewLife, error) {
	since := map[fstore.ViewRef]time.Time{}
	rows, err := tx.QueryContext(ctx, "select name, version, since from idle where project = ?", project)
	if err != nil {
		return nil, err
	}
	if err := each(rows, func() error {
		var ref fstore.ViewRef
		var micros int64
		if err := rows.Scan(&ref.Name, &ref.Version, &micros); err != nil {
			return err
		}
		since[ref] = fstore.FromMicros(micros)
		return nil
	}); err != nil {
		return nil, err
	}
	live := s.live()
	var out []ViewLife
	for _, ref := range slices.SortedFunc(maps.Keys(s.views), fstore.ViewRef.Compare) {
		l := ViewLife{Ref: ref, Fingerprint: s.views[ref].Fingerprint, Live: live[ref] != nil}
		if !l.Live {
			l.Idle = since[ref]
		}
		out = append(out, l)
	}
	return out, nil
}

// DropLeases forgets leases that expired before an instant, and returns their names.
func (r *DB) DropLeases(ctx context.Context, project string, before time.Time) ([]string, error) {
	rows, err := r.db.QueryContext(ctx, "delete from leases where project = ? and expires < ? returning name", project, fstore.Micros(before))
	if err != nil {
		return nil, wrap("drop leases", err)
	}
	var names []string
	err = each(rows, func() error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})
	slices.Sort(names)
	return names, wrap("drop leases", err)
}
