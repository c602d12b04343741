package server_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fstore-dev/fstore/internal/certfile"
	"github.com/fstore-dev/fstore/internal/certfile/certtest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
)

// secured is a shop over TLS.
type secured struct {
	*world
	files server.CertificateFiles
}

// newSecured returns a started shop over TLS. If clients is not nil, they need a certificate of it.
func newSecured(t *testing.T, clients *certtest.CA, change func(*server.Options)) *secured {
	t.Helper()
	ca, files := newCertificates(t)
	s := &secured{files: files}
	if clients != nil {
		s.files.ClientCA = clients.File
	}
	certificates, err := server.OpenCertificates(s.files, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s.world = newWorld(t, func(o *server.Options) {
		o.Certificates = certificates
		if change != nil {
			change(o)
		}
	})
	s.ca = ca
	s.Shop(t)
	s.start(t)
	return s
}

// config returns how a client connects that trusts the server's CA and may have a certificate.
func (s *secured) config(t *testing.T, own *certtest.Pair) *tls.Config {
	t.Helper()
	return clientConfig(t, s.ca, own)
}

func clientConfig(t testing.TB, ca *certtest.CA, own *certtest.Pair) *tls.Config {
	t.Helper()
	pool, err := certfile.Pool(ca.File, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	if own != nil {
		pair, err := certfile.Pair(own.Certificate, own.Key, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	return config
}

// askGRPC asks once over a new connection, and returns the answer's error.
func (s *secured) askGRPC(t *testing.T, creds credentials.TransportCredentials) error {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.pipe.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fstorev1.NewFeatureStoreClient(conn).GetOnlineFeatures(t.Context(), byService("churn", int64s("customer_id", 1)))
	return err
}

// askHTTP asks once over a new connection.
func (s *secured) askHTTP(t *testing.T, config *tls.Config) (int, string, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport}).Post(s.web+"/v1/online-features", "application/json",
		strings.NewReader(`{"service":"churn","entities":{"customer_id":[1]}}`))
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if r.ProtoMajor != 1 || r.TLS == nil {
		t.Errorf("answered over %s", r.Proto)
	}
	return r.StatusCode, string(text), err
}

func TestBothPortsSpeakTLS(t *testing.T) {
	s := newSecured(t, nil, nil)
	if err := s.askGRPC(t, credentials.NewTLS(s.config(t, nil))); err != nil {
		t.Errorf("gRPC: %v", err)
	}
	if code, text, err := s.askHTTP(t, s.config(t, nil)); err != nil || code != 200 || !strings.Contains(text, "10.5") {
		t.Errorf("HTTP: %d %s %v", code, text, err)
	}
	if code, text := s.call(t, "GET", "/readyz", ""); code != 200 {
		t.Errorf("the metrics port: %d %s", code, text)
	}
	if _, text := s.call(t, "GET", "/metrics", ""); !containsText(text, "fstore_tls_certificate_expiry_seconds ") || !containsText(text, "fstore_tls_reload_failures_total 0") {
		t.Error("the metrics do not have TLS")
	}

	servertest.WantStatus(t, s.askGRPC(t, insecure.NewCredentials()), codes.Unavailable, "")
	if code, text := callAt(t, http.DefaultClient, strings.Replace(s.web, "https:", "http:", 1), "POST", "/v1/online-features", "{}"); code != 400 || !containsText(text, "HTTP request to an HTTPS server") {
		t.Errorf("HTTP in plain text: %d %s", code, text)
	}
	old := s.config(t, nil)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if _, _, err := s.askHTTP(t, old); err == nil || !strings.Contains(err.Error(), "protocol version not supported") {
		t.Errorf("TLS 1.1: %v", err)
	}
	conn := tls.Client(s.rawGRPC(t), s.config(t, nil)) // without ALPN
	if err := conn.Handshake(); err == nil {
		if _, err = conn.Read(make([]byte, 1)); err == nil {
			t.Error("gRPC answers a client that does not ask for h2")
		}
	}
}

// rawHTTP returns a new connection to the HTTP port.
func (s *secured) rawHTTP(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.web, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// rawGRPC returns a new connection to the gRPC port, before the handshake.
func (s *secured) rawGRPC(t *testing.T) net.Conn {
	t.Helper()
	conn, err := s.pipe.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestClientsNeedACertificateOfTheirCA(t *testing.T) {
	ours, foreign := certtest.New(t, "ours", time.Now()), certtest.New(t, "foreign", time.Now())
	good, theirs, old := ours.Issue(t, "good"), foreign.Issue(t, "theirs"), ours.IssueUntil(t, "old", time.Now().Add(-time.Minute))
	s := newSecured(t, ours, nil)
	servers := s.ca.Issue(t, "another-server") // of the server's own CA, which is not that of clients
	for _, c := range []struct {
		name string
		own  *certtest.Pair
		says string
	}{
		{"good", &good, ""},
		{"none", nil, "certificate required"},
		{"foreign", &theirs, "unknown certificate authority"},
		{"of the server's CA", &servers, "unknown certificate authority"},
		{"expired", &old, "expired certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := s.askGRPC(t, credentials.NewTLS(s.config(t, c.own)))
			_, _, webErr := s.askHTTP(t, s.config(t, c.own))
			if (err == nil) != (c.says == "") || (webErr == nil) != (c.says == "") {
				t.Errorf("gRPC: %v, HTTP: %v", err, webErr)
			}
			if c.says == "" {
				return
			}
			for protocol, conn := range map[string]net.Conn{"h2": s.rawGRPC(t), "http/1.1": s.rawHTTP(t)} {
				config := s.config(t, c.own)
				config.NextProtos = []string{protocol}
				secured := tls.Client(conn, config)
				err := secured.Handshake()
				if err == nil {
					_, err = secured.Read(make([]byte, 1))
				}
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: got %v, want %q", protocol, err, c.says)
				}
			}
		})
	}
}

// A client that resumes a session is checked like any other: against the CAs of now.
func TestAResumedSessionIsCheckedAgainstNewCAs(t *testing.T) {
	before, after := certtest.New(t, "before", time.Now()), certtest.New(t, "after", time.Now())
	own := before.Issue(t, "client")
	s := newSecured(t, before, nil)
	config := s.config(t, &own)
	config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for range 2 {
		if _, _, err := s.askHTTP(t, config); err != nil {
			t.Fatal(err)
		}
	}
	certtest.Copy(t, after.File, before.File)
	s.LookAtCertificates()
	if _, _, err := s.askHTTP(t, config); err == nil {
		t.Error("a client whose CA is no longer trusted gets an answer")
	}
}
