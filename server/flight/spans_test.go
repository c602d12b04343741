package flight_test

import (
	"bytes"
	"io"
	"testing"

	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"

	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/tracing/tracingtest"
)

// Each call of Flight has one span beneath the caller's, which says how it ended, and nothing of what callers send: neither labels nor
// names that do not exist.
func TestSpansOfFlight(t *testing.T) {
	collector := tracingtest.Start(t)
	tracer, flush := collector.Tracer(t)
	w := newWorld(t, noSets, func(o *server.Options) { o.Tracer = tracer })
	w.put(t, "kept", "churn@1", 10)
	const trace, parent, secret = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "s3cret"
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+trace+"-"+parent+"-01", "x-"+secret, secret)
	if _, err := w.upload(ctx, labels(0, 20)); err != nil { // whose rows have notes
		t.Fatal(err)
	}
	rows := func(ticket string) error {
		stream, err := w.client.DoGet(ctx, &arrowflight.Ticket{Ticket: []byte(ticket)})
		if err != nil {
			return err
		}
		for {
			if _, err := stream.Recv(); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	info, err := w.client.GetFlightInfo(ctx, &arrowflight.FlightDescriptor{Type: arrowflight.DescriptorPATH, Path: []string{"training_sets", "kept"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := rows(string(info.Endpoint[0].Ticket.Ticket)); err != nil {
		t.Fatal(err)
	}
	if err := rows(secret); err == nil {
		t.Fatal("a ticket that the server has not given is answered")
	}
	if _, err := w.client.GetFlightInfo(ctx, &arrowflight.FlightDescriptor{Type: arrowflight.DescriptorPATH, Path: []string{"training_sets", secret}}); err == nil {
		t.Fatal("a training set that does not exist has information")
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	flush()
	codes := map[string][]string{}
	for _, s := range collector.Spans() {
		if s.Parent != parent || s.Trace != trace || s.Failed != "" || s.Attributes["fstore.transport"] != "flight" { // a mistake of a caller is no failure
			t.Errorf("%+v", s)
		}
		codes[s.Name] = append(codes[s.Name], s.Attributes["fstore.code"])
	}
	want := map[string][]string{"DoPut": {"OK"}, "GetFlightInfo": {"OK", "NOT_FOUND"}, "DoGet": {"OK", "INVALID_ARGUMENT"}}
	if d := cmp.Diff(want, codes); d != "" {
		t.Errorf("codes by method (-want +got):\n%s", d)
	}
	for _, of := range []string{secret, "note 1"} {
		if bytes.Contains(collector.Raw(), []byte(of)) {
			t.Errorf("%q is in what was exported", of)
		}
	}
}
