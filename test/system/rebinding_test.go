package system

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A page whose name was made to resolve to this machine asks as if the server were its own: its name is the request's Host,
// its site the Origin.
func TestPagesOfOtherHostsAreNotAnswered(t *testing.T) {
	r, plain := servedShop(t)
	plain.kill()
	r.env = append(r.env, "FSTORE_SERVE_HOSTS=features.example.com, 10.0.0.7")
	s := r.serve()
	_, port, err := net.SplitHostPort(s.http)
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"service":"churn","entities":{"customer_id":[12003]}}`
	for _, c := range []struct {
		host   string
		header []string
		code   int
		says   string
	}{
		{"localhost", nil, 200, ""},
		{"LocalHost.:" + port, nil, 200, ""},
		{"127.0.0.1:" + port, nil, 200, ""},
		{"127.3.2.1", nil, 200, ""},
		{"[::1]:" + port, nil, 200, ""},
		{"[::1]", nil, 200, ""},
		{"[::ffff:127.0.0.1]", nil, 200, ""},
		{"features.example.com:80", nil, 200, ""},
		{"Features.Example.Com", nil, 200, ""},
		{"10.0.0.7:1", nil, 200, ""},
		{"localhost", []string{"Origin", "http://localhost:3000"}, 200, ""},
		{"localhost", []string{"Origin", "https://features.example.com"}, 200, ""},

		{"rebound.example.com", nil, 421, "rebound.example.com"},
		{"rebound.example.com:" + port, nil, 421, "serve.hosts"},
		{"localhost.example.com", nil, 421, ""},
		{"features.example.com.evil.example", nil, 421, ""},
		{"127.0.0.1.nip.io", nil, 421, ""},
		{"10.0.0.8", nil, 421, ""},
		{"0.0.0.0", nil, 421, ""},
		{"[::]", nil, 421, ""},
		{"localhost", []string{"Origin", "http://rebound.example.com"}, 403, "rebound.example.com"},
		{"localhost", []string{"Origin", "null"}, 403, ""},
		{"localhost", []string{"Origin", ""}, 403, ""},
		{"localhost", []string{"Origin", "localhost"}, 403, ""},
		{"localhost", []string{"Origin", "http://localhost", "Origin", "http://rebound.example.com"}, 403, ""},
		{"localhost", []string{"Content-Type", "text/plain"}, 415, "application/json"},
		{"localhost", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, ""},
		{"localhost", []string{"Content-Type", "application/json; charset=utf-16"}, 415, ""},
		{"localhost", []string{"Content-Type", "application/jsonx"}, 415, ""},
		{"localhost", []string{"Content-Type", ""}, 415, ""},
		{"localhost", []string{"Content-Type", "Application/JSON; charset=UTF-8"}, 200, ""},
	} {
		for _, path := range []string{"/v1/online-features", "/metrics", "/healthz", "/readyz"} {
			method, want := http.MethodGet, c.code
			if path == "/v1/online-features" {
				method = http.MethodPost
			} else if want == 415 {
				want = 200
			}
			req, err := http.NewRequestWithContext(context.Background(), method, s.url(path), strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Host = c.host
			req.Header.Set("Content-Type", "application/json")
			for i := 0; i < len(c.header); i += 2 {
				if c.header[i] == "Content-Type" {
					req.Header.Del("Content-Type")
				}
				if c.header[i] != "Content-Type" || c.header[i+1] != "" {
					req.Header.Add(c.header[i], c.header[i+1])
				}
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			said, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != want || want == c.code && !bytes.Contains(said, []byte(c.says)) {
				t.Errorf("%s %s for %s, %q: %d %.300s, want %d %s", method, path, c.host, c.header, resp.StatusCode, said, want, c.says)
			}
			if want != 200 && bytes.Contains(said, []byte("77.58")) {
				t.Errorf("%s for %s tells a value: %s", path, c.host, said)
			}
		}
	}
}

// A browser's request to the gRPC port gets nothing: it does not begin as HTTP/2 does.
func TestTheGRPCPortDoesNotAnswerBrowsers(t *testing.T) {
	_, s := servedShop(t)
	conn, err := net.Dial("tcp", s.grpc)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /fstore.v1.FeatureStore/GetOnlineFeatures HTTP/1.1\r\nHost: rebound.example.com\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(conn) // a connection that is reset is as good as one that is closed
	if bytes.Contains(got, []byte("HTTP/1")) {
		t.Errorf("got %q", got)
	}
}

// Without TLS and authentication the server listens on loopback only, unless it is told to.
func TestServeOpensNoDoorUnasked(t *testing.T) {
	r, plain := servedShop(t)
	plain.kill()
	for _, c := range []struct {
		args   []string
		env    string
		status int
		says   string
	}{
		{args: []string{"--grpc", "0.0.0.0:0", "--http", "127.0.0.1:0"}, status: 2, says: "--grpc: 0.0.0.0:0 is open to other machines"},
		{args: []string{"--grpc", ":0", "--http", "127.0.0.1:0"}, status: 2, says: "--grpc: :0 is open to other machines"},
		{args: []string{"--grpc", "127.0.0.1:0", "--http", "[::]:0"}, status: 2, says: "--http: [::]:0 is open to other machines"},
		{args: []string{"--grpc", "127.0.0.1:0"}, env: "FSTORE_SERVE_HTTP=0.0.0.0:0", status: 3, says: "FSTORE_SERVE_HTTP: 0.0.0.0:0 is open to other machines"},
		{args: []string{"--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--no-auth=false"}, env: "FSTORE_SERVE_NO_AUTH=perhaps", status: -2, says: ""},
		{args: []string{"--grpc", "127.0.0.1:0"}, env: "FSTORE_SERVE_NO_AUTH=perhaps", status: 3, says: "neither true nor false"},
		{args: []string{"--grpc", "127.0.0.1:0"}, env: "FSTORE_SERVE_INSECURE_NO_TLS=perhaps", status: 3, says: "neither true nor false"},
		{args: []string{"--grpc", "127.0.0.1:0"}, env: "FSTORE_SERVE_INSECURE=true", status: 3, says: "FSTORE_SERVE_INSECURE is not a setting any more"},
		{args: []string{"--grpc", "0.0.0.0:0", "--http", "127.0.0.1:0", "--insecure"}, status: 2, says: "--insecure is not a setting any more"},
		{args: []string{"--grpc", "0.0.0.0:0", "--http", "127.0.0.1:0", "--insecure-no-tls"}, status: 2, says: "--grpc: 0.0.0.0:0 is open to other machines, without authentication\n"},
		{args: []string{"--grpc", "127.0.0.1:0", "--http", "0.0.0.0:0", "--no-auth"}, status: 2, says: "--http: 0.0.0.0:0 is open to other machines, without TLS\n"},
		{args: []string{"--grpc", "127.0.0.1:0"}, env: "FSTORE_SERVE_HOSTS=http://x", status: 3, says: "is not the name or address of a host"},
		{args: []string{"--grpc", "127.0.0.1:0"}, env: "FSTORE_SERVE_MAX_IN_FLIGHT=1MB", status: 3, says: "the minimum is 16MB"},
		{args: []string{"--grpc", "127.0.0.1:0"}, env: "FSTORE_SERVE_CACHE=64", status: 3, says: "is not an amount of memory for records"},
		{args: []string{"--grpc", "127.0.0.1:0"}, env: "FSTORE_SERVE_CACHE=100KB", status: 3, says: "the minimum is 1MB; 0 keeps no records"},
		{args: []string{"--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"}, env: "FSTORE_SERVE_CACHE=64MB", status: -2},
		{args: []string{"--grpc", "0.0.0.0:0", "--http", "0.0.0.0:0", "--insecure-no-tls", "--no-auth"}, status: -2},
		{args: []string{"--grpc", "0.0.0.0:0", "--http", "localhost:0", "--insecure-no-tls"}, env: "FSTORE_SERVE_NO_AUTH=true", status: -2},
		{args: []string{"--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", "0.0.0.0:0"}, status: -2},
	} {
		some := *r
		some.env = append(append([]string{}, r.env...), "FSTORE_SERVE_METRICS=127.0.0.1:0")
		if c.env != "" {
			some.env = append(some.env, c.env)
		}
		if c.status == -2 { // it serves
			p, out := some.start(append([]string{"serve"}, c.args...)...)
			line := make([]byte, 5)
			if _, err := io.ReadFull(out, line); err != nil || string(line) != "grpc " {
				t.Errorf("%v %s: %v\n%s", c.args, c.env, err, p.log)
			}
			p.kill()
			continue
		}
		got := some.run(append([]string{"serve"}, c.args...)...)
		if got.status != c.status || !strings.Contains(got.stderr, c.says) || got.stdout != "" {
			t.Errorf("%v %s: status %d, want %d with %q\n%s%s", c.args, c.env, got.status, c.status, c.says, got.stdout, got.stderr)
		}
	}
}
