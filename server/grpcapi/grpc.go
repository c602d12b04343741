package grpcapi

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
	"github.com/fstore-dev/fstore/server"
)

const (
	maxStreams = 1000 // requests that one connection may have under way

	// A connection is given up in peace once it is old, so that the streams of health and reflection end, too.
	maxAge      = 30 * time.Minute
	maxAgeGrace = 2 * maxLife

	// A client that is gone without a word is found out by a ping: by gRPC's default after two hours.
	pingAfter   = time.Minute // of silence
	pingTimeout = 20 * time.Second

	// Goroutines that answer requests one after another: the stack of a new one would grow during each request.
	workers = 128

	// With windows of a fixed size gRPC does not ping clients to find a better one.
	streamWindow     = 256 << 10
	connectionWindow = 1 << 20
)

// newGRPC returns the gRPC server. The error is a method of the proto without a handler.
func (a *API) newGRPC() (*grpc.Server, error) {
	g := grpc.NewServer(
		grpc.Creds(a.connections.credentials(a.o.Certificates)),
		grpc.InTapHandle(a.admit),
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(grpcproto.Name)}),
		grpc.MaxRecvMsgSize(a.maxMessage()),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(server.MaxHeaderBytes),
		grpc.ConnectionTimeout(a.o.HeaderTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: pingAfter, Timeout: pingTimeout, MaxConnectionAge: maxAge, MaxConnectionAgeGrace: a.ageGrace(),
		}),
		grpc.StreamInterceptor(a.stream),
		grpc.UnaryInterceptor(a.guardedCall),
		grpc.WaitForHandlers(true),
		grpc.NumStreamWorkers(workers),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connectionWindow),
	)
	desc, err := withHandlers(fstorev1.FeatureStore_ServiceDesc, map[string]grpc.MethodHandler{
		getOnlineFeatures: a.handleGet, describeFeatures: a.handleDescribe,
	})
	if err != nil {
		return nil, err
	}
	g.RegisterService(desc, a)
	healthpb.RegisterHealthServer(g, a.health)
	reflection.Register(g)
	for _, service := range a.also {
		service.Register(g)
	}
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
	reflectionInfo    = "ServerReflectionInfo"
)

var (
	grpcGet      = server.Method{Transport: "grpc", Name: getOnlineFeatures}
	grpcDescribe = server.Method{Transport: "grpc", Name: describeFeatures}
	grpcReflect  = server.Method{Transport: "grpc", Name: reflectionInfo}
)

// handleGet handles a call of GetOnlineFeatures.
func (a *API) handleGet(_ any, ctx context.Context, receive func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // grpc gives the context second
	r := &received[fstorev1.GetOnlineFeaturesRequest]{most: a.o.MaxRequestBytes, lease: lease{hold: server.NewHold(a.core.InFlight())}}
	return a.answer(ctx, grpcGet, &r.lease, func(ctx context.Context) (encoded, error) {
		if err := a.arrive(ctx, receive(r), r.err); err != nil {
			return encoded{}, err
		}
		return a.get(ctx, r)
	})
}

// answer runs a look-up, and leaves its lease to the answer that is being sent.
func (a *API) answer(ctx context.Context, m server.Method, l *lease, do func(context.Context) (encoded, error)) (any, error) {
	var answer encoded
	refused := a.core.Run(ctx, m, callOf(ctx).admission(), func(ctx context.Context) (err error) {
		answer, err = do(ctx)
		return err
	})
	if refused != nil {
		l.hold.Release()
		return nil, statusOf(refused)
	}
	l.join(connectionOf(ctx), callOf(ctx).admission(), a.o.Clock())
	return answer, nil
}

// handleDescribe handles a call of DescribeFeatures.
func (a *API) handleDescribe(_ any, ctx context.Context, receive func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // grpc gives the context second
	var answer *fstorev1.DescribeFeaturesResponse
	r := &received[fstorev1.DescribeFeaturesRequest]{most: a.o.MaxRequestBytes, lease: lease{hold: server.NewHold(a.core.InFlight())}}
	defer r.lease.hold.Release()
	refused := a.core.Run(ctx, grpcDescribe, callOf(ctx).admission(), func(ctx context.Context) error {
		if err := a.arrive(ctx, receive(r), r.err); err != nil {
			return err
		}
		t, err := a.selected(ctx, r.message.GetSelection())
		if err == nil {
			answer = describe(t.List)
		}
		return err
	})
	if refused != nil {
		return nil, statusOf(refused)
	}
	return answer, nil
}

// arrive returns why a request did not arrive or could not be decoded, in words for its caller. It stands within run,
// so that bytes that are no message are counted and are the caller's fault.
func (a *API) arrive(ctx context.Context, err, undecoded error) error {
	ended := callOf(ctx).arrived()
	switch {
	case ended != nil:
		return ended
	case status.Code(err) == codes.ResourceExhausted: // gRPC has sent this, with its own words
		return tooManyBytes(a.o.MaxRequestBytes)
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fstore.Errorf(fstore.ErrInvalid, "the request did not arrive: %v", err)
	}
	if undecoded != nil {
		return undecoded
	}
	return callOf(ctx).turn(ctx)
}

// codec is gRPC's for protobuf, except that an encoded answer is sent as it is, and that a received tells its receiver
// what is wrong with its bytes: gRPC itself would answer INTERNAL, as if the fault were here.
type codec struct{ encoding.CodecV2 }

// received is a request, or why it could not be decoded, and the budget of it and then of its answer.
type received[M any] struct {
	message M
	most    int // bytes that it may have; gRPC's own limit holds for all services of the port. 0: only that
	err     error
	lease   lease
}

// take decodes a request; err says what is wrong with its bytes.
func (r *received[M]) take(data []byte) { r.err = r.decode(data) }

func tooManyBytes(most int) error {
	return fstore.Errorf(fstore.ErrTooLarge, "the request has more than %d bytes", most)
}

// decode decodes a request whose elements are not too many.
func (r *received[M]) decode(data []byte) error {
	if r.most > 0 && len(data) > r.most {
		return tooManyBytes(r.most)
	}
	bytes, err := sizeOfMessage(data)
	if err != nil {
		return err
	}
	if err := r.lease.hold.To(bytes); err != nil {
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
func (a *API) guardedCall(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			a.core.Panicked(server.Method{Transport: "grpc", Name: info.FullMethod}, p)
			answer, err = nil, statusOf(server.Fault)
		}
	}()
	if ended := callOf(ctx).ended(); ended != nil {
		return nil, ended
	}
	return handle(ctx, req)
}

// get answers a request, which it leaves empty.
func (a *API) get(ctx context.Context, r *received[fstorev1.GetOnlineFeaturesRequest]) (encoded, error) {
	req := &r.message
	t, err := a.selected(ctx, req.GetSelection())
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
	answer, err := a.core.Lookup(ctx, t, keys, events, &r.lease.hold)
	if err != nil {
		return encoded{}, err
	}
	defer answer.Release()
	span := a.core.Encoding(ctx)
	e, err := partsOf(t).encode(answer)
	if err == nil {
		span.Count("fstore.bytes", int64(len(*e.buf)))
	}
	span.End()
	if err != nil {
		return encoded{}, err
	}
	if err := r.lease.hold.To(int64(cap(*e.buf))); err != nil {
		server.Buffers.Put(e.buf)
		return encoded{}, err
	}
	a.core.LogServed(ctx, t, keys, answer)
	proto.Reset(req)
	e.lease = &r.lease
	return e, nil
}

// selected returns what a request names, by the selection of its message.
func (a *API) selected(ctx context.Context, selection any) (*server.Target, error) {
	switch by := selection.(type) {
	case *fstorev1.GetOnlineFeaturesRequest_Service:
		return a.core.Resolve(ctx, by.Service, nil)
	case *fstorev1.DescribeFeaturesRequest_Service:
		return a.core.Resolve(ctx, by.Service, nil)
	case *fstorev1.GetOnlineFeaturesRequest_Features:
		return a.core.Resolve(ctx, "", refsOf(by.Features))
	case *fstorev1.DescribeFeaturesRequest_Features:
		return a.core.Resolve(ctx, "", refsOf(by.Features))
	case *fstorev1.GetOnlineFeaturesRequest_Model:
		return a.core.ResolveModel(ctx, modelOf(by.Model))
	case *fstorev1.DescribeFeaturesRequest_Model:
		return a.core.ResolveModel(ctx, modelOf(by.Model))
	}
	return nil, server.NotOneSelection()
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
