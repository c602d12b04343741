package registry

import (
	"context"

	"github.com/fstore-dev/fstore"
)

// CompareVersions lists what two versions of a view say differently, as a plan does. Either may be nil.
func CompareVersions(ctx context.Context, engine Engine, old, now *fstore.ViewVersion) []FieldChange {
	f := &differ{ctx: ctx, prints: newFingerprinter(engine)}
	return f.compare(viewVersionFields(old), viewVersionFields(now))
}

// CheckLockedSQL returns an error unless the gate that definitions go through lets a query pass. Locks come from
// elsewhere, and their SQL is run: it may read what it names, and nothing else.
func CheckLockedSQL(ctx context.Context, engine Engine, name, sql string) error {
	root, err := newFingerprinter(engine).tree(ctx, sql)
	if err != nil {
		return fstore.Errorf(fstore.ErrInvalid, "%s: %s", name, firstLine(err.Error()))
	}
	if q := inspect(root, sql); len(q.refused) > 0 {
		f := q.refused[0]
		return fstore.Errorf(fstore.ErrInvalid, "%s: %s", fstore.PosIn(name, sql, f.offset), f.message).WithHint("%s", f.hint)
	}
	return nil
}
