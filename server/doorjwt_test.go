package server_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/access"
)

// An address that sends too many made-up JWTs is told when to try again, over both protocols, and counts as refused for it.
func TestMadeUpJWTsAreRefusedWithATime(t *testing.T) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	keys := `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + part(string(public)) + `"}]}`
	control, err := access.New(t.Context(), access.Options{
		Clock: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
		JWT: &access.JWT{Issuer: "i", Audience: "a", Every: time.Hour, Keys: func(context.Context) ([]byte, error) { return []byte(keys), nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := shop(t, func(o *server.Options) { o.Access, o.Project = control, "shop" })
	madeUp := part(`{"alg":"EdDSA"}`) + "." + part(`{"iss":"i","aud":"a"}`) + "." + part(strings.Repeat("x", ed25519.SignatureSize))

	const enough = 1000
	code, after := 0, ""
	for n := 0; n < enough && code != http.StatusTooManyRequests; n++ {
		var header http.Header
		code, _, header = w.ask(t, "POST", "/v1/online-features", `{"service":"churn","entities":{"customer_id":[1]}}`, "Bearer "+madeUp)
		after = header.Get("Retry-After")
	}
	if code != http.StatusTooManyRequests || after != "1" {
		t.Errorf("HTTP: status %d, Retry-After %q", code, after)
	}
	for n := 0; n < enough && status.Code(err) != codes.ResourceExhausted; n++ {
		_, err = w.client.GetOnlineFeatures(withToken(madeUp), byService("churn", int64s("customer_id", 1)))
	}
	if got := status.Convert(err); got.Code() != codes.ResourceExhausted || len(got.Details()) != 1 {
		t.Errorf("gRPC: %v", err)
	}
	if n := metric(t, w.Server, "fstore_refused_requests_total", "too_many_jwts"); n != 2 {
		t.Errorf("%v requests are counted, want 2", n)
	}
}
