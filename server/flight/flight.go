// Package flight is training sets over Arrow Flight: labels go up, a training set is made from them, and its rows come
// down. It is a service of the gRPC port, behind the same doors as look-ups.
//
// It knows the protocol, Arrow and Parquet, and neither the engine nor where files are: for those it has Sets. It decodes what
// callers send only after its own checks (check.go), since Arrow's decoder trusts the sender. Rows stream in both
// directions: no call holds more than a group of rows.
package flight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/access"
)

// Options configure an API.
type Options struct {
	Project string // that the training sets are of
	Runs    int    // training sets that are made at a time
	Queue   int    // that may wait for their turn
}

// API is the Flight service of a server.
type API struct {
	flight.BaseFlightServer
	core     *server.Server
	sets     Sets
	o        Options
	turns    *turns
	reads    places
	puts     places
	previews places
}

// These are how many calls may run at a time. Each holds up to tens of megabytes of memory, and a preview also keeps a file.
const (
	maxReads    = 16
	maxPuts     = 4
	maxPreviews = 16
)

// New returns the Flight service of a server.
func New(core *server.Server, sets Sets, o Options) *API {
	return &API{core: core, sets: sets, o: o, turns: newTurns(o.Runs, o.Queue), reads: newPlaces(maxReads), puts: newPlaces(maxPuts), previews: newPlaces(maxPreviews)}
}

// Register registers the service.
func (a *API) Register(g *grpc.Server) { flight.RegisterFlightServiceServer(g, a) }

const serviceName = "/arrow.flight.protocol.FlightService/"

// methods are those that do something, and whether a call of one may finish while the server drains.
var methods = map[string]server.LongMethod{
	"GetFlightInfo": {Method: method("GetFlightInfo")},
	"GetSchema":     {Method: method("GetSchema")},
	"ListFlights":   {Method: method("ListFlights"), Stream: true},
	"ListActions":   {Method: method("ListActions"), Stream: true},
	"DoGet":         {Method: method("DoGet"), Stream: true, Finishes: true},
	"DoPut":         {Method: method("DoPut"), Stream: true},
	"DoAction":      {Method: method("DoAction"), Stream: true},
}

func method(name string) server.Method { return server.Method{Transport: "flight", Name: name} }

// Method returns what is to be known of a method of the service, by its full name.
func (a *API) Method(full string) (server.LongMethod, bool) {
	name, ok := strings.CutPrefix(full, serviceName)
	if !ok {
		return server.LongMethod{}, false
	}
	m, ok := methods[name]
	if !ok {
		m = server.LongMethod{Method: method("other"), Stream: true}
	}
	return m, true
}

// run runs a call, and returns its error as gRPC has it.
func (a *API) run(ctx context.Context, name string, do func(context.Context) error) error {
	if refused := a.core.RunLong(ctx, method(name), do); refused != nil {
		return refused.Status()
	}
	return nil
}

// Handshake implements flight.FlightServer. Callers send their credential with every call.
func (a *API) Handshake(stream flight.FlightService_HandshakeServer) error {
	return a.run(stream.Context(), "Handshake", func(context.Context) error {
		return fstore.Errorf(fstore.ErrInvalid, "there is no handshake").WithHint("send the header authorization: Bearer TOKEN with every call")
	})
}

// ListActions implements flight.FlightServer.
func (a *API) ListActions(_ *flight.Empty, stream flight.FlightService_ListActionsServer) error {
	return a.run(stream.Context(), "ListActions", func(context.Context) error {
		if err := stream.Send(&flight.ActionType{
			Type:        createAction,
			Description: "Make a training set, or find the one that was made from the same inputs. The body is JSON: name; service, features or model; labels (a digest) or labels_sql.",
		}); err != nil {
			return err
		}
		return stream.Send(&flight.ActionType{
			Type:        previewAction,
			Description: "Compute labels with their features, without a name or a record. The body is JSON as above, without a name. The results end with a summary, and then the pieces of a Parquet file.",
		})
	})
}

// found returns a training set that the caller has a scope for. A caller whose grants are restricted does not learn
// which other names there are.
func (a *API) found(ctx context.Context, scope access.Scope, name string) (*Set, error) {
	if err := a.core.MaySome(ctx, scope); err != nil {
		return nil, err
	}
	if err := fstore.CheckName(name); err != nil {
		return nil, err
	}
	set, err := a.sets.Find(ctx, name)
	all := a.core.May(ctx, scope, "")
	switch {
	case err == nil && a.covers(ctx, scope, set):
		a.core.Asked(ctx, set.Service, 0)
		return set, nil
	case all == nil, err != nil && !errors.Is(err, fstore.ErrNotFound):
		return nil, err
	}
	return nil, noGrant(scope, name)
}

// covers reports whether a grant of the caller is for everything, or for the service of a training set.
func (a *API) covers(ctx context.Context, scope access.Scope, set *Set) bool {
	return a.core.May(ctx, scope, "") == nil || set.Service != "" && a.core.May(ctx, scope, set.Service) == nil
}

func noGrant(scope access.Scope, name string) error {
	return fstore.Errorf(fstore.ErrForbidden, "the caller has no grant of %s for training set %s", scope, name).
		WithHint("ask for the grant %s@PROJECT", scope)
}

// ticket names what DoGet sends. It is JSON.
type ticket struct {
	Project string `json:"project"`
	Name    string `json:"training_set"`
	SHA256  string `json:"sha256"` // of the file, so that a ticket is of one training set, and not of a later one
	As      form   `json:"as"`
}

// form is how DoGet sends a training set.
type form string

// The forms.
const (
	asBatches form = "batches" // as record batches
	asBytes   form = "bytes"   // the bytes of the Parquet file: a column "bytes", a row for each piece
)

func (t ticket) encode() ([]byte, error) { return json.Marshal(t) }

// maxTicket bounds a ticket.
const maxTicket = 1000

func (a *API) ticketOf(b []byte) (t ticket, err error) {
	if len(b) > maxTicket || decodeJSON(b, &t) != nil || t.As != asBatches && t.As != asBytes {
		return t, fstore.Errorf(fstore.ErrInvalid, "the ticket is not one of this server").WithHint("take the ticket of GetFlightInfo")
	}
	if t.Project != a.o.Project {
		return t, fstore.Errorf(fstore.ErrInvalid, "the ticket is of project %.40q, and this server serves %s", t.Project, a.o.Project)
	}
	return t, nil
}

// decodeJSON decodes one JSON object, all of whose members are known.
func decodeJSON(b []byte, into any) error {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more than one object")
	}
	return nil
}

// places bounds calls of a kind.
type places chan struct{}

func newPlaces(n int) places { return make(places, n) }

// take takes a place until leave.
func (p places) take(what string) (leave func(), err error) {
	select {
	case p <- struct{}{}:
		return func() { <-p }, nil
	default:
		return nil, server.Full(time.Second, "%d %s at a time, which is the limit; try again", cap(p), what)
	}
}

// pathOf returns the path of a descriptor, which has a name for what it is about.
func pathOf(d *flight.FlightDescriptor) ([]string, error) {
	path := d.GetPath()
	if d.GetType() != flight.DescriptorPATH || len(path) == 0 {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the descriptor has no path").WithHint(pathHint)
	}
	return path, nil
}

const pathHint = `a path of the descriptor: ["training_sets", NAME] to read one, ["labels"] to send labels`

func badPath(path []string) error {
	return fstore.Errorf(fstore.ErrInvalid, "%s is not a path of this server", fmt.Sprintf("%.100q", path)).WithHint(pathHint)
}
