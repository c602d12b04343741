package redis_test

import (
	"testing"

	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/onlinetest"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// emptied returns a function that empties the primary and connects to it as the URL says.
func emptied(t testing.TB, s *redistest.Sentinels, url string) onlinetest.Open {
	return func(t testing.TB) online.Backend {
		if err := client(t, s.Primary().URL).FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		b := open(t, url)
		if _, err := b.Replicated(ctx); err != nil { // an empty replica is up to date
			t.Fatal(err)
		}
		return b
	}
}

func TestConformanceWithSentinels(t *testing.T) {
	s := redistest.NewSentinels(t, redistest.Config{Args: []string{"--min-replicas-to-write", "1"}})
	t.Run("primary", func(t *testing.T) { onlinetest.Run(t, emptied(t, s, s.URL)) })
}
