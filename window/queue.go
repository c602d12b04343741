package window

import "cmp"

// entry is a row that passed: its instants and its value.
type entry[V value] struct {
	event, created int64
	value          V
	null           bool
}

// compare orders entries by event, then created, then value, nulls first.
func (a *entry[V]) compare(b *entry[V]) int {
	if c := cmp.Compare(a.event, b.event); c != 0 {
		return c
	}
	if c := cmp.Compare(a.created, b.created); c != 0 {
		return c
	}
	return a.compareValue(b)
}

func (a *entry[V]) compareValue(b *entry[V]) int {
	switch {
	case a.null && b.null:
		return 0
	case a.null:
		return -1
	case b.null:
		return 1
	}
	return compareValues(a.value, b.value)
}

// value is how values are held: bool, integers and instants as int64, floats as float64, bytes as strings.
type value interface{ int64 | float64 | string }

// compareValues orders values as all of fstore does: NaN is the greatest.
func compareValues[V value](a, b V) int {
	switch {
	case a != a && b != b: // NaN alone is not itself
		return 0
	case a != a:
		return 1
	case b != b:
		return -1
	}
	return cmp.Compare(a, b)
}

// heap is a binary heap whose first entry is the one before all others.
type heap[V value] struct {
	entries []entry[V]
	before  func(a, b *entry[V]) bool
}

func (h *heap[V]) push(e entry[V]) {
	h.entries = append(h.entries, e)
	for i := len(h.entries) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.before(&h.entries[i], &h.entries[up]) {
			break
		}
		h.entries[i], h.entries[up] = h.entries[up], h.entries[i]
		i = up
	}
}

func (h *heap[V]) pop() {
	last := len(h.entries) - 1
	h.entries[0] = h.entries[last]
	h.entries = h.entries[:last]
	for i := 0; ; {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if h.before(&h.entries[child], &h.entries[first]) {
				first = child
			}
		}
		if first == i {
			return
		}
		h.entries[i], h.entries[first] = h.entries[first], h.entries[i]
		i = first
	}
}

// queue holds entries that come in any order and leave oldest first. Most come in order: they are appended to a slice, and
// only the others go through a heap.
type queue[V value] struct {
	inOrder []entry[V]
	head    int // of inOrder; those before have left
	late    heap[V]
}

func newQueue[V value]() queue[V] {
	return queue[V]{late: heap[V]{before: func(a, b *entry[V]) bool { return a.compare(b) < 0 }}}
}

func (q *queue[V]) reset() {
	q.inOrder, q.head, q.late.entries = q.inOrder[:0], 0, q.late.entries[:0]
}

func (q *queue[V]) push(e entry[V]) {
	if n := len(q.inOrder); n > q.head && q.inOrder[n-1].compare(&e) > 0 {
		q.late.push(e)
		return
	}
	if q.head > 64 && q.head > len(q.inOrder)/2 { // what has left takes no more room than what is there
		q.inOrder = q.inOrder[:copy(q.inOrder, q.inOrder[q.head:])]
		q.head = 0
	}
	q.inOrder = append(q.inOrder, e)
}

// oldest returns the oldest entry, or nil where there is none.
func (q *queue[V]) oldest() *entry[V] {
	var e *entry[V]
	if q.head < len(q.inOrder) {
		e = &q.inOrder[q.head]
	}
	if len(q.late.entries) > 0 && (e == nil || q.late.entries[0].compare(e) < 0) {
		e = &q.late.entries[0]
	}
	return e
}

// drop takes the oldest entry out.
func (q *queue[V]) drop() {
	if q.head < len(q.inOrder) && q.oldest() == &q.inOrder[q.head] {
		q.head++
		return
	}
	q.late.pop()
}
