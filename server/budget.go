package server

import (
	"errors"
	"sync/atomic"
)

// errBusy is the answer where as many bytes are in flight as may be.
var errBusy = errors.New("as many bytes are in flight as the server may hold")

// budget bounds bytes that the server holds for all of its callers together.
type budget struct {
	limit int64
	used  atomic.Int64
}

// add takes n bytes whether or not they fit, and reports whether they do. A negative n gives bytes back.
func (b *budget) add(n int64) (fits bool) { return b.used.Add(n) <= b.limit }

// take takes n bytes if they fit.
func (b *budget) take(n int64) bool {
	if b.add(n) {
		return true
	}
	b.add(-n)
	return false
}

// hold is what one request has of a budget. It has one owner at a time.
type hold struct {
	budget *budget
	n      int64
}

// to makes the hold n bytes. No hold is larger than three quarters of the budget, so that the largest request can run
// beside small ones. The error is errBusy, and then the hold is what it was.
func (h *hold) to(n int64) error {
	n = min(n, h.budget.limit/4*3)
	if n > h.n && !h.budget.take(n-h.n) {
		return errBusy
	}
	if n < h.n {
		h.budget.add(n - h.n)
	}
	h.n = n
	return nil
}

// release gives all of it back.
func (h *hold) release() { _ = h.to(0) }
