package server_test

import (
	"crypto/tls"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/fstore-dev/fstore/internal/certfile"
	"github.com/fstore-dev/fstore/internal/certfile/certtest"
)

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
