package server

import (
	"context"
	"time"

	"github.com/fstore-dev/fstore"
)

// A server becomes ready once it has read the registry and found the online store usable. So a server that starts
// while the store is down waits, and one that can never reach it takes no traffic from others. Later failures do not
// change readiness: all servers would have them, and an error tells a caller more than no answer.

// storeTimeout bounds one look at the online store.
const storeTimeout = 5 * time.Second

// awaitStore checks the online store, with pauses, until it is usable. It logs only changes. The circuit breaker, which goes
// on looking at the store, logs its warnings.
func (s *Server) awaitStore(ctx context.Context) {
	before := ""
	for ctx.Err() == nil {
		err := s.checkStore(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			if before != "" {
				s.options.Logger.Info("the online store can be used now")
			}
			s.awaitKeys(ctx)
			close(s.usable)
			s.announce()
			return
		case err.Error() != before:
			s.options.Logger.Warn("the online store cannot be used; requests are refused until it can", "error", err)
			before = err.Error()
		}
		_ = fstore.Sleep(ctx, s.options.Poll) // the loop looks whether ctx has ended
	}
}

// awaitKeys waits until somebody can be let in: a server that accepts only JWTs needs their keys first.
func (s *Server) awaitKeys(ctx context.Context) {
	tick := time.NewTicker(s.options.Poll)
	defer tick.Stop()
	for s.options.Access != nil && s.options.Access.Waits() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Server) checkStore(ctx context.Context) (err error) {
	defer caught(&err)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err = s.store.Check(ctx)
	return err
}

// OnReady registers a function to call when the server becomes ready, perhaps several times. It must be called before
// Serve.
func (s *Server) OnReady(tell func()) { s.onReady = append(s.onReady, tell) }

// announce tells the protocols that the server is ready, if it is.
func (s *Server) announce() {
	if s.Unready() == "" {
		for _, tell := range s.onReady {
			tell()
		}
	}
}

// Unready says what the server is waiting for, or "" if it is ready or draining.
func (s *Server) Unready() string {
	if s.follower.current.Load() == nil {
		return "the registry has not been read yet"
	}
	if s.options.Access != nil && s.options.Access.Waits() {
		return "the keys of JWTs have not been read yet"
	}
	select {
	case <-s.usable:
		return ""
	default:
		return "the online store has not been reached yet"
	}
}
