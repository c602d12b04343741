// Package feast answers look-ups in Feast's words, for services that were written for Feast: over gRPC as
// feast.serving.ServingService, and over HTTP as POST /get-online-features. docs/feast.md says what differs from Feast.
//
// It translates requests and answers. Names, keys, ages and statuses are those of fstore's own API: server.Server
// resolves and answers every request.
package feast

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"

	"github.com/fstore-dev/fstore/online"
	feastpb "github.com/fstore-dev/fstore/proto/feast"
	"github.com/fstore-dev/fstore/server"
)

// Path is where features are asked for over HTTP.
const Path = "/get-online-features"

// The methods, as metrics and the audit log name them.
var (
	overGRPC = server.Method{Transport: "grpc", Name: "FeastGetOnlineFeatures"}
	overHTTP = server.Method{Transport: "http", Name: "FeastGetOnlineFeatures"}
	infoGRPC = server.Method{Transport: "grpc", Name: "GetFeastServingInfo"}
)

// API is Feast's interface to a server.
type API struct {
	core *server.Server
	o    server.Options
}

// New returns Feast's interface to a server.
func New(core *server.Server) *API { return &API{core, core.Options()} }

// GRPC returns the service, and its methods by name.
func (a *API) GRPC() (grpc.ServiceDesc, map[string]server.LookupMethod) {
	return feastpb.ServingService_ServiceDesc, map[string]server.LookupMethod{
		"GetOnlineFeatures":   {Method: overGRPC, New: func() server.LookupCall { return &grpcCall{api: a} }},
		"GetFeastServingInfo": {Method: infoGRPC, New: func() server.LookupCall { return &infoCall{api: a} }},
	}
}

// HTTP returns the methods by path.
func (a *API) HTTP() map[string]server.LookupMethod {
	return map[string]server.LookupMethod{
		Path: {Method: overHTTP, New: func() server.LookupCall { return &httpCall{api: a} }},
	}
}

// Stale implements server.StaleCall.
func (c *grpcCall) Stale() string { return c.request.stale }

// Stale implements server.StaleCall.
func (c *httpCall) Stale() string { return c.request.stale }

// maxStale is how many stale views a header names, so that clients accept its size.
const maxStale = 50

// staleViews names the stale views of an answer.
func staleViews(a *online.Answer) string {
	var names []string
	for _, v := range a.Versions {
		if v.Stale {
			names = append(names, v.Ref.String())
		}
	}
	if more := len(names) - maxStale; more > 0 {
		names = append(names[:maxStale], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// infoCall is a call of GetFeastServingInfo, whose request is empty.
type infoCall struct{ api *API }

// Take implements server.LookupCall.
func (*infoCall) Take([]byte, *server.Hold) error { return nil }

// Answer implements server.LookupCall.
func (c *infoCall) Answer(ctx context.Context, h *server.Hold) (*[]byte, error) {
	return c.api.core.Written(ctx, h, func(dst []byte) ([]byte, error) {
		return appendText(dst, 1, "fstore "+c.api.o.Version), nil
	})
}
