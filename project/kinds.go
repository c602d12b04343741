package project

import (
	"context"
	"errors"

	fstore "github.com/fstore-dev/fstore"
)

// kinds are the kinds of errors with the names that programs know them by (--progress json). The first match counts.
var kinds = []struct {
	kind error
	name string
}{
	{fstore.ErrUsage, "usage"},
	{fstore.ErrCheck, "check"},
	{fstore.ErrDefinition, "definition"},
	{fstore.ErrConflict, "conflict"},
	{fstore.ErrUnavailable, "unavailable"},
	{fstore.ErrBusy, "busy"},
	{context.DeadlineExceeded, "deadline_exceeded"},
	{fstore.ErrUnauthenticated, "unauthenticated"},
	{fstore.ErrForbidden, "forbidden"},
	{fstore.ErrNotReady, "not_ready"},
	{fstore.ErrNotFound, "not_found"},
	{fstore.ErrTooLarge, "too_large"},
	{fstore.ErrCorrupt, "corrupt"},
	{fstore.ErrInvalid, "invalid"},
	{context.Canceled, "stopped"},
}

// KindOf returns the name of an error's kind, and the kind. An error of no kind is its own, "failed".
func KindOf(err error) (name string, kind error) {
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			return k.name, k.kind
		}
	}
	return "failed", err
}

// kindNamed returns the kind of a name that KindOf gave; nil if it gave none.
func kindNamed(name string) error {
	for _, k := range kinds {
		if k.name == name {
			return k.kind
		}
	}
	return nil
}
