package window

import (
	"math"
	"time"

	"github.com/fstore-dev/fstore"
)

// Span is the form of one window, in microseconds. The zero Length is a lifetime: it has no start, and its Hop means
// nothing.
type Span struct {
	Length int64
	Hop    int64 // at least 1
}

// Lifetime reports whether the window covers every event up to its end.
func (s Span) Lifetime() bool { return s.Length == 0 }

// Start returns the instant after which events count when the window is asked for at t: math.MinInt64 for a lifetime, or
// where it lies before the first instant that there is.
func (s Span) Start(t int64) int64 {
	if s.Lifetime() {
		return math.MinInt64
	}
	from := subtract(t, s.Length)
	if from == math.MinInt64 {
		return from
	}
	return scale(floor(from, s.Hop), s.Hop)
}

// Holds reports whether an event counts when the window is asked for at t.
func (s Span) Holds(event, t int64) bool {
	return event <= t && (s.Lifetime() || event > s.Start(t))
}

// Exit returns the first instant at which an event counts no more: math.MaxInt64 for a lifetime, or where it lies after the
// last instant that there is.
func (s Span) Exit(event int64) int64 {
	if s.Lifetime() {
		return math.MaxInt64
	}
	return add(scale(ceil(event, s.Hop), s.Hop), s.Length)
}

// Tile returns the index of the tile of an event: tile i holds the events with i*hop < event <= (i+1)*hop. A window that
// starts at i*hop covers the tiles from i on.
func Tile(event, hop int64) int64 { return ceil(event, hop) - 1 }

// MostTiles is into how many tiles a window may be cut where records hold tiles.
const MostTiles = 4096

// First returns the index of the tile with which a window starts when it is asked for at t: 0 for a lifetime, which has one.
func (s Span) First(t int64) int64 {
	if s.Lifetime() {
		return 0
	}
	return floor(subtract(t, s.Length), s.Hop)
}

// OldestStart returns the earliest start of windows that are asked for at t. A key whose newest event is not after it has no
// row.
func OldestStart(spans []Span, t int64) int64 {
	oldest := int64(math.MaxInt64)
	for _, s := range spans {
		oldest = min(oldest, s.Start(t))
	}
	return oldest
}

// hops are what a hop may be where none is stated.
var hops = []time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second,
	time.Minute, 5 * time.Minute, 15 * time.Minute,
	time.Hour, 6 * time.Hour,
	24 * time.Hour, 3 * 24 * time.Hour, 30 * 24 * time.Hour,
}

// DefaultHop returns the largest usual hop that is at most a twelfth of a window, or 0 where the window is shorter than
// twelve seconds. Each usual hop divides the next, so that the tiles of one window are made of those of another.
func DefaultHop(length fstore.Duration) fstore.Duration {
	var out fstore.Duration
	for _, h := range hops {
		if fstore.Duration(h) <= length/12 {
			out = fstore.Duration(h)
		}
	}
	return out
}

// floor returns the greatest integer that is at most x/by, below zero too. by is positive.
func floor(x, by int64) int64 {
	q := x / by
	if x%by < 0 {
		q--
	}
	return q
}

// ceil returns the least integer that is at least x/by, below zero too. by is positive.
func ceil(x, by int64) int64 {
	q := x / by
	if x%by > 0 {
		q++
	}
	return q
}

// subtract returns a-b, or math.MinInt64 where that is too low. b is not negative.
func subtract(a, b int64) int64 {
	if a < math.MinInt64+b {
		return math.MinInt64
	}
	return a - b
}

// add returns a+b, or math.MaxInt64 where that is too high. b is not negative.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// scale returns n*by, held between the least and the greatest int64. by is positive.
func scale(n, by int64) int64 {
	switch {
	case n > math.MaxInt64/by:
		return math.MaxInt64
	case n < math.MinInt64/by:
		return math.MinInt64
	}
	return n * by
}
