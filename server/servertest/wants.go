package servertest

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// WantRefusal checks an error's kind, and that its message contains a text.
func WantRefusal(t *testing.T, err, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got error %v, want one of kind %v", err, kind)
	}
	if !strings.Contains(err.Error(), text) {
		t.Errorf("got message %q, want it to contain %q", err, text)
	}
}

// WantStatus checks a gRPC error's code, and that its message contains a text.
func WantStatus(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if got := status.Code(err); got != code {
		t.Errorf("got code %v (%v), want %v", got, err, code)
	}
	if got := status.Convert(err).Message(); !strings.Contains(got, text) {
		t.Errorf("got message %q, want it to contain %q", got, text)
	}
}
