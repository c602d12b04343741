package audit

import (
	"slices"
	"sync"
	"time"
)

// A request that is refused at the door costs its caller a few bytes, so callers could fill a disk with such lines. The
// first of a kind has a line at once. The others of a period share one line at its end: that of the last of them, which
// says for how many others it stands.

const (
	doorPeriod = time.Minute
	// maxKinds bounds the kinds of a period. Requests of further kinds count as one kind, without names and addresses. So a
	// period has at most 2 * maxKinds + 2 lines.
	maxKinds = 100
)

// doorLog counts the requests of a period that were refused at the door.
type doorLog struct {
	mu    sync.Mutex // guards kinds
	kinds map[doorKind]*doorSum
}

// doorKind is what refusals that share a line have in common.
type doorKind struct{ caller, by, address, transport, method, code, reason string }

type doorSum struct {
	last  Entry
	waits int // requests that have no line yet
}

// various stands for what the requests of a line do not have in common.
const various = "various"

// first counts a request. It reports whether the request gets a line at once.
func (d *doorLog) first(e Entry) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kinds == nil {
		d.kinds = map[doorKind]*doorSum{}
	}
	kind := doorKind{e.Caller, e.By, e.Address, e.Transport, e.Method, e.Code, e.Reason}
	sum := d.kinds[kind]
	switch {
	case sum != nil:
	case len(d.kinds) < maxKinds:
		d.kinds[kind] = &doorSum{}
		return true
	default:
		e = Entry{Time: e.Time, Transport: various, Method: various, Code: various, Reason: various}
		if sum = d.kinds[doorKind{}]; sum == nil {
			sum = &doorSum{}
			d.kinds[doorKind{}] = sum
		}
	}
	sum.last = e
	sum.waits++
	return false
}

// sums ends a period. It returns the lines of the requests that have none, the oldest first.
func (d *doorLog) sums() (lines []Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, sum := range d.kinds {
		if sum.waits > 0 {
			sum.last.unsaid = sum.waits - 1
			lines = append(lines, sum.last)
		}
	}
	clear(d.kinds)
	slices.SortFunc(lines, func(a, b Entry) int { return a.Time.Compare(b.Time) })
	return lines
}
