package server

import (
	"context"
	"unsafe"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// maxStreams is how many requests one connection may have under way.
const maxStreams = 1000

func (s *Server) newGRPC() *grpc.Server {
	g := grpc.NewServer(
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(proto.Name)}),
		grpc.MaxRecvMsgSize(s.maxRequestBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(headerTimeout),
		grpc.StreamInterceptor(s.stream),
		grpc.WaitForHandlers(true),
	)
	desc := fstorev1.FeatureStore_ServiceDesc
	desc.Methods = nil
	for _, m := range fstorev1.FeatureStore_ServiceDesc.Methods {
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: m.MethodName, Handler: s.unary(m)})
	}
	g.RegisterService(&desc, service{server: s})
	healthpb.RegisterHealthServer(g, s.health)
	reflection.Register(g)
	return g
}

// unary returns the handler of a method within run. It stands around the receiving of the request too, so that bytes
// that are no message are counted and are the caller's fault.
func (s *Server) unary(m grpc.MethodDesc) grpc.MethodHandler {
	as := method{"grpc", m.MethodName}
	return func(srv any, ctx context.Context, receive func(any) error, _ grpc.UnaryServerInterceptor) (answer any, err error) {
		refused := s.run(ctx, as, func(ctx context.Context) error {
			answer, err = m.Handler(srv, ctx, func(into any) error {
				r := received{message: into}
				err := receive(&r)
				switch {
				case status.Code(err) == codes.ResourceExhausted: // gRPC has sent this, with its own words
					return fstore.Errorf(fstore.ErrTooLarge, "the request has more than %d bytes", s.maxRequestBytes)
				case err != nil:
					return fstore.Errorf(fstore.ErrInvalid, "the request did not arrive: %v", err)
				case r.err != nil:
					return fstore.Errorf(fstore.ErrInvalid, "the request is not a message of %s", m.MethodName)
				}
				return nil
			}, nil)
			return err
		})
		if refused != nil {
			return nil, refused.grpc()
		}
		return answer, nil
	}
}

// codec is gRPC's for protobuf, except that a received tells its receiver what is wrong with its bytes: gRPC itself
// would answer INTERNAL, as if the fault were here.
type codec struct{ encoding.CodecV2 }

// received is a message and why it could not be decoded.
type received struct {
	message any
	err     error
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, into any) error {
	if r, ok := into.(*received); ok {
		r.err = c.CodecV2.Unmarshal(data, r.message)
		return nil
	}
	return c.CodecV2.Unmarshal(data, into)
}

// stream ends the streams of health and reflection when the server drains, which their clients would keep open for
// ever, and catches their panics.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	done := make(chan error, 1)
	s.inFlight.Add(1)
	go func() {
		defer s.inFlight.Done()
		defer func() {
			if p := recover(); p != nil {
				s.failures.log(s.clock(), "panic", "panic in a stream", "method", info.FullMethod, "panic", p)
				done <- status.Error(internal.code, internal.says)
			}
		}()
		done <- handle(srv, stream)
	}()
	select {
	case err := <-done:
		return err
	case <-s.draining:
		return status.Error(codes.Unavailable, "the server is shutting down")
	}
}

// service implements the gRPC service. Its errors are fstore's; unary turns them into statuses.
type service struct {
	fstorev1.UnimplementedFeatureStoreServer
	server *Server
}

// GetOnlineFeatures implements fstore.v1.FeatureStore.
func (g service) GetOnlineFeatures(ctx context.Context, req *fstorev1.GetOnlineFeaturesRequest) (*fstorev1.GetOnlineFeaturesResponse, error) {
	var t *target
	var err error
	switch by := req.GetSelection().(type) {
	case *fstorev1.GetOnlineFeaturesRequest_Service:
		t, err = g.server.resolve(by.Service, nil)
	case *fstorev1.GetOnlineFeaturesRequest_Features:
		refs := by.Features.GetRefs()
		if refs == nil {
			refs = []string{}
		}
		t, err = g.server.resolve("", refs)
	default:
		err = errBothOrNone()
	}
	if err != nil {
		return nil, err
	}
	keys, err := columnsFrom(req.GetEntities())
	if err != nil {
		return nil, err
	}
	events := online.WithoutEventTimes
	if req.GetEventTimestamps() {
		events = online.WithEventTimes
	}
	answer, err := g.server.lookup(ctx, t, keys, events)
	if err != nil {
		return nil, err
	}
	return responseOf(t.list, answer), nil
}

// columnsFrom returns the key columns of a request.
func columnsFrom(entities []*fstorev1.Column) ([]fstore.Column, error) {
	keys := make([]fstore.Column, len(entities))
	for i, e := range entities {
		c, err := columnFrom(e.GetName(), e.GetValues(), e.GetValidity())
		if err != nil {
			return nil, err
		}
		keys[i] = c
	}
	return keys, nil
}

// responseOf returns an answer as a message that shares the answer's values.
func responseOf(list *fstore.FeatureList, a *online.Answer) *fstorev1.GetOnlineFeaturesResponse {
	n := len(a.Features)
	features := make([]struct {
		message fstorev1.Feature
		values  fstorev1.Values
	}, n)
	out := &fstorev1.GetOnlineFeaturesResponse{
		Rows:     uint32(a.Rows),
		Features: make([]*fstorev1.Feature, n),
		Views:    make([]*fstorev1.ViewAnswer, len(a.Versions)),
	}
	for i := range a.Features {
		from, to := &a.Features[i], &features[i].message
		to.Name, to.Type, to.Validity = from.Column.Name, from.Column.Type.String(), from.Column.Valid
		to.Statuses = statusBytes(from.Statuses)
		to.Values = &features[i].values
		valuesOf(to.Values, &from.Column)
		if from.Events != nil {
			to.EventTimestamps = &fstorev1.EventTimestamps{Values: from.Events, Validity: from.EventsValid}
		}
		out.Features[i] = to
	}
	for i, v := range a.Versions {
		out.Views[i] = &fstorev1.ViewAnswer{
			Name: v.Ref.Name, Version: uint32(v.Ref.Version),
			Generation: string(v.Generation), PublishedMicros: fstore.Micros(v.Published),
		}
	}
	if list.Service.Name != "" {
		out.Service = &fstorev1.ServiceAnswer{Name: list.Service.Name, Version: uint32(list.Service.Version)}
	}
	return out
}

// The statuses have the same numbers on the wire, so that their bytes can be handed on.
const (
	_ = -uint(online.Present ^ online.Status(fstorev1.Status_STATUS_PRESENT))
	_ = -uint(online.NullValue ^ online.Status(fstorev1.Status_STATUS_NULL_VALUE))
	_ = -uint(online.NotFound ^ online.Status(fstorev1.Status_STATUS_NOT_FOUND))
	_ = -uint(online.OutsideMaxAge ^ online.Status(fstorev1.Status_STATUS_OUTSIDE_MAX_AGE))
)

// statusBytes returns statuses as bytes, without a copy: a Status is a byte.
func statusBytes(s []online.Status) []byte {
	return unsafe.Slice((*byte)(unsafe.SliceData(s)), len(s))
}
