package redis_test

import (
	"context"
	"testing"

	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/onlinetest"
	"github.com/fstore-dev/fstore/online/redis"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	driver "github.com/redis/go-redis/v9"
)

// fresh returns a function that empties the server and connects to it.
func fresh(t testing.TB) onlinetest.Open {
	url := redistest.Start(t)
	o, err := driver.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	admin := driver.NewClient(o)
	t.Cleanup(func() { admin.Close() })
	return func(t testing.TB) online.Backend {
		if err := admin.FlushAll(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		return open(t, url)
	}
}

func open(t testing.TB, url string) *redis.Backend {
	t.Helper()
	b, err := redis.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) { onlinetest.Run(t, fresh(t)) }
