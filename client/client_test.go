package client_test

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/online"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// scripted is a connection that answers each call with the next of its replies, and then with the last one again.
type scripted struct {
	grpc.ClientConnInterface
	replies []any // an error or a message
	calls   int
}

func (s *scripted) Invoke(ctx context.Context, _ string, _, out any, _ ...grpc.CallOption) error {
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	reply := s.replies[min(s.calls, len(s.replies)-1)]
	s.calls++
	if err, ok := reply.(error); ok {
		return err
	}
	proto.Merge(out.(proto.Message), reply.(proto.Message))
	return nil
}

var away = status.Error(codes.Unavailable, "the online store cannot answer now; try again")

// busy returns the error of a server that may answer after some time.
func busy(t *testing.T, after time.Duration) error {
	s, err := status.New(codes.ResourceExhausted, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

// A busy server is not asked again before the time that it names.
func TestABusyServerIsLeftAloneAsLongAsItAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if _, err := client.New(&scripted{replies: []any{busy(t, time.Second), whole()}}, client.Options{}).Get(t.Context(), client.Request{}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < time.Second || took > 2*time.Second {
			t.Errorf("asked again after %s", took)
		}
	})
}

// An error of a busy server says when to try again.
func TestABusyServersErrorSaysWhenToTryAgain(t *testing.T) {
	_, err := client.New(&scripted{replies: []any{busy(t, 1500*time.Millisecond)}}, client.Options{Attempts: 1}).Get(t.Context(), client.Request{})
	if message, hints := fstore.Explain(err); !strings.Contains(message, "busy") || len(hints) != 1 || hints[0] != "try again in 1.5s" {
		t.Errorf("got %q, hints %q", message, hints)
	}
}

func whole() *fstorev1.GetOnlineFeaturesResponse {
	return &fstorev1.GetOnlineFeaturesResponse{Rows: 2, Features: []*fstorev1.Feature{{
		Name: "x", Type: "int64", Int64Values: []int64{1, 2}, Statuses: []byte{0, 1},
		EventTimestamps: []int64{5, 6}, EventValidity: []byte{1},
	}}}
}

func TestUnavailableAndBusyAreRetriedAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		name    string
		replies []any
		options client.Options
		calls   int
		kind    error
	}{
		{"away and back", []any{away, away, whole()}, client.Options{}, 3, nil},
		{"no retries", []any{away, whole()}, client.Options{Attempts: 1}, 1, fstore.ErrUnavailable},
		{"too many", []any{away}, client.Options{Attempts: 3}, 3, fstore.ErrUnavailable},
		{"the caller's fault", []any{status.Error(codes.InvalidArgument, "no"), whole()}, client.Options{}, 1, fstore.ErrInvalid},
		{"too large", []any{status.Error(codes.ResourceExhausted, "too large"), whole()}, client.Options{}, 1, fstore.ErrTooLarge},
		{"busy", []any{busy(t, time.Millisecond), whole()}, client.Options{}, 2, nil},
		{"busy beyond the deadline", []any{busy(t, time.Hour), whole()}, client.Options{}, 1, fstore.ErrBusy},
		{"busy, no retries", []any{busy(t, 0), whole()}, client.Options{Attempts: 1}, 1, fstore.ErrBusy},
		{"then another error", []any{away, status.Error(codes.NotFound, "gone")}, client.Options{}, 2, fstore.ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := &scripted{replies: c.replies}
			_, err := client.New(conn, c.options).Get(t.Context(), client.Request{})
			if conn.calls != c.calls || !errors.Is(err, c.kind) {
				t.Errorf("got %d calls and %v, want %d and %v", conn.calls, err, c.calls, c.kind)
			}
		})
	}
}

// A deadline ends the retries, and the error tells of both: the deadline, and why the server did not answer.
func TestRetriesEndWithTheDeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	conn := &scripted{replies: []any{away}}
	c := client.New(cancels{conn, cancel, 2}, client.Options{Timeout: time.Hour})
	_, err := c.Get(ctx, client.Request{})
	if !errors.Is(err, fstore.ErrUnavailable) || !errors.Is(err, context.Canceled) || conn.calls != 2 {
		t.Errorf("cancelled: got %v after %d calls", err, conn.calls)
	}
	c = client.New(&scripted{replies: []any{away}}, client.Options{Timeout: time.Millisecond})
	_, err = c.Describe(t.Context(), client.Selection{})
	if !errors.Is(err, fstore.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("timed out: got %v", err)
	}
}

// cancels ends the caller's context in the nth call.
type cancels struct {
	*scripted
	cancel context.CancelFunc
	nth    int
}

func (c cancels) Invoke(ctx context.Context, method string, in, out any, o ...grpc.CallOption) error {
	if c.calls == c.nth-1 {
		defer c.cancel()
	}
	return c.scripted.Invoke(ctx, method, in, out, o...)
}

func TestAnswersThatAreNotWholeAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, want string
		spoil      func(*fstorev1.GetOnlineFeaturesResponse)
	}{
		{"whole", "", func(*fstorev1.GetOnlineFeaturesResponse) {}},
		{"values", "2 values for 3 rows", func(r *fstorev1.GetOnlineFeaturesResponse) { r.Rows = 3 }},
		{"statuses", "1 statuses for 2 rows", func(r *fstorev1.GetOnlineFeaturesResponse) { r.Features[0].Statuses = []byte{1} }},
		{"event times", "1 event times for 2 rows", func(r *fstorev1.GetOnlineFeaturesResponse) { r.Features[0].EventTimestamps = []int64{5} }},
		{"their validity", "event times for 2 rows", func(r *fstorev1.GetOnlineFeaturesResponse) { r.Features[0].EventValidity = []byte{1, 1} }},
		{"validity alone", "0 event times for 2 rows", func(r *fstorev1.GetOnlineFeaturesResponse) { r.Features[0].EventTimestamps = nil }},
		{"no values", "0 values for 2 rows", func(r *fstorev1.GetOnlineFeaturesResponse) { r.Features[0].Int64Values = nil }},
		{"no values and no type", "it has no values set", func(r *fstorev1.GetOnlineFeaturesResponse) {
			r.Features[0].Int64Values, r.Features[0].Type = nil, ""
		}},
		{"another type", "its type is int64", func(r *fstorev1.GetOnlineFeaturesResponse) {
			r.Features[0].Int64Values, r.Features[0].BoolValues = nil, []bool{true, false}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reply := whole()
			c.spoil(reply)
			_, err := client.New(&scripted{replies: []any{reply}}, client.Options{}).Get(t.Context(), client.Request{})
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, fstore.ErrCorrupt) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A status of a newer server is one that this client knows: the value is the default, or null.
func TestUnknownStatusesAreNullValues(t *testing.T) {
	reply := whole()
	reply.Features[0].Statuses = []byte{200, 0}
	a, err := client.New(&scripted{replies: []any{reply}}, client.Options{}).Get(t.Context(), client.Request{})
	if err != nil || a.Features[0].Status(0) != online.NullValue || a.Features[0].Status(1) != online.Present {
		t.Errorf("got %v, %v", a, err)
	}
}

func TestTypedValues(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)
	for _, c := range []fstore.Column{
		client.Keys("x", true, false), client.Keys("x", int32(1), -1), client.Keys("x", int64(1)<<53+1), client.Keys("x", float32(0.5)),
		client.Keys("x", 1e300, 2), client.Keys("x", "a", ""), client.Keys("x", []byte{1}, nil), client.Keys("x", at),
	} {
		a := &client.Answer{Answer: online.Answer{Rows: c.Len, Features: []online.AnswerFeature{{Column: c}}}}
		var err error
		same := false
		switch want := c.Value(0).(type) {
		case bool:
			same, err = isFirst(a, want)
		case int32:
			same, err = isFirst(a, want)
		case int64:
			same, err = isFirst(a, want)
		case float32:
			same, err = isFirst(a, want)
		case float64:
			same, err = isFirst(a, want)
		case string:
			same, err = isFirst(a, want)
		case time.Time:
			same, err = isFirst(a, want)
		case []byte:
			values, failed := client.Values[[]byte](a, "x")
			same, err = failed == nil && slices.Equal(values[0], want), failed
		}
		if err != nil || !same || c.Len == 0 {
			t.Errorf("%s: %v", c.Type, err)
		}
	}
	a := &client.Answer{Answer: online.Answer{Rows: 1, Features: []online.AnswerFeature{{Column: client.Keys("x", int64(1))}}}}
	if _, err := client.Values[string](a, "x"); !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "feature x is int64, not string") {
		t.Errorf("another type: got %v", err)
	}
	if _, err := client.Values[string](a, "y"); !errors.Is(err, fstore.ErrNotFound) {
		t.Errorf("no feature: got %v", err)
	}
}

func isFirst[T interface {
	client.Value
	comparable
}](a *client.Answer, want T) (bool, error) {
	values, err := client.Values[T](a, "x")
	return err == nil && values[0] == want, err
}

func TestNoServerAtAnAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c, err := client.Open(l.Addr().String(), client.Options{Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Get(t.Context(), client.Request{})
	if !errors.Is(err, fstore.ErrUnavailable) || !strings.HasPrefix(err.Error(), "no server answers at "+l.Addr().String()) {
		t.Errorf("got %v", err)
	}
}

// Serving code must not carry an engine, a store's driver or cgo with it.
func TestTheClientIsLight(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{len .CgoFiles}} {{.Standard}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		path, cgo, standard := fields[0], fields[1] != "0", fields[2] == "true"
		if cgo && !standard {
			t.Errorf("%s uses cgo", path)
		}
		if inner, ours := strings.CutPrefix(path, "github.com/fstore-dev/fstore/"); ours && !slices.Contains([]string{"client", "online/answers", "proto/fstore/v1", "internal/certfile", "regular"}, inner) {
			t.Errorf("the client imports %s", path)
		}
		for _, heavy := range []string{"duckdb", "redis", "sqlite", "parquet", "prometheus", "viper", "cobra"} {
			if strings.Contains(path, heavy) {
				t.Errorf("the client imports %s", path)
			}
		}
	}
}
