package registry

import (
	"context"
	"fmt"

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
