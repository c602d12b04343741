package memory_test

import (
	"testing"

	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/online/onlinetest"
)

func TestConformance(t *testing.T) {
	onlinetest.Run(t, func(testing.TB) online.Backend { return memory.New() })
}

func TestConformanceWithACache(t *testing.T) {
	onlinetest.RunCached(t, func(testing.TB) online.Backend { return memory.New() })
}

func BenchmarkBackend(b *testing.B) {
	onlinetest.Benchmark(b, func(testing.TB) online.Backend { return memory.New() })
}
