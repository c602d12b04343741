package materialize_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fstore-dev/fstore"
)

// leases are a fake registry's.
type leases struct {
	mu      sync.Mutex
	count   int
	held    map[fstore.ViewRef]string
	expires map[fstore.ViewRef]time.Time
}

func newLeases() *leases {
	return &leases{held: map[fstore.ViewRef]string{}, expires: map[fstore.ViewRef]time.Time{}}
}

func (l *leases) Acquire(_ context.Context, v fstore.ViewRef, ttl time.Duration, now time.Time) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[v] != "" && now.Before(l.expires[v]) {
		return "", fstore.Errorf(fstore.ErrConflict, "process 42 holds the lease of %s", v)
	}
	l.count++
	l.held[v], l.expires[v] = fmt.Sprintf("token-%d", l.count), now.Add(ttl)
	return l.held[v], nil
}

func (l *leases) Renew(_ context.Context, v fstore.ViewRef, token string, ttl time.Duration, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[v] != token {
		return fstore.Errorf(fstore.ErrConflict, "the lease of %s went to another", v)
	}
	l.expires[v] = now.Add(ttl)
	return nil
}

func (l *leases) Release(_ context.Context, v fstore.ViewRef, token string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[v] == token {
		delete(l.held, v)
	}
	return nil
}

// publications is a fake registry's memory of publications.
type publications struct {
	mu       sync.Mutex
	kept     map[string]fstore.Publication
	replaces map[fstore.ViewRef]fstore.ViewRef
	fail     error // of Record
}

func newPublications() *publications {
	return &publications{kept: map[string]fstore.Publication{}, replaces: map[fstore.ViewRef]fstore.ViewRef{}}
}

func (p *publications) Record(_ context.Context, of fstore.Publication) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept[fmt.Sprint(of.View, of.Number, of.Run)] = of
	return p.fail
}

func (p *publications) Published(_ context.Context, v fstore.ViewRef, at fstore.Pointer) (fstore.Publication, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of, ok := p.kept[fmt.Sprint(v, at.Number, at.Run)]
	return of, ok, nil
}

func (p *publications) Replaces(v fstore.ViewRef) (fstore.ViewRef, bool) {
	r, ok := p.replaces[v]
	return r, ok
}
