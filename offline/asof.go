package offline

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/fstore-dev/fstore"
)

// AsOf returns the values of a view as of p: one row per key, in key order, in batches of any size. The columns are the
// join keys in name order, the event time (all null for a static view), and the features in name order, each in its
// declared type; for a sawtooth view the columns of its records (View.Record). Address columns by position. AsOf leaves out keys with a null part and stale values, and fills in no
// defaults. SQL runs over its sources cut to the rows that are visible at p.
//
// If a value does not fit its declared type, the error says where the value is. Batches do not share memory.
func (e *Engine) AsOf(ctx context.Context, v *fstore.ViewVersion, p time.Time) iter.Seq2[*fstore.Batch, error] {
	return func(yield func(*fstore.Batch, error) bool) {
		if err := e.asOf(ctx, v, p, yield); err != nil {
			yield(nil, fmt.Errorf("compute %s as of %s: %w", v.Ref, fstore.FormatTime(p), err))
		}
	}
}

func (e *Engine) asOf(ctx context.Context, v *fstore.ViewVersion, p time.Time, yield func(*fstore.Batch, error) bool) error {
	s, err := e.sessionFor(ctx, v, nil)
	if err != nil {
		return err
	}
	defer s.close()
	l, err := e.lookups(ctx, s, v, cut{visible: &p})
	if err != nil {
		return err
	}
	return l.asOf(ctx, p, func(b *fstore.Batch) bool {
		nameColumns(b, &v.View)
		return yield(b, nil)
	})
}

// nameColumns gives the columns of an as-of batch their names.
func nameColumns(b *fstore.Batch, v *fstore.View) {
	n := len(v.Keys)
	for i, k := range v.Keys {
		b.Columns[i].Name = k.Name
	}
	b.Columns[n].Name = "event"
	for i, f := range v.Record() {
		b.Columns[n+1+i].Name = f.Name
	}
}
