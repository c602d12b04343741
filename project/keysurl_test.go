package project

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/access"
)

func TestKeysAreReadFromAURL(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		_, _ = w.Write([]byte(`{"keys":[]}`))
	}))
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/large":
			_, _ = w.Write(make([]byte, access.MaxKeySet+1))
		case "/header":
			w.Header().Set("X-Long", strings.Repeat("x", 128<<10))
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
		case "/error":
			w.WriteHeader(http.StatusInternalServerError)
		case "/slow":
			<-r.Context().Done()
		default:
			_, _ = w.Write([]byte(`{"keys":[]}`))
		}
	}))
	defer s.Close()
	for path, want := range map[string]string{
		"/keys": "", "/redirect": "302 Found; it must be 200 OK, without a redirect", "/large": "has more than 1048576 bytes",
		"/header": "response headers", "/cut": "EOF", "/error": "500 Internal Server Error", "/slow": "Timeout",
	} {
		t.Run(path[1:], func(t *testing.T) {
			k := newKeysURL(s.URL + path)
			if path == "/slow" {
				k.client.Timeout = time.Millisecond
			}
			text, err := k.read(t.Context())
			if want == "" {
				if err != nil || string(text) != `{"keys":[]}` {
					t.Errorf("%s %v", text, err)
				}
				return
			}
			if !errors.Is(err, fstore.ErrUnavailable) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
	if _, err := newKeysURL("http://127.0.0.1:1/keys").read(t.Context()); !errors.Is(err, fstore.ErrUnavailable) {
		t.Error(err)
	}
}

func TestMistakesInSettingsOfAuthentication(t *testing.T) {
	for yaml, want := range map[string]string{
		"jwt: {issuer: a, audience: b}": "fstore.yaml:2:8: serve.auth.jwt.jwks: is missing",
		"jwt: {audience: b}":            "serve.auth.jwt.issuer: is missing",
		"jwt: {issuer: a, audience: b, jwks: 'http://issuer.example.com/keys'}":         "is not an https URL",
		"jwt: {issuer: a, audience: b, jwks: 'ftp://issuer.example.com/keys'}":          "is not the URL of a key set",
		"jwt: {issuer: a, audience: b, jwks: 'https://u:planted@issuer.example.com/k'}": "the URL has a user",
		"jwt: {clock_skew: 1h}":   "is not a difference of clocks",
		"jwt: {clock_skew: soon}": "is not a difference of clocks",
		"jwt: {secret: x}":        "serve.auth.jwt.secret is not a setting",
	} {
		_, err := settings(t, write(t, "project: shop\nserve: {auth: {"+yaml+"}}\n"), nil, nil)
		if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(want, "fstore.yaml:2:8: ")) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: got %v, want %q", yaml, err, want)
		}
	}
	s, err := settings(t, write(t, "project: shop\nserve: {auth: {jwt: {issuer: a, audience: b, jwks: 'http://127.0.0.1:8080/keys', clock_skew: 5s}}}\n"), nil, nil)
	if err != nil || s.Auth.ClockSkew != 5*time.Second || !s.authenticated() {
		t.Errorf("%+v %v", s, err)
	}
	s, err = settings(t, write(t, "project: shop\nserve: {auth: {tokens: .fstore/tokens.yaml}, audit: audit.log}\n"), nil, nil)
	if err != nil || !s.authenticated() || s.Audit != s.Dir+"/audit.log" {
		t.Errorf("%+v %v", s, err)
	}
}
