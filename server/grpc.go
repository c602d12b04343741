package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

const (
	maxStreams     = 1000     // requests that one connection may have under way
	maxHeaderBytes = 16 << 10 // of metadata, by gRPC's default 16 MB a request

	// A connection is given up in peace once it is old, so that the streams of health and reflection end, too.
	maxAge      = 30 * time.Minute
	maxAgeGrace = 2 * maxLife

	// A client that is gone without a word is found out by a ping: by gRPC's default after two hours.
	pingAfter   = time.Minute // of silence
	pingTimeout = 20 * time.Second
)

// newGRPC returns the gRPC server. The error is a method of the proto without a handler.
func (s *Server) newGRPC() (*grpc.Server, error) {
	g := grpc.NewServer(
		grpc.Creds(s.connections.credentials()),
		grpc.InTapHandle(s.admit),
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(grpcproto.Name)}),
		grpc.MaxRecvMsgSize(s.maxRequestBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.ConnectionTimeout(headerTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: pingAfter, Timeout: pingTimeout, MaxConnectionAge: maxAge, MaxConnectionAgeGrace: maxAgeGrace,
		}),
		grpc.StreamInterceptor(s.stream),
		grpc.UnaryInterceptor(s.guardedCall),
		grpc.WaitForHandlers(true),
	)
	desc, err := withHandlers(fstorev1.FeatureStore_ServiceDesc, map[string]grpc.MethodHandler{
		getOnlineFeatures: s.handleGet, describeFeatures: s.handleDescribe,
	})
	if err != nil {
		return nil, err
	}
	g.RegisterService(desc, s)
	healthpb.RegisterHealthServer(g, s.health)
	reflection.Register(g)
	return g, nil
}

// withHandlers returns a generated service with handlers of our own: its answers are not messages but their bytes. The
// error names every method that has no handler, and every handler that has no method.
func withHandlers(generated grpc.ServiceDesc, handlers map[string]grpc.MethodHandler) (*grpc.ServiceDesc, error) {
	desc := generated
	desc.HandlerType, desc.Methods = (*any)(nil), nil
	var wrong []string
	for _, m := range generated.Methods {
		if handlers[m.MethodName] == nil {
			wrong = append(wrong, "method "+m.MethodName+" has no handler")
			continue
		}
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: m.MethodName, Handler: handlers[m.MethodName]})
	}
	for _, stream := range generated.Streams {
		wrong = append(wrong, "stream "+stream.StreamName+" has no handler")
	}
	for name := range handlers {
		if !slices.ContainsFunc(generated.Methods, func(m grpc.MethodDesc) bool { return m.MethodName == name }) {
			wrong = append(wrong, "handler "+name+" has no method")
		}
	}
	if wrong != nil {
		slices.Sort(wrong)
		return nil, fmt.Errorf("gRPC service %s: %s", generated.ServiceName, strings.Join(wrong, ", "))
	}
	return &desc, nil
}

// The methods.
const (
	getOnlineFeatures = "GetOnlineFeatures"
	describeFeatures  = "DescribeFeatures"
)

var (
	grpcGet, httpGet           = method{"grpc", getOnlineFeatures}, method{"http", getOnlineFeatures}
	grpcDescribe, httpDescribe = method{"grpc", describeFeatures}, method{"http", describeFeatures}
)

// handleGet handles a call of GetOnlineFeatures.
func (s *Server) handleGet(_ any, ctx context.Context, receive func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // grpc gives the context second
	var answer encoded
	r := &received[fstorev1.GetOnlineFeaturesRequest]{lease: lease{hold: hold{budget: &s.inFlight}}}
	refused := s.run(ctx, grpcGet, func(ctx context.Context) (err error) {
		if err = s.arrive(ctx, receive(r), r.err); err == nil {
			answer, err = s.get(ctx, r)
		}
		return err
	})
	if refused != nil {
		r.lease.hold.release()
		return nil, refused.grpc()
	}
	r.lease.join(connectionOf(ctx), s.clock())
	return answer, nil
}

// handleDescribe handles a call of DescribeFeatures.
func (s *Server) handleDescribe(_ any, ctx context.Context, receive func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // grpc gives the context second
	var answer *fstorev1.DescribeFeaturesResponse
	r := &received[fstorev1.DescribeFeaturesRequest]{lease: lease{hold: hold{budget: &s.inFlight}}}
	defer r.lease.hold.release()
	refused := s.run(ctx, grpcDescribe, func(ctx context.Context) error {
		if err := s.arrive(ctx, receive(r), r.err); err != nil {
			return err
		}
		t, err := s.selected(r.message.GetSelection())
		if err == nil {
			answer = describe(t.list)
		}
		return err
	})
	if refused != nil {
		return nil, refused.grpc()
	}
	return answer, nil
}

// arrive returns why a request did not arrive or could not be decoded, in words for its caller. It stands within run,
// so that bytes that are no message are counted and are the caller's fault.
func (s *Server) arrive(ctx context.Context, err, undecoded error) error {
	ended := callOf(ctx).arrived()
	switch {
	case ended != nil:
		return ended
	case status.Code(err) == codes.ResourceExhausted: // gRPC has sent this, with its own words
		return fstore.Errorf(fstore.ErrTooLarge, "the request has more than %d bytes", s.maxRequestBytes)
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fstore.Errorf(fstore.ErrInvalid, "the request did not arrive: %v", err)
	}
	return undecoded
}

// codec is gRPC's for protobuf, except that an encoded answer is sent as it is, and that a received tells its receiver
// what is wrong with its bytes: gRPC itself would answer INTERNAL, as if the fault were here.
type codec struct{ encoding.CodecV2 }

// received is a request, or why it could not be decoded, and the budget of it and then of its answer.
type received[M any] struct {
	message M
	err     error
	lease   lease
}

// take decodes a request; err says what is wrong with its bytes.
func (r *received[M]) take(data []byte) { r.err = r.decode(data) }

// decode decodes a request whose elements are not too many.
func (r *received[M]) decode(data []byte) error {
	bytes, err := sizeOfMessage(data)
	if err != nil {
		return err
	}
	if err := r.lease.hold.to(bytes); err != nil {
		return err
	}
	message := any(&r.message).(proto.Message)
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, message); err != nil {
		method := strings.TrimSuffix(string(message.ProtoReflect().Descriptor().Name()), "Request")
		return fstore.Errorf(fstore.ErrInvalid, "the request is not a message of %s", method)
	}
	return nil
}

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if answer, ok := v.(encoded); ok {
		return answer.slice(), nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, into any) error {
	if r, ok := into.(interface{ take(data []byte) }); ok {
		whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer whole.Free()
		r.take(whole.ReadOnlyData())
		return nil
	}
	return c.CodecV2.Unmarshal(data, into)
}

// guardedCall answers a panic of a call that is not a look-up, such as health's, with INTERNAL. Look-ups have run for that.
func (s *Server) guardedCall(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(method{"grpc", info.FullMethod}, p)
			answer, err = nil, status.Error(internal.code, internal.says)
		}
	}()
	return handle(ctx, req)
}

// stream ends the streams of health and reflection when the server drains, which their clients would keep open for
// ever, and catches their panics.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	done := make(chan error, 1)
	s.underWay.Add(1)
	go func() {
		defer s.underWay.Done()
		defer func() {
			if p := recover(); p != nil {
				s.panicked(method{"grpc", info.FullMethod}, p)
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

// get answers a request, which it leaves empty.
func (s *Server) get(ctx context.Context, r *received[fstorev1.GetOnlineFeaturesRequest]) (encoded, error) {
	req := &r.message
	t, err := s.selected(req.GetSelection())
	if err != nil {
		return encoded{}, err
	}
	keys, err := columnsFrom(req.GetEntities())
	if err != nil {
		return encoded{}, err
	}
	events := online.WithoutEventTimes
	if req.GetEventTimestamps() {
		events = online.WithEventTimes
	}
	answer, err := s.lookup(ctx, t, keys, events, &r.lease.hold)
	if err != nil {
		return encoded{}, err
	}
	e, err := t.encode(answer)
	if err != nil {
		return encoded{}, err
	}
	proto.Reset(req)
	e.lease = &r.lease
	if err := r.lease.hold.to(int64(cap(*e.buf))); err != nil {
		buffers.Put(e.buf)
		return encoded{}, err
	}
	return e, nil
}

// selected returns what a request names, by the selection of its message.
func (s *Server) selected(selection any) (*target, error) {
	switch by := selection.(type) {
	case *fstorev1.GetOnlineFeaturesRequest_Service:
		return s.resolve(by.Service, nil)
	case *fstorev1.DescribeFeaturesRequest_Service:
		return s.resolve(by.Service, nil)
	case *fstorev1.GetOnlineFeaturesRequest_Features:
		return s.resolve("", refsOf(by.Features))
	case *fstorev1.DescribeFeaturesRequest_Features:
		return s.resolve("", refsOf(by.Features))
	case *fstorev1.GetOnlineFeaturesRequest_Model:
		return s.resolveModel(modelOf(by.Model))
	case *fstorev1.DescribeFeaturesRequest_Model:
		return s.resolveModel(modelOf(by.Model))
	}
	return nil, errBothOrNone()
}

// refsOf returns the references of a list, which is never nil.
func refsOf(list *fstorev1.FeatureRefs) []string {
	if refs := list.GetRefs(); refs != nil {
		return refs
	}
	return []string{}
}

func modelOf(m *fstorev1.ModelRef) fstore.ModelRef {
	return fstore.ModelRef{Name: m.GetName(), Version: m.GetVersion()}
}

// columnsFrom returns the key columns of a request.
func columnsFrom(entities []*fstorev1.Column) ([]fstore.Column, error) {
	keys := make([]fstore.Column, len(entities))
	for i, e := range entities {
		c, err := fstorev1.ColumnOf(e)
		if err != nil {
			return nil, err
		}
		keys[i] = c
	}
	return keys, nil
}
