package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
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

// Certificates, keys and CAs are exchanged while requests run, and none of them fails.
func TestCertificatesAreReloadedWhileRequestsRun(t *testing.T) {
	clients := certtest.New(t, "clients", time.Now())
	own := clients.Issue(t, "client")
	s := newSecured(t, clients, nil)
	files := certtest.Pair{Certificate: s.files.Certificate, Key: s.files.Key}
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := s.askGRPC(t, credentials.NewTLS(s.config(t, &own))); err != nil {
					t.Errorf("gRPC: %v", err)
				}
				if code, _, err := s.askHTTP(t, s.config(t, &own)); err != nil || code != 200 {
					t.Errorf("HTTP: %d %v", code, err)
				}
			}
		})
	}
	for range 10 {
		s.ca.Issue(t, "server").Copy(t, files)
		s.LookAtCertificates()
		served, err := s.serial(t, &own)
		want, errWant := certfile.Pair(files.Certificate, files.Key, time.Now())
		if err != nil || errWant != nil || served != want.Leaf.SerialNumber.String() {
			t.Errorf("the new certificate is not in service: %v %v", err, errWant)
		}
	}
	close(stop)
	all.Wait()
	if n := strings.Count(s.log.String(), "new TLS certificates are in service"); n != 10 {
		t.Errorf("%d reloads in the log:\n%s", n, s.log)
	}
}

// serial returns the number of the certificate that HTTP serves.
func (s *secured) serial(t *testing.T, own *certtest.Pair) (string, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.web, "https://"), s.config(t, own))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// A new file that cannot be used leaves the one before in service. That is logged once, and counted.
func TestABrokenNewCertificateLeavesTheOldInService(t *testing.T) {
	clients := certtest.New(t, "clients", time.Now())
	own := clients.Issue(t, "client")
	s := newSecured(t, clients, nil)
	files := certtest.Pair{Certificate: s.files.Certificate, Key: s.files.Key}
	before, err := s.serial(t, &own)
	if err != nil {
		t.Fatal(err)
	}
	next, other := s.ca.Issue(t, "next"), s.ca.Issue(t, "other")
	good := certtest.Pair{Certificate: t.TempDir() + "/c", Key: t.TempDir() + "/k"}
	certtest.Pair{Certificate: files.Certificate, Key: files.Key}.Copy(t, good)
	for n, c := range []struct {
		what     string
		from, to string
		says     string
	}{
		{"a key of another certificate", other.Key, files.Key, "is not the private key of"},
		{"a key in place of the certificate", other.Key, files.Certificate, "has a private key but no certificate"},
		{"an expired certificate", s.ca.IssueUntil(t, "old", time.Now().Add(-time.Minute)).Certificate, files.Certificate, "expired at"},
		{"a CA file without a CA", other.Key, clients.File, "has a private key but no certificate"},
	} {
		t.Run(c.what, func(t *testing.T) {
			ca := t.TempDir() + "/ca"
			certtest.Copy(t, clients.File, ca)
			certtest.Copy(t, c.from, c.to)
			s.LookAtCertificates()
			s.LookAtCertificates()
			if now, err := s.serial(t, &own); err != nil || now != before {
				t.Errorf("serves %s, %v; want %s", now, err, before)
			}
			if lines := strings.Count(s.log.String(), "cannot be used"); lines != n+1 || !strings.Contains(s.log.String(), c.says) {
				t.Errorf("%d lines, want %d with %q:\n%s", lines, n+1, c.says, s.log)
			}
			good.Copy(t, files)
			certtest.Copy(t, ca, clients.File)
			s.LookAtCertificates()
		})
	}
	if _, text := s.call(t, "GET", "/metrics", ""); !containsText(text, "fstore_tls_reload_failures_total 4") {
		t.Error("the failures are not counted")
	}
	if n := strings.Count(s.log.String(), "in order again"); n != 4 {
		t.Errorf("%d recoveries in the log:\n%s", n, s.log)
	}
	if strings.Contains(s.log.String(), "PRIVATE KEY-----\n") {
		t.Error("the log quotes a key")
	}
	next.Copy(t, files)
	s.LookAtCertificates()
	if now, err := s.serial(t, &own); err != nil || now == before {
		t.Errorf("a good one afterwards: serves %s, %v", now, err)
	}
}

// A client that does not finish its handshake takes the place of a connection, does not hold up the drain, and is not
// waited for for ever.
func TestHandshakesAreBounded(t *testing.T) {
	s := newSecured(t, nil, nil)
	for name, dial := range map[string]func() net.Conn{
		"gRPC": func() net.Conn { return s.rawGRPC(t) },
		"HTTP": func() net.Conn { return s.rawHTTP(t) },
	} {
		closed := make(chan error, server.MaxConnections+1)
		for range server.MaxConnections + 1 {
			conn := dial()
			_ = conn.SetReadDeadline(time.Now().Add(server.HeaderTimeout / 2)) // before the handshake's own deadline
			go func() {
				_, _ = conn.Write([]byte{0x16, 0x03, 0x01}) // a record begins
				_, err := conn.Read(make([]byte, 1))
				closed <- err
			}()
		}
		if err := <-closed; err == nil || isTimeout(err) {
			t.Errorf("%s: no connection of %d is refused: %v", name, server.MaxConnections+1, err)
		}
	}
	start := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > server.HeaderTimeout/2 {
		t.Errorf("the drain took %s", took)
	}
	if n := s.grpc.Connections(); n != 0 {
		t.Errorf("%d connections are still known", n)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// What bounds and drains promise holds over TLS as well.
func TestBoundsHoldOverTLS(t *testing.T) {
	t.Setenv(overTLS, "1")
	for name, test := range map[string]func(*testing.T){
		"budgets are given back":               TestBudgetsAreGivenBack,
		"many columns":                         TestRequestsOfManyColumnsAreRefused,
		"beyond the budget":                    TestRequestsBeyondTheBudgetAreRefusedAtOnce,
		"large bodies":                         TestALargeBodyCostsAMultipleOfItself,
		"drain finishes":                       TestDrainFinishesWhatIsUnderWay,
		"a connection kept open":               TestAConnectionKeptOpenIsAnsweredWhileDraining,
		"drain ends":                           TestDrainEndsWhatTakesTooLong,
		"a connection that has not greeted":    TestAConnectionThatHasNotGreetedDoesNotHoldUpTheDrain,
		"a client that does not read is cut":   TestAClientThatDoesNotReadIsCutOff,
		"the right paths":                      TestPathsAndMethods,
		"answers over HTTP are what they were": TestPostOnlineFeatures,
	} {
		t.Run(name, test)
	}
}

// deaf is a connection that stops reading.
type deaf struct {
	net.Conn
	stop <-chan struct{}
	over chan struct{}
	once *sync.Once
}

// Close ends what Read waits for.
func (d deaf) Close() error {
	d.once.Do(func() { close(d.over) })
	return d.Conn.Close()
}

func (d deaf) Read(p []byte) (int, error) {
	select {
	case <-d.stop:
		<-d.over
		return 0, io.EOF
	default:
		return d.Conn.Read(p)
	}
}

// A client that does not read its answer keeps neither its connection nor the answer's bytes.
func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	var late atomic.Int64
	w := shop(t, func(o *server.Options) {
		o.Clock = func() time.Time { return servertest.Now.Add(time.Duration(late.Load())) }
	})
	stop := make(chan struct{})
	creds := insecure.NewCredentials()
	if w.ca != nil {
		creds = credentials.NewTLS(clientConfig(t, w.ca, nil))
	}
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			c, err := w.pipe.DialContext(ctx)
			return deaf{c, stop, make(chan struct{}), &sync.Once{}}, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := fstorev1.NewFeatureStoreClient(conn)
	if _, err := client.GetOnlineFeatures(t.Context(), byService("churn", int64s("customer_id", 1))); err != nil {
		t.Fatal(err)
	}
	arrived, release := w.hold()
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = client.GetOnlineFeatures(ctx, byService("churn", int64s("customer_id", make([]int64, 10_000)...)))
	}()
	<-arrived
	close(stop)
	release()
	for end := time.Now().Add(20 * time.Second); w.grpc.Connections() > 0 || w.InFlight().Used() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections, %d bytes in flight", w.grpc.Connections(), w.InFlight().Used())
		}
		late.Add(int64(time.Second)) // a minute is over
	}
	cancel()
	<-answered
}
