package redis

import (
	"context"
	"strconv"
	"sync"

	"github.com/fstore-dev/fstore"
)

// evictions remembers how many keys the server has evicted. A server whose eviction policy was wrong for a moment looks
// right afterwards, but it may have dropped records, which would then be answered as not found.
type evictions struct {
	mu     sync.Mutex // guards the rest
	server string     // the run id of the server that was looked at; another one has counts of its own
	first  int64      // its count at the first look
	last   int64
}

// check returns an error if the server has evicted keys since the first look, and a warning if it had before. When the
// server's statistics are reset, it begins anew: somebody has repaired the store.
func (e *evictions) check(where, server string, count int64) (warning string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case server != e.server:
		e.server, e.first = server, count
	case count < e.last:
		e.first = 0
	}
	e.last = count
	if count > e.first {
		return "", fstore.Errorf(fstore.ErrInvalid, "%s has evicted keys: features may be missing", where).
			WithHint("set maxmemory-policy noeviction, run: fstore materialize --full, and then: redis-cli config resetstat")
	}
	if count > 0 {
		return "it has evicted keys (" + strconv.FormatInt(count, 10) + "); if they may have been features, run: fstore verify", nil
	}
	return "", nil
}

// checkEvictions looks at the primary's count of evicted keys. A server that does not tell has evicted none.
func (b *Backend) checkEvictions(ctx context.Context) (warning string, err error) {
	server, err := b.info(ctx, b.primary.Client, "server")
	if err != nil {
		return "", b.failed(ctx, err)
	}
	stats, err := b.info(ctx, b.primary.Client, "stats")
	if err != nil {
		return "", b.failed(ctx, err)
	}
	count, err := strconv.ParseInt(stats["evicted_keys"], 10, 64)
	if err != nil {
		return "", nil //nolint:nilerr // it does not tell
	}
	return b.evictions.check("redis at "+b.addr, server["run_id"], count)
}
