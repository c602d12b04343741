//go:build !race

package online_test

import (
	"context"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/online/onlinetest"
)

// A look-up of fixed-width features allocates, above the backend, what the request binds, and little more if answers are
// released. Whatever the number of rows and features. (The race
// detector allocates itself, and drops what is pooled.)
func TestALookupAllocatesLittle(t *testing.T) {
	for _, c := range []struct{ rows, views, features, most int }{
		{1, 1, 50, 3}, {100, 1, 50, 3}, {100, 5, 10, 3}, {1000, 1, 50, 3},
	} {
		s := online.New(memory.New(), "p")
		if got := allocations(t, s, onlinetest.Wide(t, s, c.views, c.features, 1000), c.rows); int(got) > c.most {
			t.Errorf("%d rows, %d views of %d features: %v allocations, at most %d are allowed", c.rows, c.views, c.features, got, c.most)
		}
	}
	s := online.New(memory.New(), "p")
	if got := allocations(t, s, onlinetest.Sawtooth(t, s, 1000), 100); got > 3 {
		t.Errorf("100 rows of windows that move with the clock: %v allocations, at most 3 are allowed", got)
	}
}

// allocations returns how often a look-up allocates.
func allocations(t *testing.T, s *online.Store, l *fstore.FeatureList, rows int) float64 {
	prepared, err := s.Prepare(l)
	if err != nil {
		t.Fatal(err)
	}
	req := onlinetest.Keys(rows, 0, 1000)
	return testing.AllocsPerRun(100, func() {
		a, err := prepared.Lookup(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		a.Release()
	})
}
