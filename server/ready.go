package server

import (
	"context"
	"net/http"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
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
				s.logger.Warn("the online store", "warning", warning)
			}
			if before != "" {
				s.logger.Info("the online store can be used now")
			}
			close(s.usable)
			s.announce()
			return
		case err.Error() != before:
			s.logger.Warn("the online store cannot be used; requests are refused as long as that is so", "error", err)
			before = err.Error()
		}
		pause := time.NewTimer(s.poll)
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

// announce tells the clients of gRPC health that the server is ready, if it is.
func (s *Server) announce() {
	if s.unready() == "" {
		s.setHealth(healthpb.HealthCheckResponse_SERVING)
	}
}

// unready says what the server waits for; "" where it is ready, if it is not draining.
func (s *Server) unready() string {
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

func (s *Server) setHealth(status healthpb.HealthCheckResponse_ServingStatus) {
	s.health.SetServingStatus("", status)
	s.health.SetServingStatus(fstorev1.FeatureStore_ServiceDesc.ServiceName, status)
}

// getReady answers as announce does, until the server drains.
func (s *Server) getReady(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-s.draining:
		writeText(w, http.StatusServiceUnavailable, "draining\n")
		return
	default:
	}
	if waits := s.unready(); waits != "" {
		writeText(w, http.StatusServiceUnavailable, waits+"\n")
		return
	}
	writeText(w, http.StatusOK, "ready\n")
}
