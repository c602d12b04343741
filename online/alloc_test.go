package online_test

import (
	"context"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/cache"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/online/onlinetest"
)

// A look-up of fixed-width features allocates, above the backend, what the request binds, and little more if answers are
// released. Whatever the number of rows and features.
func TestALookupAllocatesLittle(t *testing.T) {
	for _, c := range []struct{ rows, views, features, most int }{
		{1, 1, 50, 2}, {100, 1, 50, 2}, {100, 5, 10, 2}, {1000, 1, 50, 2},
	} {
		s := online.New(memory.New(), "p")
		if got := allocations(t, s, onlinetest.Wide(t, s, c.views, c.features, 1000), c.rows, c.most); got > c.most {
			t.Errorf("%d rows, %d views of %d features: %v allocations, at most %d are allowed", c.rows, c.views, c.features, got, c.most)
		}
	}
	s := online.New(memory.New(), "p")
	if got := allocations(t, s, onlinetest.Sawtooth(t, s, 1000), 100, 2); got > 2 {
		t.Errorf("100 rows of windows that move with the clock: %v allocations, at most 2 are allowed", got)
	}
}

// An answer from the cache allocates no more.
func TestAnAnswerFromTheCacheAllocatesLittle(t *testing.T) {
	for _, c := range []struct{ rows, views, features int }{{1, 1, 50}, {100, 5, 10}} {
		s := online.New(memory.New(), "p")
		cached := false
		s.Cache, s.Elapsed = cache.New(1<<20), func() time.Duration { return 0 }
		s.Observe = func(stats *online.Stats) { cached = stats.Cached }
		// One is the request's, and one the copy of the statistics that Observe gets.
		if got := allocations(t, s, onlinetest.Wide(t, s, c.views, c.features, 1000), c.rows, 2); got > 2 || !cached {
			t.Errorf("%d rows, %d views of %d features: %v allocations, at most 2 are allowed; from the cache: %t", c.rows, c.views, c.features, got, cached)
		}
	}
}

// allocations returns how often a look-up allocates. Enough is what alloctest.Fewest takes.
func allocations(t *testing.T, s *online.Store, l *fstore.FeatureList, rows, enough int) int {
	prepared, err := s.Prepare(l)
	if err != nil {
		t.Fatal(err)
	}
	req := onlinetest.Keys(rows, 0, 1000)
	return alloctest.Fewest(enough, func() {
		a, err := prepared.Lookup(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		a.Release()
	})
}

// On-demand features cost as many allocations for a thousand rows as for one.
func TestOnDemandFeaturesAllocateTheSameForAnyRows(t *testing.T) {
	s := online.New(memory.New(), "p")
	l := onlinetest.Arithmetic(t, s, 50, 1000)
	one := allocations(t, s, l, 1, 0)
	for _, rows := range []int{100, 1000} {
		if got := allocations(t, s, l, rows, one); got > one {
			t.Errorf("%d rows: %d allocations, %d for one row", rows, got, one)
		}
	}
}
