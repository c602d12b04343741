package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

func TestKindsOfErrorHaveCodes(t *testing.T) {
	live := context.Background()
	over, cancel := context.WithDeadline(live, time.Unix(0, 0))
	defer cancel()
	gone, leave := context.WithCancel(live)
	leave()
	const store = "the online store cannot answer now; try again"
	for _, c := range []struct {
		name    string
		ctx     context.Context //nolint:containedctx // of one case
		err     error
		code    codes.Code
		http    int
		message string
	}{
		{"invalid", live, fstore.Errorf(fstore.ErrInvalid, "bad"), codes.InvalidArgument, 400, "bad"},
		{"wrapped", live, fmt.Errorf("look up: %w", fstore.Errorf(fstore.ErrInvalid, "bad").WithHint("good")), codes.InvalidArgument, 400, "look up: bad"},
		{"not found", live, fstore.Errorf(fstore.ErrNotFound, "none"), codes.NotFound, 404, "none"},
		{"not ready", live, fstore.Errorf(fstore.ErrNotReady, "soon"), codes.FailedPrecondition, 409, "soon"},
		{"too large", live, fstore.Errorf(fstore.ErrTooLarge, "big"), codes.ResourceExhausted, 413, "big"},
		{"conflict", live, fstore.Errorf(fstore.ErrConflict, "moved"), codes.Aborted, 409, "moved"},
		{"no catalog", live, errNoCatalog, codes.Unavailable, 503, "the server has not read the registry yet; try again"},
		{"unavailable", live, fstore.Errorf(fstore.ErrUnavailable, "dial 10.0.0.7"), codes.Unavailable, 503, store},
		{"a store that is set up wrong", live, fmt.Errorf("%w: %w", online.ErrUnusable, fstore.Errorf(fstore.ErrInvalid, "10.0.0.7: NOAUTH")), codes.Unavailable, 503, store},
		{"the store's own time-out", live, fmt.Errorf("%w: %w", fstore.ErrUnavailable, context.DeadlineExceeded), codes.Unavailable, 503, store},
		{"the request's deadline, whatever the store says", over, fstore.Errorf(fstore.ErrUnavailable, "i/o"), codes.DeadlineExceeded, 504, "the deadline passed before the answer was ready"},
		{"a mistake, found as the deadline passed", over, fstore.Errorf(fstore.ErrInvalid, "bad"), codes.InvalidArgument, 400, "bad"},
		{"deadline", live, context.DeadlineExceeded, codes.DeadlineExceeded, 504, "the deadline passed before the answer was ready"},
		{"the caller went away", gone, errors.New("read: closed"), codes.Canceled, 499, "the caller went away"},
		{"corrupt", live, fstore.Errorf(fstore.ErrCorrupt, "key 07"), codes.DataLoss, 500, "the online store has unreadable data; the server's log has details"},
		{"any other", live, errors.New("password=hunter2"), codes.Internal, 500, "a fault in the server; its log has details"},
		{"definition", live, fstore.Errorf(fstore.ErrDefinition, "x.yaml"), codes.Internal, 500, "a fault in the server; its log has details"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Refuse(c.ctx, c.err)
			if r.Code != c.code || r.HTTP != c.http || r.Message != c.message {
				t.Errorf("got %v %d %q, want %v %d %q", r.Code, r.HTTP, r.Message, c.code, c.http, c.message)
			}
			if r.callers() != (c.code != codes.Internal && c.code != codes.DataLoss && c.code != codes.Unavailable && c.code != codes.DeadlineExceeded) {
				t.Errorf("callers() = %v", r.callers())
			}
		})
	}
}

func TestHintIsApartFromTheMessage(t *testing.T) {
	r := Refuse(context.Background(), fmt.Errorf("look up: %w", fstore.Errorf(fstore.ErrNotReady, "not published").WithHint("run: fstore materialize a")))
	if r.Message != "look up: not published" || r.Hint != "run: fstore materialize a" {
		t.Errorf("got message %q and hint %q", r.Message, r.Hint)
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	r := Refuse(context.Background(), fstore.Errorf(fstore.ErrInvalid, "%s\xff", strings.Repeat("ü", 4000)))
	if len(r.Message) > maxMessage+len("…") || !strings.HasSuffix(r.Message, "ü…") {
		t.Errorf("got %d bytes, ending %q", len(r.Message), r.Message[len(r.Message)-8:])
	}
}

func TestFailuresAreLoggedOnceASecond(t *testing.T) {
	f := &failures{kinds: map[string]*failureKind{}}
	at := func(ms int, kind string) string {
		unsaid, ok := f.due(time.Unix(0, 0).Add(time.Duration(ms)*time.Millisecond), kind, time.Second)
		return fmt.Sprint(unsaid, ok)
	}
	for _, c := range []struct {
		ms   int
		kind string
		want string
	}{{0, "a", "0 true"}, {10, "a", "0 false"}, {20, "b", "0 true"}, {999, "a", "0 false"}, {1000, "a", "2 true"}, {1001, "a", "0 false"}} {
		if got := at(c.ms, c.kind); got != c.want {
			t.Errorf("%s at %d ms: got %s, want %s", c.kind, c.ms, got, c.want)
		}
	}
}
