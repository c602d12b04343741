package redis

import (
	"context"
	"slices"
	"sync"
	"time"

	driver "github.com/redis/go-redis/v9"
)

// observers are clients of single replicas, with one connection each. Check keeps them: a server that looks at its store
// every second would otherwise log in to every replica every second.
type observers struct {
	open func(addr string) *driver.Client

	mu      sync.Mutex // guards clients
	clients map[string]*driver.Client
}

// observedFor is how long a connection is used. A login that a replica would refuse by now is found after it.
const observedFor = time.Minute

// newObservers returns those of a store whose servers have the options o.
func newObservers(o driver.Options, t *transport) *observers {
	o.Network, o.Dialer, o.PoolSize, o.MinIdleConns, o.ConnMaxLifetime = "tcp", t.dial, 1, 0, observedFor
	return &observers{clients: map[string]*driver.Client{}, open: func(addr string) *driver.Client {
		own := o // the client changes some
		own.Addr = addr
		return driver.NewClient(&own)
	}}
}

// of returns the clients of replicas, and closes those of others.
func (o *observers) of(addrs []string) []*driver.Client {
	o.mu.Lock()
	defer o.mu.Unlock()
	for addr, client := range o.clients {
		if !slices.Contains(addrs, addr) {
			delete(o.clients, addr)
			_ = client.Close() // nothing was written
		}
	}
	clients := make([]*driver.Client, len(addrs))
	for i, addr := range addrs {
		if o.clients[addr] == nil {
			o.clients[addr] = o.open(addr)
		}
		clients[i] = o.clients[addr]
	}
	return clients
}

// observe inspects a replica, within what one server of several may take. It does so once more if the connection was closed.
func observe(ctx context.Context, c *driver.Client) (told map[string]string, err error) {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	if told, err = inspect(ctx, c); stale(err) {
		told, err = inspect(ctx, c)
	}
	return told, err
}
