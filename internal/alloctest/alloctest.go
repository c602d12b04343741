// Package alloctest measures in tests what code allocates: how much memory a decoder takes for its input, whatever size
// the input claims, and how often a call allocates once its pools are warm.
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

// runs is how often Fewest calls at most. Under the race detector sync.Pool drops a quarter of what is put into it, so a
// call that needs five pooled objects has them all in one of four runs.
const runs = 100

// Fewest returns the smallest number of allocations in one of many calls of f: that of a call which finds everything
// that is pooled. It stops once a call needs no more than enough.
//
// An average would not do. A garbage collection empties every sync.Pool, the race detector makes pools forget, and the
// goroutines of other tests allocate too.
func Fewest(enough int, f func()) int {
	fewest := testing.AllocsPerRun(1, f)
	for i := 1; i < runs && int(fewest) > enough; i++ {
		fewest = min(fewest, testing.AllocsPerRun(1, f))
	}
	return int(fewest)
}
