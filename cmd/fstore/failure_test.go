package main

import (
	"bytes"
	"errors"
	"testing"

	fstore "github.com/fstore-dev/fstore"
)

// Each of several errors stands with its hint, even where others have the same.
func TestHintsStandWithTheirErrors(t *testing.T) {
	var stderr bytes.Buffer
	a := &app{stderr: &stderr}
	one := func(view, hint string) error {
		return fstore.Errorf(fstore.ErrCheck, "%s leaks", view).WithHint("%s", hint)
	}
	if got := a.fail(errors.Join(one("a@1", "look back"), one("b@1", "state availability"), one("c@1", "look back"))); got != statusCheck {
		t.Errorf("status %d", got)
	}
	want := "fstore: a@1 leaks\nhint: look back\nb@1 leaks\nhint: state availability\nc@1 leaks\nhint: look back\n"
	if got := stderr.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
