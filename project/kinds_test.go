package project

import (
	"context"
	"errors"
	"fmt"
	"testing"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
)

// Each kind has a name of its own, and an error of several kinds the first of theirs.
func TestKindsAndTheirNames(t *testing.T) {
	for _, k := range kinds {
		name, kind := KindOf(fmt.Errorf("made: %w", k.kind))
		if name != k.name || !errors.Is(kind, k.kind) || !errors.Is(kindNamed(name), k.kind) {
			t.Errorf("%s: %v, %s, %v", k.name, kind, name, kindNamed(name))
		}
	}
	other := errors.New("other")
	if name, kind := KindOf(other); kind != other || name != "failed" || kindNamed(name) != nil {
		t.Error(kind, name, kindNamed(name))
	}
}

// A caller of the server gets the kinds that it can do something about. Nothing that only the operator can mend, such as a
// credential that the store refuses, becomes the caller's.
func TestKindsOfACommandForCallers(t *testing.T) {
	want := map[string]error{
		"usage": fstore.ErrInvalid, "invalid": fstore.ErrInvalid, "check": fstore.ErrCheck, "conflict": fstore.ErrConflict,
		"not_found": fstore.ErrNotFound, "not_ready": fstore.ErrNotReady, "too_large": fstore.ErrTooLarge, "corrupt": server.ErrDamaged,
		"unavailable": server.ErrAway, "busy": server.ErrAway, "stopped": server.ErrAway,
	}
	for _, k := range append(kinds, struct {
		kind error
		name string
	}{nil, "failed"}) {
		err := (&commandError{Kind: k.name, Message: "it failed", Hints: []string{"try"}}).asError()
		if want[k.name] != nil {
			if !errors.Is(err, want[k.name]) {
				t.Errorf("%s: %v, want %v", k.name, err, want[k.name])
			}
			continue
		}
		for _, kind := range []error{fstore.ErrInvalid, fstore.ErrForbidden, fstore.ErrUnauthenticated, fstore.ErrDefinition, server.ErrAway, context.DeadlineExceeded} {
			if errors.Is(err, kind) {
				t.Errorf("%s: %v is the caller's", k.name, err)
			}
		}
	}
}
