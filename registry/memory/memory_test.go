package memory_test

import (
	"strconv"
	"testing"

	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/memory"
	"github.com/fstore-dev/fstore/registry/registrytest"
)

func TestConformance(t *testing.T) {
	registrytest.Run(t, func(testing.TB) *registrytest.Storage {
		s, processes := memory.New(), 0
		s.Kill("dead")
		return &registrytest.Storage{
			Open: func(testing.TB) registry.Backend {
				processes++
				return s.Open(strconv.Itoa(processes))
			},
			Watch: func(_ testing.TB, project string) registry.Watcher { return s.Watch(project) },
			Far:   "far", Dead: "dead",
		}
	})
}
