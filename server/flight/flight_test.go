package flight_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/flight"
)

var noSets = flight.Options{Runs: 1, Queue: 10}

const someDigest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func wantCode(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), text) {
		t.Errorf("got %v; want %s with %q", err, code, text)
	}
}

func (w *world) read(ctx context.Context, path ...string) (*arrowflight.FlightInfo, arrowflight.FlightService_DoGetClient, error) {
	info, err := w.client.GetFlightInfo(ctx, &arrowflight.FlightDescriptor{Type: arrowflight.DescriptorPATH, Path: path})
	if err != nil {
		return nil, nil, err
	}
	stream, err := w.client.DoGet(ctx, info.Endpoint[0].Ticket)
	return info, stream, err
}

func TestATrainingSetComesDown(t *testing.T) {
	w := newWorld(t, noSets, nil)
	set := w.put(t, "churn", "churn", 200_000)
	info, stream, err := w.read(t.Context(), "training_sets", "churn")
	if err != nil {
		t.Fatal(err)
	}
	r, err := arrowflight.NewRecordReader(stream)
	if err != nil {
		t.Fatal(err)
	}
	rows := int64(0)
	for r.Next() {
		if first := r.RecordBatch().Column(0).(*array.Int64).Value(0); first != rows {
			t.Fatalf("row %d has %d", rows, first)
		}
		rows += r.RecordBatch().NumRows()
	}
	if r.Err() != nil || rows != 200_000 || info.TotalRecords != rows {
		t.Errorf("%d rows of %d: %v", rows, info.TotalRecords, r.Err())
	}
	if seen := r.Schema().Field(1).Type; !arrow.TypeEqual(seen, arrow.FixedWidthTypes.Timestamp_us) {
		t.Errorf("an instant is %s", seen)
	}
	_, stream, err = w.read(t.Context(), "training_sets", "churn", "bytes")
	if err != nil {
		t.Fatal(err)
	}
	if r, err = arrowflight.NewRecordReader(stream); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for r.Next() {
		got.Write(r.RecordBatch().Column(0).(*array.Binary).Value(0))
	}
	if want, err := os.ReadFile(set.Path); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes, %v; want %d", got.Len(), err, len(want))
	}
}

// A file that is not the one that was made is never sent to its end, and none of its rows is.
func TestADamagedFileIsRefused(t *testing.T) {
	w := newWorld(t, noSets, nil)
	w.put(t, "churn", "churn", 200_000)
	for _, form := range []string{"batches", "bytes"} {
		checked := make(chan struct{})
		w.check = func(ctx context.Context) error {
			if form == "bytes" {
				<-checked // the file is sent meanwhile
			}
			return fstore.Errorf(server.ErrDamaged, "it is another file")
		}
		_, stream, err := w.read(t.Context(), "training_sets", "churn", form)
		if err != nil {
			t.Fatal(err)
		}
		messages := 0
		for ; err == nil; messages++ {
			if messages == 1 {
				close(checked)
			}
			_, err = stream.Recv()
		}
		wantCode(t, err, codes.DataLoss, "another file")
		if form == "batches" && messages > 1 {
			t.Errorf("%d messages of a damaged file", messages-1)
		}
	}
}

// A panic of the check ends its call, and not the server.
func TestAPanicOfTheCheckEndsItsCall(t *testing.T) {
	w := newWorld(t, noSets, nil)
	w.put(t, "churn", "churn", 10)
	w.check = func(context.Context) error { panic("a bug") }
	for _, form := range []string{"bytes", "batches"} {
		_, stream, err := w.read(t.Context(), "training_sets", "churn", form)
		for err == nil {
			_, err = stream.Recv()
		}
		wantCode(t, err, codes.Internal, "")
	}
}

// A caller that goes away ends the check.
func TestACancelledReadEndsTheCheck(t *testing.T) {
	w := newWorld(t, noSets, nil)
	w.put(t, "churn", "churn", 200_000)
	ended := make(chan error, 1)
	w.check = func(ctx context.Context) error {
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, stream, err := w.read(ctx, "training_sets", "churn", "bytes")
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTicketsAreOfOneTrainingSet(t *testing.T) {
	w := newWorld(t, noSets, nil)
	w.put(t, "churn", "churn", 10)
	info, _, err := w.read(t.Context(), "training_sets", "churn")
	if err != nil {
		t.Fatal(err)
	}
	good := string(info.Endpoint[0].Ticket.Ticket)
	get := func(ticket string) error {
		stream, err := w.client.DoGet(t.Context(), &arrowflight.Ticket{Ticket: []byte(ticket)})
		if err == nil {
			_, err = stream.Recv()
		}
		return ended(err)
	}
	if err := get(good); err != nil {
		t.Errorf("%s: %v", good, err)
	}
	wantCode(t, get(strings.Replace(good, `"shop"`, `"bank"`, 1)), codes.InvalidArgument, "project")
	wantCode(t, get(strings.Replace(good, `"churn"`, `"../churn"`, 1)), codes.InvalidArgument, "name")
	wantCode(t, get(strings.Replace(good, `"churn"`, `"other"`, 1)), codes.NotFound, "other")
	wantCode(t, get(strings.Replace(good, `"batches"`, `"shell"`, 1)), codes.InvalidArgument, "ticket")
	wantCode(t, get(good+"{}"), codes.InvalidArgument, "ticket")
	wantCode(t, get(""), codes.InvalidArgument, "ticket")
	wantCode(t, get(strings.Repeat(" ", 5000)+good), codes.InvalidArgument, "ticket")
	w.put(t, "churn", "churn", 11)
	wantCode(t, get(good), codes.Aborted, "replaced")
	for _, path := range [][]string{nil, {"training_sets"}, {"training_sets", "../x"}, {"training_sets", "churn", "text"}, {"labels"}, {"a", "b", "c", "d"}} {
		_, _, err := w.read(t.Context(), path...)
		wantCode(t, err, codes.InvalidArgument, "")
	}
}

func TestCreationsAreChecked(t *testing.T) {
	w := newWorld(t, noSets, nil)
	type body = map[string]any
	for what, b := range map[string]body{
		"name":                     {"name": "../churn", "service": "churn", "labels": someDigest},
		"one of a service":         {"name": "a", "service": "churn", "features": []string{"a.b"}, "labels": someDigest},
		"either labels":            {"name": "a", "service": "churn"},
		"not a digest":             {"name": "a", "service": "churn", "labels": "../../etc/passwd"},
		"name of a file":           {"name": "a", "service": "churn", "labels_sql": "/etc/labels.sql"},
		"at least 1":               {"name": "a", "service": "churn", "labels": someDigest, "sample": 0},
		"seed goes with sample":    {"name": "a", "service": "churn", "labels": someDigest, "seed": 3},
		"unknown field":            {"name": "a", "service": "churn", "labels": someDigest, "out": "/etc/passwd"},
		"zero byte":                {"name": "a", "service": "churn", "labels": someDigest, "timestamp": "a\x00b"},
		"is not what it should be": {"name": []int{1}},
	} {
		_, err := w.create(t.Context(), b)
		wantCode(t, err, codes.InvalidArgument, what)
	}
	_, err := w.create(t.Context(), body{"name": "a", "service": "churn", "labels_sql": strings.Repeat("x", 200_000)})
	wantCode(t, err, codes.ResourceExhausted, "limit")
	results, err := w.create(t.Context(), body{"name": "a", "service": "churn", "labels": someDigest})
	if err != nil || !strings.Contains(results[0], "progress") || results[len(results)-1] != `{"name":"a"}` {
		t.Errorf("%v, %v", results, err)
	}
}

// One training set is made at a time, others wait in their order, and those beyond the queue are refused.
func TestTrainingSetsWaitForTheirTurn(t *testing.T) {
	w := newWorld(t, flight.Options{Runs: 1, Queue: 2}, nil)
	w.begun, w.release = make(chan string), make(chan struct{})
	type result struct {
		results []string
		err     error
	}
	done := map[string]chan result{}
	ask := func(ctx context.Context, name string) {
		done[name] = make(chan result, 1)
		to := done[name]
		go func() {
			results, err := w.create(ctx, map[string]any{"name": name, "service": "churn", "labels": someDigest})
			to <- result{results, err}
		}()
	}
	ask(t.Context(), "first")
	if name := <-w.begun; name != "first" {
		t.Fatal(name)
	}
	impatient, leave := context.WithCancel(t.Context())
	stream, err := w.client.DoAction(impatient, &arrowflight.Action{Type: "fstore.create_training_set", Body: []byte(`{"name": "gone", "service": "churn", "labels": "` + someDigest + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := stream.Recv(); err != nil || !strings.Contains(string(r.Body), "waits for its turn, after 1 other") {
		t.Fatalf("%s, %v", r.GetBody(), err)
	}
	second, err := w.client.DoAction(t.Context(), &arrowflight.Action{Type: "fstore.create_training_set", Body: []byte(`{"name": "second", "service": "churn", "labels": "` + someDigest + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := second.Recv(); err != nil || !strings.Contains(string(r.Body), "after 2 others") {
		t.Fatalf("%s, %v", r.GetBody(), err)
	}
	_, err = w.create(t.Context(), map[string]any{"name": "third", "service": "churn", "labels": someDigest})
	wantCode(t, err, codes.ResourceExhausted, "serve.offline_queue")
	leave()
	w.release <- struct{}{}
	if r := <-done["first"]; r.err != nil {
		t.Error(r.err)
	}
	if name := <-w.begun; name != "second" { // gone has left the queue, or is stopped as it begins
		if name != "gone" || <-w.stopped == nil || <-w.begun != "second" {
			t.Errorf("%s began", name)
		}
	}
	w.release <- struct{}{}
	for err == nil || status.Code(err) == codes.ResourceExhausted {
		_, err = second.Recv()
	}
	if ended(err) != nil {
		t.Error(err)
	}
}

// A call that is cancelled stops its work, and so does a server that drains.
func TestACancelledCallStopsItsWork(t *testing.T) {
	w := newWorld(t, noSets, nil)
	w.begun, w.release = make(chan string), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-w.begun; cancel() }()
	if _, err := w.create(ctx, map[string]any{"name": "a", "service": "churn", "labels": someDigest}); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	if err := <-w.stopped; !errors.Is(err, context.Canceled) && status.Code(err) != codes.Canceled { // its own, or that of what it says
		t.Error(err)
	}
	drained := make(chan error, 1)
	go func() { <-w.begun; drained <- w.stop() }()
	_, err := w.create(t.Context(), map[string]any{"name": "b", "service": "churn", "labels": someDigest})
	wantCode(t, err, codes.Unavailable, "shutting down")
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if err := <-w.stopped; err == nil {
		t.Error("the work went on")
	}
}

// A server that drains lets a read finish.
func TestAReadFinishesWhileTheServerDrains(t *testing.T) {
	w := newWorld(t, noSets, func(o *server.Options) { o.DrainTimeout = time.Minute })
	w.put(t, "churn", "churn", 500_000)
	_, stream, err := w.read(t.Context(), "training_sets", "churn", "bytes")
	if err != nil {
		t.Fatal(err)
	}
	r, err := arrowflight.NewRecordReader(stream)
	if err != nil || !r.Next() {
		t.Fatal(err, r.Err())
	}
	drained := make(chan error, 1)
	go func() { drained <- w.stop() }()
	<-w.core.Draining()
	n := 1
	for r.Next() {
		n++
	}
	if r.Err() != nil || n < 2 {
		t.Errorf("%d pieces: %v", n, r.Err())
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// Scopes, per service: a caller does not learn of what its grants do not cover.
func TestScopesOfFlight(t *testing.T) {
	grants := map[string][]string{
		"reader":  {"offline:read@shop"},
		"churner": {"offline:read@shop/service:churn", "offline:create@shop/service:churn"},
		"maker":   {"offline:create@shop"},
		"online":  {"online:read@shop"},
		"bank":    {"offline:read@bank", "offline:create@bank"},
	}
	control, token := controlOf(t, grants)
	w := newWorld(t, noSets, func(o *server.Options) { o.Access, o.Project = control, "shop" })
	w.put(t, "churn", "churn", 10)
	w.put(t, "fraud", "fraud", 10)
	w.put(t, "loose", "", 10)
	as := func(name string) context.Context { return token(t.Context(), name) }
	for name, want := range map[string][]string{"reader": {"churn", "fraud", "loose"}, "churner": {"churn"}} {
		stream, err := w.client.ListFlights(as(name), &arrowflight.Criteria{})
		var names []string
		for err == nil {
			var info *arrowflight.FlightInfo
			if info, err = stream.Recv(); err == nil {
				names = append(names, info.FlightDescriptor.Path[1])
			}
		}
		if slices.Sort(names); ended(err) != nil || !slices.Equal(names, want) {
			t.Errorf("%s sees %v, %v; want %v", name, names, err, want)
		}
	}
	for _, c := range []struct {
		who, set string
		want     codes.Code
	}{
		{"reader", "fraud", codes.OK},
		{"reader", "absent", codes.NotFound},
		{"churner", "churn", codes.OK},
		{"churner", "fraud", codes.PermissionDenied},
		{"churner", "loose", codes.PermissionDenied},
		{"churner", "absent", codes.PermissionDenied},
		{"maker", "churn", codes.PermissionDenied},
		{"online", "churn", codes.PermissionDenied},
		{"bank", "churn", codes.PermissionDenied},
	} {
		_, stream, err := w.read(as(c.who), "training_sets", c.set)
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != c.want {
			t.Errorf("%s reads %s: %v; want %s", c.who, c.set, err, c.want)
		}
	}
	for _, c := range []struct {
		who  string
		body map[string]any
		want codes.Code
	}{
		{"maker", map[string]any{"name": "a", "service": "fraud", "labels": someDigest}, codes.OK},
		{"maker", map[string]any{"name": "a", "features": []string{"v.*"}, "labels_sql": "select 1"}, codes.OK},
		{"churner", map[string]any{"name": "a", "service": "churn", "labels": someDigest}, codes.OK},
		{"churner", map[string]any{"name": "churn", "service": "churn", "labels": someDigest, "replace": true}, codes.OK},
		{"churner", map[string]any{"name": "fraud", "service": "churn", "labels": someDigest, "replace": true}, codes.PermissionDenied},
		{"churner", map[string]any{"name": "a", "service": "fraud", "labels": someDigest}, codes.PermissionDenied},
		{"churner", map[string]any{"name": "a", "features": []string{"v.*"}, "labels": someDigest}, codes.PermissionDenied},
		{"churner", map[string]any{"name": "a", "service": "churn", "labels_sql": "select 1"}, codes.PermissionDenied},
		{"reader", map[string]any{"name": "a", "service": "churn", "labels": someDigest}, codes.PermissionDenied},
		{"bank", map[string]any{"name": "a", "service": "churn", "labels": someDigest}, codes.PermissionDenied},
	} {
		if _, err := w.create(as(c.who), c.body); status.Code(err) != c.want {
			t.Errorf("%s creates %v: %v; want %s", c.who, c.body, err, c.want)
		}
	}
	for who, want := range map[string]codes.Code{"maker": codes.OK, "churner": codes.OK, "reader": codes.PermissionDenied, "online": codes.PermissionDenied} {
		if _, err := w.upload(as(who), labels(0, 10)); status.Code(err) != want {
			t.Errorf("%s sends labels: %v; want %s", who, err, want)
		}
	}
	if _, err := w.upload(t.Context(), labels(0, 10)); status.Code(err) != codes.Unauthenticated {
		t.Errorf("nobody sends labels: %v", err)
	}
}
