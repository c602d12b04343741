package usage

import (
	"errors"
	"fmt"
	"strings"

	fstore "github.com/fstore-dev/fstore"
)

// Of turns an error about an argument or a flag, which what names, into a mistake in it.
func Of(what string, err error) error {
	if err == nil {
		return nil
	}
	message, hints := fstore.Explain(err)
	return fstore.Errorf(fstore.ErrUsage, "%s%s", what, message).WithHint("%s", strings.Join(hints, "; "))
}

// In puts the name of a command or flag in front of an error about what it was given; other errors stay as they are.
func In(name string, err error) error {
	if errors.Is(err, fstore.ErrUsage) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return err
}

// Flagged puts the name of a flag in front of an error about its value.
func Flagged(flag string, err error) error { return fmt.Errorf("%s %w", flag, err) }
