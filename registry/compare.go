package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore"
)

// CompareVersions lists what two versions of a view say differently, as a plan does. Either may be nil.
func CompareVersions(ctx context.Context, engine Engine, old, now *fstore.ViewVersion) []FieldChange {
	f := &differ{ctx: ctx, prints: newFingerprinter(engine)}
	return f.compare(viewVersionFields(old), viewVersionFields(now))
}

// Contradicted returns the first of some view versions whose definition is not the one that its fingerprint is of; nil if
// there is none. Fingerprints of another build may have another algorithm.
func Contradicted(ctx context.Context, engine Engine, versions []*fstore.ViewVersion) (*fstore.ViewVersion, error) {
	prints := newFingerprinter(engine)
	for _, v := range versions {
		print, err := prints.view(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("view %s: %w", v.Ref, err)
		}
		if print != v.Fingerprint {
			return v, nil
		}
	}
	return nil, nil
}

// CheckLockedSQL returns an error unless the gate that definitions go through lets a query pass, and the query reads
// nothing but the inputs. Locks come from elsewhere, and their SQL is run.
func CheckLockedSQL(ctx context.Context, engine Engine, name, sql string, inputs []string) error {
	root, err := newFingerprinter(engine).tree(ctx, sql)
	if err != nil {
		return fstore.Errorf(fstore.ErrInvalid, "%s: %s", name, firstLine(err.Error()))
	}
	q := inspect(root, sql)
	if len(q.refused) > 0 {
		f := q.refused[0]
		return fstore.Errorf(fstore.ErrInvalid, "%s: %s", fstore.PosIn(name, sql, f.offset), f.message).WithHint("%s", f.hint)
	}
	for _, t := range q.tables {
		if !slices.Contains(inputs, fold(t.name)) {
			return fstore.Errorf(fstore.ErrInvalid, "%s: the lock has no source or view %q", fstore.PosIn(name, sql, t.offset), t.name).WithHint("%s", DidYouMean(t.name, inputs))
		}
	}
	return nil
}
