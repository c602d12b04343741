// Package alloctest limits in tests how much memory a decoder allocates: a multiple of its input's size, and never what
// the input merely claims to hold.
package alloctest

import (
	"runtime/metrics"
	"testing"
)

// noise is what the count may be wrong by: the runtime counts small objects a span at a time.
const noise = 1 << 20

// AtMost calls f and fails the test where f, or any other goroutine meanwhile, allocates more than limit bytes and a
// megabyte.
func AtMost(t testing.TB, limit int, f func()) {
	t.Helper()
	before := allocated()
	f()
	if got := allocated() - before; got > uint64(limit)+noise {
		t.Errorf("%d bytes were allocated; at most %d are allowed", got, limit)
	}
}

// allocated returns the bytes allocated so far. Unlike runtime.ReadMemStats it stops nothing.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
