package grpcapi

import (
	"context"
	"crypto/x509"
	"strings"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/tap"

	"github.com/fstore-dev/fstore/server"
)

// enter identifies the caller of a call by its headers, before its message has arrived. Everybody may ask for health,
// which load balancers probe without a credential and which shows no data. Reflection is locked like look-ups.
func (a *API) enter(ctx context.Context, info *tap.Info) (context.Context, *server.Refusal) {
	door := server.Locked
	if strings.HasPrefix(info.FullMethodName, "/"+healthpb.Health_ServiceDesc.ServiceName+"/") {
		door = server.Open
	}
	p := server.Presented{Authorization: info.Header.Get("authorization"), Certificate: certificateOf(ctx)}
	if c := connectionOf(ctx); c != nil {
		p.Address = c.remote
	} else if from, ok := peer.FromContext(ctx); ok && from.Addr != nil {
		p.Address = from.Addr.String()
	}
	return a.core.Enter(a.o.Tracer.Remote(ctx, info.Header), a.methodOf(info.FullMethodName), door, p)
}

// methodOf returns how metrics name a method. Callers make up names, so all others are one.
func (a *API) methodOf(full string) server.Method {
	if m, ok := a.methods[full]; ok {
		return m
	}
	switch full {
	case reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName, reflectionv1alpha.ServerReflection_ServerReflectionInfo_FullMethodName:
		return grpcReflect
	}
	if m, ok := a.serviceMethod(full); ok {
		return m.Method
	}
	return server.Method{Transport: "grpc", Name: "other"}
}

// certificateOf returns the verified certificate of the client of a call; nil if it has none.
func certificateOf(ctx context.Context) *x509.Certificate {
	c := connectionOf(ctx)
	if c == nil || c.TLS() == nil || len(c.TLS().VerifiedChains) == 0 {
		return nil
	}
	return c.TLS().VerifiedChains[0][0]
}
