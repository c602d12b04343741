package tracing

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTroubleIsLoggedOnceAMinuteForEachKind(t *testing.T) {
	var w warnings
	for i, step := range []struct {
		after  time.Duration // the first
		inPart bool
		unsaid int
		ok     bool
	}{
		{0, false, 0, true},
		{time.Second, false, 0, false},
		{2 * time.Second, true, 1, true},
		{3 * time.Second, true, 0, false},
		{59 * time.Second, false, 0, false},
		{time.Minute, false, 2, true},
		{time.Minute, true, 0, false},
		{62 * time.Second, true, 1, true},
	} {
		if unsaid, ok := w.due(time.Unix(0, 0).Add(step.after), step.inPart); unsaid != step.unsaid || ok != step.ok {
			t.Errorf("step %d: %d, %v, want %d, %v", i, unsaid, ok, step.unsaid, step.ok)
		}
	}
	if !w.over() || w.over() {
		t.Error("a warning ends once")
	}
	if _, ok := w.due(time.Unix(70, 0), false); ok || w.over() {
		t.Error("a warning that was not logged ends")
	}
}

// Every part of a secret is hidden, also where the text is cut within it.
func TestAReasonNeverHasASecret(t *testing.T) {
	secrets := secretsOf("Bearer s3cret-credential")
	for before := range maxReason + 10 {
		for _, repeated := range []string{"s3cret-credential", "Bearer s3cret-credential"} {
			got := reason(errors.New(strings.Repeat("x", before)+repeated+strings.Repeat("y", maxReason)), secrets)
			if strings.Contains(got, "s3") {
				t.Fatalf("%d bytes before it: %s", before, got)
			}
		}
	}
	if len(secretsOf("short")) != 0 {
		t.Error("a short value would garble messages")
	}
}
