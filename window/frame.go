package window

import (
	"slices"

	"github.com/fstore-dev/fstore"
)

// frame is one window of a series, for one key: the rows that are in it, and what its features need of them.
type frame[V value] struct {
	span     Span
	start    int64    // of the last instant asked for: events count after it
	queue    queue[V] // the rows in it, but for a lifetime, which no row leaves
	first    entry[V] // of a lifetime: the oldest row
	rows     int64    // in it, nulls too
	parts    []accumulator[V]
	least    *extreme[V] // nil: no feature asks for it
	greatest *extreme[V]
}

// accumulator holds something of the values in a frame, nulls aside.
type accumulator[V value] interface {
	reset()
	enter(v V)
	leave(v V)
}

func (f *frame[V]) extremes() []*extreme[V] { return []*extreme[V]{f.least, f.greatest} }

func (f *frame[V]) reset() {
	f.queue.reset()
	f.rows = 0
	for _, a := range f.parts {
		a.reset()
	}
	for _, x := range f.extremes() {
		if x != nil {
			x.reset()
		}
	}
}

// enter takes a row. One that has left the window already leaves when the frame advances.
func (f *frame[V]) enter(e *entry[V]) {
	f.rows++
	switch {
	case !f.span.Lifetime():
		f.queue.push(*e)
	case f.rows == 1 || e.compare(&f.first) < 0:
		f.first = *e
	}
	if e.null {
		return
	}
	for _, a := range f.parts {
		a.enter(e.value)
	}
	for _, x := range f.extremes() {
		if x != nil {
			x.enter(e, f.span.Lifetime())
		}
	}
}

// advance lets the rows leave whose events are not after the window's start.
func (f *frame[V]) advance(start int64) {
	f.start = start
	for e := f.queue.oldest(); e != nil && e.event <= start; e = f.queue.oldest() {
		f.rows--
		if !e.null {
			for _, a := range f.parts {
				a.leave(e.value)
			}
		}
		f.queue.drop()
	}
}

// oldest returns the oldest row in the frame, which has one.
func (f *frame[V]) oldest() *entry[V] {
	if f.span.Lifetime() {
		return &f.first
	}
	return f.queue.oldest()
}

// counter counts values.
type counter[V value] struct{ n int64 }

func (c *counter[V]) reset()       { c.n = 0 }
func (c *counter[V]) enter(V)      { c.n++ }
func (c *counter[V]) leave(V)      { c.n-- }
func (c *counter[V]) count() int64 { return c.n }

// floatSum is a Sum, with squares where a deviation is asked for.
type floatSum struct {
	Sum
	squares bool
	beyond  []float64 // the values that are too large for a Sum
}

func (s *floatSum) reset() { s.Sum, s.beyond = Sum{}, s.beyond[:0] }

func (s *floatSum) enter(x float64) {
	if !s.Add(x, s.squares) {
		s.beyond = append(s.beyond, x)
	}
}

func (s *floatSum) leave(x float64) {
	var gone Sum
	if gone.Add(x, s.squares) {
		s.Remove(&gone)
		return
	}
	at := slices.Index(s.beyond, x)
	s.beyond = slices.Delete(s.beyond, at, at+1)
}

// check returns an error if a value in the frame is too large for a Sum.
func (s *floatSum) check() error {
	if len(s.beyond) == 0 {
		return nil
	}
	return fstore.Errorf(fstore.ErrInvalid, "the value %g is 2^67 (1.4e20) or more, too large for an exact sum", s.beyond[0])
}

// intSum is a sum of integers that does not overflow on the way.
type intSum struct {
	n   int64
	sum Int192
}

func (s *intSum) reset() { *s = intSum{} }

func (s *intSum) enter(v int64) {
	s.n++
	s.sum.Add(Int192From(v>>63, uint64(v)))
}

func (s *intSum) leave(v int64) {
	s.n--
	s.sum.Sub(Int192From(v>>63, uint64(v)))
}

// int64 returns the sum. ok is false where it is not an int64.
func (s *intSum) int64() (sum int64, ok bool) {
	sum = int64(s.sum[0])
	return sum, s.sum == Int192From(sum>>63, uint64(sum))
}

// distinct counts how often each value is there. NaN is one value.
type distinct[V value] struct {
	times map[V]int64
	nans  int64
}

func (d *distinct[V]) reset() { clear(d.times); d.nans = 0 }

func (d *distinct[V]) enter(v V) {
	if v != v { // NaN alone is not itself
		d.nans++
		return
	}
	d.times[v]++
}

func (d *distinct[V]) leave(v V) {
	switch {
	case v != v:
		d.nans--
	case d.times[v] == 1:
		delete(d.times, v)
	default:
		d.times[v]--
	}
}

func (d *distinct[V]) count() int64 {
	if d.nans > 0 {
		return int64(len(d.times)) + 1
	}
	return int64(len(d.times))
}

// orderedValues holds the values that percentiles are taken of.
type orderedValues struct{ ordered }

func (o *orderedValues) enter(x float64) { o.add(x) }
func (o *orderedValues) leave(x float64) { o.remove(x) }

// extreme finds the least or the greatest value. Rows that have left the window stay in its heap until they come first.
type extreme[V value] struct{ heap heap[V] }

func newExtreme[V value](sign int) *extreme[V] {
	return &extreme[V]{heap[V]{before: func(a, b *entry[V]) bool { return sign*a.compareValue(b) < 0 }}}
}

func (x *extreme[V]) reset() { x.heap.entries = x.heap.entries[:0] }

func (x *extreme[V]) enter(e *entry[V], forever bool) {
	if forever && len(x.heap.entries) > 0 {
		if x.heap.before(e, &x.heap.entries[0]) {
			x.heap.entries[0] = *e
		}
		return
	}
	x.heap.push(*e)
}

// value returns the extreme of the values in a frame. ok is false where there are none.
func (x *extreme[V]) value(f *frame[V]) (v V, ok bool) {
	for len(x.heap.entries) > 0 {
		if e := &x.heap.entries[0]; f.span.Lifetime() || e.event > f.start {
			return e.value, true
		}
		x.heap.pop()
	}
	return v, false
}

// newest keeps the newest entries of a series, up to a number of them, newest first. They are the newest of every window too.
type newest[V value] struct {
	entries []entry[V]
	keep    int
}

func (n *newest[V]) enter(e *entry[V]) {
	if n.keep == 0 || len(n.entries) == n.keep && n.entries[n.keep-1].compare(e) >= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(n.entries, e, func(have entry[V], e *entry[V]) int { return -have.compare(e) })
	if len(n.entries) == n.keep {
		n.entries = n.entries[:n.keep-1]
	}
	n.entries = slices.Insert(n.entries, at, *e)
}
