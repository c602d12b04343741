package system

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/internal/certfile"
	"github.com/fstore-dev/fstore/internal/certfile/certtest"
)

// The program serves over TLS, asks clients for certificates, follows renewed files, and says what is wrong with files.
func TestTheProgramOverTLS(t *testing.T) {
	r, plain := servedShop(t)
	ca, clients := certtest.New(t, "server", time.Now()), certtest.New(t, "clients", time.Now())
	own, me, other := ca.Issue(t, "server"), clients.Issue(t, "me"), ca.Issue(t, "other")
	ask := func(s *served, args ...string) result {
		return r.run(append([]string{"get", "--grpc", s.grpc, "--service", "churn", "--entity", "customer_id=12003"}, args...)...)
	}
	if got := ask(plain, "--tls-ca", ca.File); got.status != 1 || !strings.Contains(got.stderr, "does not speak TLS") {
		t.Errorf("TLS to a plain port: %d %s", got.status, got.stderr)
	}
	plain.kill()

	files := []string{"--tls-certificate", own.Certificate, "--tls-key", own.Key}
	s := r.serve(append(files, "--tls-client-ca", clients.File)...)
	mine := []string{"--tls-ca", ca.File, "--tls-certificate", me.Certificate, "--tls-key", me.Key}
	if got := ask(s, mine...); got.status != 0 || !strings.Contains(got.stdout, "77.58") {
		t.Errorf("with a certificate: %d %s%s", got.status, got.stdout, got.stderr)
	}
	if got := ask(s, mine[:2]...); got.status != 7 || !strings.Contains(got.stderr, "asks for a client certificate") {
		t.Errorf("without a certificate: %d %s", got.status, got.stderr)
	}
	if got := ask(s); got.status != 6 || !strings.Contains(got.stderr, "no server answers") {
		t.Errorf("in plain text: %d %s", got.status, got.stderr)
	}
	pool, err := certfile.Pool(ca.File, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := certfile.Pair(me.Certificate, me.Key, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{*pair}, MinVersion: tls.VersionTLS12}
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	defer web.CloseIdleConnections()
	resp, err := web.Post("https://"+s.http+"/v1/online-features", "application/json", strings.NewReader(`{"service":"churn","entities":{"customer_id":[12003]}}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !strings.Contains(string(text), "77.58") {
		t.Errorf("over HTTP: %v %s", err, text)
	}

	ca.Issue(t, "server").Copy(t, own)
	serial := func() string {
		conn, err := tls.Dial("tcp", s.http, config)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	for end := time.Now().Add(time.Minute); serial() != "4"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the new certificate is not in service\n%s", s.log)
		}
	}
	s.kill()

	r.env = append(r.env, "FSTORE_SERVE_METRICS=127.0.0.1:0", "FSTORE_SERVE_GRPC=127.0.0.1:0", "FSTORE_SERVE_HTTP=127.0.0.1:0")
	secret, err := os.ReadFile(other.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--tls-certificate", own.Certificate}, "fstore: --tls-certificate: has no key\nhint: give the certificate's private key as serve.tls.key"},
		{[]string{"--tls-key", own.Key}, "fstore: --tls-key: has no certificate\n"},
		{[]string{"--tls-client-ca", clients.File}, "fstore: --tls-client-ca: has no effect without TLS\n"},
		{[]string{"--tls-certificate", own.Certificate, "--tls-key", other.Key}, "fstore: --tls-key: the key " + other.Key + " is not the private key of the certificate"},
		{[]string{"--tls-certificate", "nope.pem", "--tls-key", own.Key}, "nope.pem cannot be read: no such file"},
		{append(files, "--tls-client-ca", other.Key), "fstore: --tls-client-ca: the CA file " + other.Key + " has a private key but no certificate"},
		{append(files, "--grpc", "0.0.0.0:0"), "--grpc: 0.0.0.0:0 is open to other machines, without authentication\n"},
	} {
		got := r.run(append([]string{"serve"}, c.args...)...)
		if got.status != 2 || !strings.Contains(got.stderr, c.says) {
			t.Errorf("%v: %d %s, want %s", c.args, got.status, got.stderr, c.says)
		}
		if strings.Contains(got.stderr, strings.Split(string(secret), "\n")[1]) {
			t.Errorf("%v: the key is in the error", c.args)
		}
	}
}
