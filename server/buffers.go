package server

import "sync"

// Buffers are the buffers in which answers are written before they are sent, so that no answer is sent in part.
// gRPC's own pool gives an answer of 17 kB a buffer of 1 MB and clears it each time.
var Buffers BufferPool

// maxPooled is the largest buffer worth keeping.
const maxPooled = 1 << 20

// minBuffer is the smallest buffer: gRPC tells nothing of the end of those up to 1 kB.
const minBuffer = 2 << 10

// BufferPool is a mem.BufferPool whose buffers grow to the requested sizes. Get does not clear them.
type BufferPool struct{ pool sync.Pool }

// Get returns a buffer of n bytes of any content.
func (p *BufferPool) Get(n int) *[]byte {
	b, _ := p.pool.Get().(*[]byte)
	if b == nil {
		b = new([]byte)
	}
	if cap(*b) < max(n, minBuffer) {
		*b = make([]byte, n, max(n+n/4, minBuffer))
	}
	*b = (*b)[:n]
	return b
}

// Put takes a buffer back.
func (p *BufferPool) Put(b *[]byte) {
	if cap(*b) <= maxPooled {
		p.pool.Put(b)
	}
}
