// Package grpcapi answers look-ups over gRPC: service fstore.v1.FeatureStore, with health and reflection.
//
// It encodes answers directly to bytes, and counts the elements of requests before decoding them. It watches
// connections to bound the bytes that a client sends or does not read.
package grpcapi

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
)

// API is the gRPC protocol of a server.
type API struct {
	core        *server.Server
	o           server.Options
	connections *grpcConnections
	health      *health.Server
	grpc        *grpc.Server
	also        []Service
	methods     map[string]server.Method // those that are admitted, by their full names

	mu       sync.Mutex                                 // guards the rest
	state    healthpb.HealthCheckResponse_ServingStatus // of all services that health knows
	services []string                                   // their names; "" is the server as a whole
}

// New returns the gRPC protocol of a server that has not begun, with other services on the same port. The error names
// the methods of the proto that have no handler.
func New(core *server.Server, also ...Service) (*API, error) {
	a := &API{
		core: core, o: core.Options(), health: health.NewServer(), state: healthpb.HealthCheckResponse_NOT_SERVING, also: also,
		methods: map[string]server.Method{
			fstorev1.FeatureStore_GetOnlineFeatures_FullMethodName: grpcGet,
			fstorev1.FeatureStore_DescribeFeatures_FullMethodName:  grpcDescribe,
		},
	}
	a.connections = newConnections(core.Arriving(), a.o.MaxConnections)
	a.connections.port = core.NewPort("grpc", a.Connections)
	a.addHealth("")
	a.addHealth(fstorev1.FeatureStore_ServiceDesc.ServiceName)
	core.OnReady(a.isReady)
	var err error
	if a.grpc, err = a.newGRPC(); err != nil {
		return nil, err
	}
	return a, nil
}

// Name implements server.Protocol.
func (a *API) Name() string { return "grpc" }

// Serve implements server.Protocol.
func (a *API) Serve(l net.Listener) error {
	ctx, end := context.WithCancel(context.Background())
	var group sync.WaitGroup
	defer group.Wait()
	defer end()
	group.Go(func() { a.closeSlow(ctx) })
	if err := a.grpc.Serve(l); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// Drain implements server.Protocol: health says NOT_SERVING, and clients are sent elsewhere.
func (a *API) Drain(ctx context.Context) (inTime bool) {
	a.health.Shutdown()
	inTime = true
	var group sync.WaitGroup
	stopped := make(chan struct{})
	lingering, end := context.WithTimeout(ctx, a.o.Linger)
	defer end()
	group.Go(func() {
		select {
		case <-lingering.Done():
		case <-stopped:
			return
		}
		a.connections.endReceiving(server.ErrDraining)
		if a.connections.quiet(stopped, a.o.Linger) {
			a.grpc.Stop() // GracefulStop waits 5 s for a client that does not answer its ping
		}
	})
	a.connections.closeMute()
	group.Go(func() {
		defer close(stopped)
		a.grpc.GracefulStop()
	})
	group.Go(func() {
		select {
		case <-stopped:
		case <-ctx.Done():
			inTime = false
			a.grpc.Stop()
		}
	})
	group.Wait()
	return inTime
}

// Connections returns how many connections there are.
func (a *API) Connections() int { return len(a.connections.list()) }

// Streams returns how many streams are open on all connections.
func (a *API) Streams() int64 { return a.connections.streams.Load() }

// isReady has health say of every service that it serves.
func (a *API) isReady() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state = healthpb.HealthCheckResponse_SERVING
	for _, s := range a.services {
		a.health.SetServingStatus(s, a.state)
	}
}

// addHealth has health know another service.
func (a *API) addHealth(service string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.services = append(a.services, service)
	a.health.SetServingStatus(service, a.state)
}

// statusOf returns a refusal as the error of a gRPC handler.
func statusOf(r *server.Refusal) error {
	if r == server.Overloaded {
		return errOverloaded
	}
	return r.Status()
}

// errOverloaded is made once, since it answers most calls of an overload.
var errOverloaded = server.Overloaded.Status()

const (
	sendTimeout = time.Minute     // for an answer to be read
	sendHurry   = 5 * time.Second // for the same, where the answers in flight take nearly all there may be
)

// closeSlow closes the gRPC connections of clients that do not read their answers, until ctx ends.
func (a *API) closeSlow(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		patience := sendTimeout
		if a.core.InFlight().Busy() {
			patience = sendHurry
		}
		a.connections.closeSlow(a.o.Clock().Add(-patience))
	}
}
