package usage

import (
	"errors"
	"fmt"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
)

// Of turns an error about an argument or flag, which what names, into a usage error.
func Of(what string, err error) error {
	if err == nil {
		return nil
	}
	message, hints := fstore.Explain(err)
	return fstore.Errorf(fstore.ErrUsage, "%s%s", what, message).WithHint("%s", strings.Join(hints, "; "))
}

// In prefixes an error about the value of a command or flag with its name. Other errors stay as they are.
func In(name string, err error) error {
	if errors.Is(err, fstore.ErrUsage) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return err
}

// Flagged prefixes an error about the value of a flag with the flag's name.
func Flagged(flag string, err error) error { return fmt.Errorf("%s %w", flag, err) }

// Duration sets a duration to the value of a flag that has one.
func Duration(flag, value string, d *time.Duration) error {
	if value == "" {
		return nil
	}
	parsed, err := fstore.ParseDuration(value)
	if err == nil {
		*d = time.Duration(parsed)
	}
	return Of(flag+": ", err)
}
