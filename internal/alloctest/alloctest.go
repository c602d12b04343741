// Package alloctest limits the memory that a decoder may allocate in tests: a multiple of the size of its input,
// whatever size the input claims.
package alloctest

import (
	"runtime/metrics"
	"testing"
)

// noise is the error of the measurement: the runtime counts small objects a span at a time.
const noise = 1 << 20

// AtMost calls f. It fails the test if f, or any other goroutine meanwhile, allocates more than limit bytes plus a
// megabyte.
func AtMost(t testing.TB, limit int, f func()) {
	t.Helper()
	before := allocated()
	f()
	if got := allocated() - before; got > uint64(limit)+noise {
		t.Errorf("%d bytes were allocated; at most %d are allowed", got, limit)
	}
}

// allocated returns the number of bytes allocated so far. Unlike runtime.ReadMemStats it does not stop the world.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
