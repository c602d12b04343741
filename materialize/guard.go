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
func (guard) Rules(*fstore.ViewVersion) string { return "guard 1" }

// Inspect implements Inspector.
func (guard) Inspect(*fstore.ViewVersion, time.Time) (Inspection, error) { return guard{}, nil }

// Rows implements Inspection. The run counts by itself.
func (guard) Rows(*fstore.Batch) error { return nil }

// Judge implements Inspection.
func (guard) Judge(_ context.Context, c Change) (Verdict, error) {
	var v Verdict
	if c.Previous == nil {
		return v, nil
	}
	lost, atLeast := c.Deleted, ""
	if c.NewGeneration {
		lost, atLeast = c.Previous.Keys-c.Publishes.Keys, "at least "
	}
	if was := c.Previous.Keys; was >= leastKeys && share(lost, was) > mostLost {
		v.Asks = append(v.Asks, Ask{"deleted keys", fmt.Sprintf("%s%s of %s published keys would be deleted", atLeast, english.Thousands(lost), english.Thousands(was))})
	}
	for _, feature := range slices.Sorted(maps.Keys(c.Publishes.Nulls)) {
		was, known := c.Previous.Nulls[feature]
		before, after := share(was, c.Previous.Keys), share(c.Publishes.Nulls[feature], c.Publishes.Keys)
		if known && c.Previous.Keys > 0 && before < fewNulls && after > manyNulls {
			v.Asks = append(v.Asks, Ask{"nulls of " + feature, fmt.Sprintf("%s would be null for %s of the keys, after %s", feature, percent(after), percent(before))})
		}
	}
	return v, nil
}

func share(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }
