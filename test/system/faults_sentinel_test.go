package system

import (
	"testing"
	"time"

	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// A primary is killed while a server runs. The sentinels make a replica the primary, and the server goes on with it:
// its breaker, which opens meanwhile, closes by itself.
func TestThePrimaryIsKilledWhileServing(t *testing.T) {
	t.Parallel() // it waits most of the time
	trio := redistest.NewSentinels(t, redistest.Config{})
	r := newRepo(t, trio.URL)
	r.must("init", ".")
	r.must("apply", "--yes")
	r.materialize("--to", "2025-12-01")
	trio.Settle()
	s := r.serve()
	want := firstAnswer(t, s)
	old := trio.Primary()
	old.Kill()
	trio.Failover(old)
	recovers(t, s, want, 5*time.Second)
	trio.Settle()
	r.materialize("customer_orders", "--to", "2025-12-01")
	anew(t, s, want)
}
