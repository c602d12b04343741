package redis

import (
	"fmt"
	"strconv"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

// hasEvicted returns an error if a server's statistics count evicted keys. Its eviction policy may be right again, but what it
// has dropped may have been records, and these would be answered as not found. Nobody but its operator can say that the
// store is whole again: by a reset of the statistics. A server that does not tell has evicted none.
func hasEvicted(where string, stats map[string]string) error {
	count, err := strconv.ParseInt(stats["evicted_keys"], 10, 64)
	if err != nil || count == 0 {
		return nil //nolint:nilerr // it does not tell
	}
	return fmt.Errorf("%w: %w", online.ErrLost, fstore.Errorf(fstore.ErrInvalid, "%s has evicted %d keys: features may be missing", where, count).
		WithHint("run fstore materialize --full, unless fstore verify finds nothing missing, and then redis-cli config resetstat; "+
			"where CONFIG is not allowed, restart the node before materialize instead"))
}
