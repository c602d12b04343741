package materialize

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
)

// guard is the inspector of every run. It asks before a run that looks like an accident: a source that is half empty, or a
// column that a change upstream has turned to nulls.
type guard struct{}

// The bounds of the guard. Below leastKeys published keys, a share says little.
const (
	leastKeys = 100
	mostLost  = 0.5  // share of the published keys that a run may delete
	fewNulls  = 0.01 // a feature whose share of nulls was below this
	manyNulls = 0.5  // is not expected to have more than this
)

// Rules implements Inspector. The number changes with what the guard asks about.
func (guard) Rules(*fstore.ViewVersion) string { return "guard 2" }

// Inspect implements Inspector.
func (guard) Inspect(*fstore.ViewVersion, time.Time) (Inspection, error) { return guard{}, nil }

// Rows implements Inspection. The run counts by itself.
func (guard) Rows(*fstore.Batch) error { return nil }

// Judge implements Inspection.
func (guard) Judge(ctx context.Context, c Change) (v Verdict, err error) {
	if c.Previous == nil {
		return v, nil
	}
	if v.Asks, err = askAboutKeys(ctx, c); err != nil {
		return v, err
	}
	nulls, err := askAboutNulls(ctx, c)
	v.Asks = append(v.Asks, nulls...)
	return v, err
}

func askAboutKeys(ctx context.Context, c Change) ([]Ask, error) {
	was := c.Previous.Keys
	if was < leastKeys {
		return nil, nil
	}
	lost, atLeast, err := c.Lost(ctx, int64(mostLost*float64(was)))
	if err != nil || share(lost, was) <= mostLost {
		return nil, err
	}
	text := fmt.Sprintf("%s of %s published keys would be deleted", english.Thousands(lost), english.Thousands(was))
	if atLeast {
		text = "at least " + text
	}
	return []Ask{{"deleted keys", text}}, nil
}

func askAboutNulls(ctx context.Context, c Change) (asks []Ask, err error) {
	was, is := c.Previous, c.Publishes
	var features []string
	for _, f := range slices.Sorted(maps.Keys(is.Nulls)) {
		if _, known := was.Nulls[f]; known && was.Keys > 0 && share(was.Nulls[f], was.Keys) < fewNulls && share(is.Nulls[f], is.Keys) > manyNulls {
			features = append(features, f)
		}
	}
	if len(features) == 0 {
		return nil, nil
	}
	emptied, err := c.emptied(ctx, features)
	for _, f := range features {
		if now := share(is.Nulls[f]-emptied[f], is.Keys); now > manyNulls {
			text := fmt.Sprintf("%s would be null for %s of the keys, up from %s", f, english.Percent(now), english.Percent(share(was.Nulls[f], was.Keys)))
			asks = append(asks, Ask{"nulls of " + f, text})
		}
	}
	return asks, err
}

func share(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}
