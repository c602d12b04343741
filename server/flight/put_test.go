package flight_test

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore/server"
)

// The digest of labels depends on their rows, and not on how they come in batches.
func TestLabelsAreKeptByTheirRows(t *testing.T) {
	w := newWorld(t, noSets, nil)
	const rows = 20_000
	whole, err := w.upload(t.Context(), labels(0, rows))
	if err != nil || whole.Rows != rows {
		t.Fatalf("%+v, %v", whole, err)
	}
	var batches []arrow.RecordBatch
	for at, n := 0, 1; at < rows; at, n = at+n, n%997+1 {
		n = min(n, rows-at)
		batches = append(batches, labels(at, n))
	}
	if pieces, err := w.upload(t.Context(), batches...); err != nil || pieces != whole {
		t.Errorf("in %d batches: %+v, %v; want %+v", len(batches), pieces, err, whole)
	}
	if others, err := w.upload(t.Context(), labels(1, rows)); err != nil || others == whole {
		t.Errorf("other rows: %+v, %v", others, err)
	}
	if none, err := w.upload(t.Context(), labels(0, 0)); err != nil || none.Rows != 0 {
		t.Errorf("no rows: %+v, %v", none, err)
	}
	if files := w.files(t); len(files) != 3 {
		t.Errorf("files: %v", files)
	}
}

// More bytes come than look-ups may have in flight, in one stream.
func TestAnUploadTakesNoBudgetOfLookups(t *testing.T) {
	w := newWorld(t, noSets, func(o *server.Options) { o.MaxInFlight = 12 << 20 })
	const batches = 40
	all := make([]arrow.RecordBatch, batches)
	for i := range all {
		all[i] = labels(i*10_000, 10_000) // about 350 kB
	}
	if kept, err := w.upload(t.Context(), all...); err != nil || kept.Rows != batches*10_000 {
		t.Errorf("%+v, %v", kept, err)
	}
	if n := w.core.Arriving().Used(); n > 1<<20 {
		t.Errorf("%d bytes still count as arriving", n)
	}
}

func TestBrokenStreamsLeaveNothing(t *testing.T) {
	w := newWorld(t, noSets, nil)
	field := func(name string, t arrow.DataType) arrow.Field { return arrow.Field{Name: name, Type: t} }
	for what, fields := range map[string][]arrow.Field{
		"two columns": {field("a", arrow.PrimitiveTypes.Int64), field("a", arrow.PrimitiveTypes.Int64)},
		"struct":      {field("a", arrow.StructOf(field("b", arrow.PrimitiveTypes.Int64)))},
		"dictionary":  {field("a", &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String})},
		"too deep":    {field("a", arrow.ListOf(arrow.ListOf(arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Int8)))))},
		"null":        {field("a", arrow.Null)},
		"no columns":  {},
		"the name":    {field("", arrow.PrimitiveTypes.Int64)},
	} {
		_, err := w.upload(t.Context(), array.NewRecordBatch(arrow.NewSchema(fields, nil), nil, 0))
		wantCode(t, err, codes.InvalidArgument, what)
	}
	for name, send := range map[string]func(arrowflight.FlightService_DoPutClient){
		"nothing": func(arrowflight.FlightService_DoPutClient) {},
		"another path": func(s arrowflight.FlightService_DoPutClient) {
			_ = s.Send(&arrowflight.FlightData{FlightDescriptor: &arrowflight.FlightDescriptor{Type: arrowflight.DescriptorPATH, Path: []string{"..", "etc"}}})
		},
		"a command": func(s arrowflight.FlightService_DoPutClient) {
			_ = s.Send(&arrowflight.FlightData{FlightDescriptor: &arrowflight.FlightDescriptor{Type: arrowflight.DescriptorCMD, Cmd: []byte("labels")}})
		},
		"no Arrow": func(s arrowflight.FlightService_DoPutClient) {
			_ = s.Send(&arrowflight.FlightData{FlightDescriptor: labelsDescriptor, DataHeader: []byte("this is not a flatbuffer")})
		},
		"compressed": func(s arrowflight.FlightService_DoPutClient) {
			b := labels(0, 1000)
			to := arrowflight.NewRecordWriter(s, ipc.WithSchema(b.Schema()), ipc.WithZstd())
			to.SetFlightDescriptor(labelsDescriptor)
			_ = to.Write(b)
		},
		"batches first": func(s arrowflight.FlightService_DoPutClient) {
			b := labels(0, 1000)
			to := arrowflight.NewRecordWriter(skipping{s}, ipc.WithSchema(b.Schema()))
			to.SetFlightDescriptor(labelsDescriptor)
			_ = to.Write(b)
		},
	} {
		stream, err := w.client.DoPut(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		send(stream)
		_ = stream.CloseSend()
		if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	stream, err := w.client.DoPut(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b := labels(0, 50_000)
	to := arrowflight.NewRecordWriter(stream, ipc.WithSchema(b.Schema()))
	to.SetFlightDescriptor(labelsDescriptor)
	if err := to.Write(b); err != nil {
		t.Fatal(err)
	}
	cancel()                         // half-way
	if err := w.stop(); err != nil { // every call is over
		t.Error(err)
	}
	if files := w.files(t); len(files) > 0 {
		t.Errorf("left: %v", files)
	}
}

// skipping leaves out the first message, which has the schema.
type skipping struct {
	arrowflight.FlightService_DoPutClient
}

func (s skipping) Send(d *arrowflight.FlightData) error {
	if len(d.DataBody) == 0 {
		return nil
	}
	d.FlightDescriptor = labelsDescriptor
	return s.FlightService_DoPutClient.Send(d)
}

// A million batches of a row each take no more memory than a thousand.
func TestMemoryDoesNotGrowWithAMillionBatches(t *testing.T) {
	w := newWorld(t, noSets, nil)
	const rows, growth = 1_000_000, 32 << 20
	stream, err := w.client.DoPut(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	one := labels(0, 1)
	to := arrowflight.NewRecordWriter(stream, ipc.WithSchema(one.Schema()))
	to.SetFlightDescriptor(labelsDescriptor)
	var first uint64
	for i := range rows {
		if to.Write(one) != nil {
			break // Recv has the error
		}
		if (i+1)%(rows/10) > 0 {
			continue
		}
		if heap := heapInUse(); first == 0 {
			first = heap
		} else if heap > first+growth {
			t.Errorf("after %d batches %d bytes are in use, and after a tenth %d", i+1, heap, first)
		}
	}
	_ = to.Close() // likewise
	_ = stream.CloseSend()
	answer, err := stream.Recv()
	if err != nil || !strings.Contains(string(answer.AppMetadata), `"rows":1000000`) {
		t.Errorf("%s, %v", answer.GetAppMetadata(), err)
	}
}

// heapInUse returns how many bytes are in use.
func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
