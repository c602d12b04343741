package redis

import "github.com/fstore-dev/fstore/online"

// Pools returns the state of the connections by the role of the server: primary, and replica where replicas answer reads.
func (b *Backend) Pools() map[string]online.Pool {
	out := map[string]online.Pool{"primary": b.primary.pool()}
	if b.replicas != nil {
		out["replica"] = b.replicas.pool()
	}
	return out
}

func (s *source) pool() online.Pool {
	p := s.PoolStats()
	return online.Pool{
		Open: int(p.TotalConns), Idle: int(p.IdleConns), Hits: uint64(p.Hits), Misses: uint64(p.Misses), Timeouts: uint64(p.Timeouts),
	}
}
