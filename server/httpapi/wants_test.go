package httpapi

import (
	"errors"
	"strings"
	"testing"
)

// wantRefusal checks an error's kind, and that its message contains a text.
func wantRefusal(t *testing.T, err, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got error %v, want one of kind %v", err, kind)
	}
	if !strings.Contains(err.Error(), text) {
		t.Errorf("got message %q, want it to contain %q", err, text)
	}
}
