//go:build !race

package online_test

import (
	"context"
	"testing"

	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
	"github.com/fstore-dev/fstore/online/onlinetest"
)

// A look-up of fixed-width features in one view allocates, above the backend: the answer, its features, its versions,
// their values in one piece per type, and what the request binds. Whatever the number of rows and features. (The race
// detector allocates itself, and drops what is pooled.)
func TestALookupAllocatesLittle(t *testing.T) {
	for _, c := range []struct{ rows, views, features, most int }{
		{1, 1, 50, 10}, {100, 1, 50, 10}, {100, 5, 10, 10}, {1000, 1, 50, 10},
	} {
		s := online.New(memory.New(), "p")
		prepared, err := s.Prepare(onlinetest.Wide(t, s, c.views, c.features, 1000))
		if err != nil {
			t.Fatal(err)
		}
		req := onlinetest.Keys(c.rows, 0, 1000)
		got := testing.AllocsPerRun(100, func() {
			if _, err := prepared.Lookup(context.Background(), req); err != nil {
				t.Fatal(err)
			}
		})
		if int(got) > c.most {
			t.Errorf("%d rows, %d views of %d features: %v allocations, at most %d are allowed", c.rows, c.views, c.features, got, c.most)
		}
	}
}
