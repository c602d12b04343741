package offline

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/fstore-dev/fstore"
)

// ValueCheck looks at the values that a training set has for its labels, up to the instant of the last one; nil if there is no
// label. An error of kind fstore.ErrCheck ends the training set.
type ValueCheck func(ctx context.Context, last *time.Time, uses []UsedValues) error

// UsedValues are the values that labels see of one view by one key role, before defaults: a row for each label whose key has a
// value. They are valid until the ValueCheck returns.
type UsedValues struct {
	Version *fstore.ViewVersion
	Columns []fstore.Field // the join keys, the event time (without a name), and the features that are used
	Rows    iter.Seq2[*fstore.Batch, error]
}

// checkValues runs the check of values.
func (t *training) checkValues(ctx context.Context) error {
	last, err := t.lastLabel(ctx)
	if err != nil {
		return err
	}
	var uses []UsedValues
	for _, u := range t.uses {
		used := UsedValues{Version: u.Version}
		var selected []string
		add := func(f fstore.Field, x string) {
			selected = append(selected, fmt.Sprintf("%s AS c%d", x, len(selected)))
			used.Columns = append(used.Columns, f)
		}
		for k, b := range u.Keys {
			add(b.Key, "labels."+u.key(k))
		}
		add(fstore.Field{Type: fstore.Timestamp}, u.lookup.eventSQL(u))
		for _, name := range u.features {
			add(fstore.Field{Name: name, Type: u.Version.View.Feature(name).Type}, u.lookup.featureSQL(u, name))
		}
		sql := "SELECT\n  " + list(selected) + "\nFROM _at AS labels" + u.lookup.joinSQL(u) + "\nWHERE " + u.lookup.eventSQL(u) + " IS NOT NULL"
		used.Rows = func(yield func(*fstore.Batch, error) bool) {
			if err := t.each(ctx, sql, func(b *fstore.Batch) bool { return yield(b, nil) }); err != nil {
				yield(nil, err)
			}
		}
		uses = append(uses, used)
	}
	return t.req.Values(ctx, last, uses)
}
