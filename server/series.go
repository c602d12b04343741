package server

import "sync"

// series keeps metrics by their labels: finding them by text takes longer than counting. Its users bound the labels.
type series[L comparable, M any] struct {
	find func(L) M

	mu    sync.RWMutex // guards known
	known map[L]M
}

func newSeries[L comparable, M any](find func(L) M) *series[L, M] {
	return &series[L, M]{find: find, known: map[L]M{}}
}

func (s *series[L, M]) of(labels L) M {
	s.mu.RLock()
	found, ok := s.known[labels]
	s.mu.RUnlock()
	if ok {
		return found
	}
	found = s.find(labels)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[labels] = found
	return found
}
