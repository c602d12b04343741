// Package memory is an online.Backend in memory, for tests. It is the reference for the conformance suite.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

// Backend keeps its data in memory. It is safe for concurrent use.
type Backend struct {
	mu   sync.RWMutex // guards data
	data map[string][]byte
}

// New returns an empty backend.
func New() *Backend { return &Backend{data: map[string][]byte{}} }

// Get implements online.Backend.
func (b *Backend) Get(ctx context.Context, r online.Read) (records, ptrs [][]byte, err error) {
	if err := done(ctx); err != nil {
		return nil, nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	out := make([][]byte, len(r.Keys)+len(r.Pointers))
	for i, k := range r.Keys {
		out[i] = b.data[string(k)]
	}
	for i, k := range r.Pointers {
		out[len(r.Keys)+i] = b.data[string(k)]
	}
	return out[:len(r.Keys):len(r.Keys)], out[len(r.Keys):], nil
}

// Commit implements online.Backend.
func (b *Backend) Commit(ctx context.Context, c online.Commit) error {
	if err := done(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range c.Guards {
		if have, ok := b.data[string(g.Key)]; ok != (g.Want != nil) || !bytes.Equal(have, g.Want) {
			return fstore.Errorf(fstore.ErrConflict, "%q was changed concurrently", g.Key)
		}
	}
	for _, kv := range c.Set {
		b.data[string(kv.Key)] = append([]byte{}, kv.Value...) // never nil, which means absent
	}
	for _, k := range c.Delete {
		delete(b.data, string(k))
	}
	return nil
}

// Scan implements online.Backend.
func (b *Backend) Scan(ctx context.Context, prefix []byte, fn func(key []byte) error) error {
	b.mu.RLock()
	var keys []string
	for k := range b.data {
		if strings.HasPrefix(k, string(prefix)) {
			keys = append(keys, k)
		}
	}
	b.mu.RUnlock()
	for _, k := range keys {
		if err := done(ctx); err != nil {
			return err
		}
		if err := fn([]byte(k)); err != nil {
			return err
		}
	}
	return nil
}

// Check implements online.Backend.
func (b *Backend) Check(ctx context.Context) (warnings []error, err error) { return nil, done(ctx) }

// Replicated implements online.Backend: memory has no replicas.
func (b *Backend) Replicated(context.Context) (warning string, err error) { return "", nil }

// Close implements online.Backend.
func (b *Backend) Close() error { return nil }

func done(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory store: %w: %w", fstore.ErrUnavailable, err)
	}
	return nil
}
