package access

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A tokens file that cannot be used is told for as long as that lasts, and not only logged.
func TestATokensFileThatCannotBeUsedIsTold(t *testing.T) {
	w := newWorld(t, []Token{}, nil)
	for _, text := range []string{"broken", "first"} {
		w.text = text
		_ = w.tokens.look(t.Context())
		if got := w.Failing(); got["tokens"] != (text == "broken") || len(got) != 1 {
			t.Errorf("%s: %v", text, got)
		}
	}
	if log := w.log.String(); !strings.Contains(log, "those read before stay in service, also those that were revoked since") {
		t.Error(log)
	}
}

// Keys that were never read cannot stay in service. A server that accepts only JWTs waits for them.
func TestKeysThatWereNeverReadAreWaitedFor(t *testing.T) {
	i := &issuer{}
	i.set(nil, errors.New("connection refused"))
	w := i.trusting(t)
	if log := w.log.String(); strings.Contains(log, "stay in service") || !strings.Contains(log, "none were read before") {
		t.Error(log)
	}
	if !w.Waits() || !w.Failing()["jwks"] {
		t.Error("the server does not wait for its keys")
	}
	i.set(map[string]crypto.Signer{"a": edKey()}, nil)
	if err := w.jwt.keys.look(t.Context()); err != nil || w.Waits() || w.Failing()["jwks"] {
		t.Errorf("%v, %v", err, w.Failing())
	}
}

// A server that ends for want of tokens does not log that it goes on.
func TestMissingTokensAreNotInService(t *testing.T) {
	w := &world{}
	_, err := New(t.Context(), Options{Clock: time.Now, Logger: slog.New(slog.NewTextHandler(w, nil)), Tokens: &Text[[]Token]{
		What: "the tokens", Read: func(context.Context) ([]byte, error) { return nil, errors.New("gone") },
	}})
	if err == nil || w.log.Len() > 0 {
		t.Errorf("%v: %s", err, w.log.String())
	}
}
