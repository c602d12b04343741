package server

import (
	"context"
	"time"
)

// A server is ready once the registry was read and the online store was found right, each once. A server that begins
// while the store is away therefore waits for it, and one that would never reach it takes no traffic from others. Later
// troubles of either change nothing: all servers would have them, and a caller is told more by an answer than by none.

// storeTimeout bounds one look at the online store.
const storeTimeout = 5 * time.Second

// awaitStore looks at the online store, again after each pause, until it is right. Only a change is logged.
func (s *Server) awaitStore(ctx context.Context) {
	before := ""
	for ctx.Err() == nil {
		warning, err := s.checkStore(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			if warning != "" {
				s.options.Logger.Warn("the online store", "warning", warning)
			}
			if before != "" {
				s.options.Logger.Info("the online store can be used now")
			}
			close(s.usable)
			s.announce()
			return
		case err.Error() != before:
			s.options.Logger.Warn("the online store cannot be used; requests are refused as long as that is so", "error", err)
			before = err.Error()
		}
		pause := time.NewTimer(s.options.Poll)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

func (s *Server) checkStore(ctx context.Context) (warning string, err error) {
	defer caught(&err)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.store.Check(ctx)
}

// OnReady has a protocol told that the server is ready, maybe several times. It is called before Serve.
func (s *Server) OnReady(tell func()) { s.onReady = append(s.onReady, tell) }

// announce tells the protocols that the server is ready, if it is.
func (s *Server) announce() {
	if s.Unready() == "" {
		for _, tell := range s.onReady {
			tell()
		}
	}
}

// Unready says what the server waits for; "" where it is ready, if it is not draining.
func (s *Server) Unready() string {
	if s.follower.current.Load() == nil {
		return "the registry has not been read yet"
	}
	select {
	case <-s.usable:
		return ""
	default:
		return "the online store has not been reached yet"
	}
}
