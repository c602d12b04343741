package law

import (
	"bytes"
	"cmp"
	"math"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// The oracle: what point-in-time means, by brute force. It is the specification that every engine is held to,
// so it is written to be read and checked, not to be fast. All times are UTC microseconds.

// row is one row of a view's history.
type row struct {
	key     []any  // in the order of View.Keys
	event   *int64 // nil: null, or the view is static
	created *int64 // nil: null, or there is no such column
	values  []any  // in the order of View.Record, that is by feature name
}

// outcome says why a label has the value it has.
type outcome string

const (
	found        outcome = "found"
	stale        outcome = "stale"
	notAvailable outcome = "there was a row by T, but not yet available or published"
	noRow        outcome = "no row"
)

// lookup answers one label: the row with its key that was visible at P(t) and has the greatest (event,
// created), unless that row is older than the ttl.
func lookup(v *fstore.View, history []row, key []any, t int64) (*row, outcome) {
	newest := newestAt(v, history, key, publishedBy(v, t))
	switch {
	case newest == nil && happenedBy(v, history, key, t) == nil:
		return nil, noRow
	case newest == nil:
		return nil, notAvailable
	case v.TTL != nil && *newest.event < t-v.TTL.Micros():
		return nil, stale
	}
	return newest, found
}

// publishedBy is P(t).
func publishedBy(v *fstore.View, t int64) int64 {
	return fstore.Micros(v.Publish.Servable(fstore.FromMicros(t)))
}

// newestAt is the newest row of a key that was visible at p.
func newestAt(v *fstore.View, history []row, key []any, p int64) *row {
	return newestOf(v, history, key, func(r *row) bool { return visible(v, r, p) })
}

// happenedBy is the newest row of a key whose event is not after t, whether it was available or not.
func happenedBy(v *fstore.View, history []row, key []any, t int64) *row {
	return newestOf(v, history, key, func(r *row) bool { return v.Static() || r.event != nil && *r.event <= t })
}

func newestOf(v *fstore.View, history []row, key []any, counts func(*row) bool) *row {
	var newest *row
	for i := range history {
		if r := &history[i]; sameKey(r.key, key) && counts(r) && (newest == nil || newer(v, r, newest)) {
			newest = r
		}
	}
	return newest
}

// late: a label has a value, and a newer row had happened by t that became available after t.
func late(v *fstore.View, history []row, key []any, t int64) bool {
	_, why := lookup(v, history, key, t)
	return why == found && happenedBy(v, history, key, t) != newestAt(v, history, key, t)
}

// unpublished: a label has a value, and a newer row was available by t that was not published by then.
func unpublished(v *fstore.View, history []row, key []any, t int64) bool {
	_, why := lookup(v, history, key, t)
	return why == found && newestAt(v, history, key, t) != newestAt(v, history, key, publishedBy(v, t))
}

// sameKey: a null part matches nothing, not even a null.
func sameKey(a, b []any) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil || order(a[i], b[i]) != 0 {
			return false
		}
	}
	return true
}

// visible: the row was true and known at p. A static row always was; a row without an event time never is.
func visible(v *fstore.View, r *row, p int64) bool {
	if v.Static() {
		return true
	}
	if r.event == nil {
		return false
	}
	available := *r.event + v.Available.Lag.Micros()
	if v.Available.Created {
		available = known(r)
	}
	return *r.event <= p && available <= p
}

// known is the created time; where it is null the row was known when it happened.
func known(r *row) int64 {
	if r.created == nil {
		return *r.event
	}
	return *r.created
}

// newer orders visible rows of one key by event, then created, then all features by name.
func newer(v *fstore.View, a, b *row) bool {
	if !v.Static() {
		if c := cmp.Compare(*a.event, *b.event); c != 0 {
			return c > 0
		}
		if c := cmp.Compare(known(a), known(b)); c != 0 {
			return c > 0
		}
	}
	for i := range a.values {
		if c := order(a.values[i], b.values[i]); c != 0 {
			return c > 0
		}
	}
	return false
}

// order compares two values of one type: null lowest, NaN highest, -0 equal to 0, lists by their elements.
func order(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	switch a := a.(type) {
	case bool:
		return cmp.Compare(b2i(a), b2i(b.(bool)))
	case int32:
		return cmp.Compare(a, b.(int32))
	case int64:
		return cmp.Compare(a, b.(int64))
	case float32:
		return orderFloats(float64(a), float64(b.(float32)))
	case float64:
		return orderFloats(a, b.(float64))
	case string:
		return strings.Compare(a, b.(string))
	case []byte:
		return bytes.Compare(a, b.([]byte))
	case time.Time:
		return a.Compare(b.(time.Time))
	case []float32:
		bs := b.([]float32)
		for i := 0; i < len(a) && i < len(bs); i++ {
			if c := orderFloats(float64(a[i]), float64(bs[i])); c != 0 {
				return c
			}
		}
		return cmp.Compare(len(a), len(bs))
	}
	panic("law: no order for this type")
}

func orderFloats(a, b float64) int {
	switch {
	case math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(a):
		return 1
	case math.IsNaN(b):
		return -1
	}
	return cmp.Compare(a, b)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
