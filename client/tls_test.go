package client_test

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/internal/certfile"
	"github.com/fstore-dev/fstore/internal/certfile/certtest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// secured starts a server with credentials of its own, and returns its address.
func secured(t *testing.T, creds credentials.TransportCredentials) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(creds))
	fstorev1.RegisterFeatureStoreServer(s, sample{})
	go s.Serve(l) //nolint:errcheck // Stop ends it
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

// overTLS returns a server's credentials. If clients is not nil, they need a certificate of it.
func overTLS(t *testing.T, own certtest.Pair, clients *certtest.CA) credentials.TransportCredentials {
	t.Helper()
	pair, err := certfile.Pair(own.Certificate, own.Key, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{*pair}, MinVersion: tls.VersionTLS12}
	if clients != nil {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		if config.ClientCAs, err = certfile.Pool(clients.File, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	return credentials.NewTLS(config)
}

// ask calls a server, as often as attempts says.
func ask(t *testing.T, address string, secure *client.TLS, attempts int) error {
	t.Helper()
	c, err := client.Open(address, client.Options{TLS: secure, Attempts: attempts, Timeout: 30 * time.Second})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Get(t.Context(), client.Request{Selection: client.Selection{Service: "churn"}})
	return err
}

func TestTLS(t *testing.T) {
	ours, foreign := certtest.New(t, "ours", time.Now()), certtest.New(t, "foreign", time.Now())
	server, us, them := ours.Issue(t, "server"), ours.Issue(t, "us"), foreign.Issue(t, "them")
	plain, oneWay, both := secured(t, insecure.NewCredentials()), secured(t, overTLS(t, server, nil)), secured(t, overTLS(t, server, ours))
	old := secured(t, overTLS(t, ours.IssueUntil(t, "old", time.Now().Add(-time.Minute)), nil))
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	go func() { // closes whatever connects, as a server does that wants TLS
		for {
			conn, err := web.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	for _, c := range []struct {
		name, address string
		secure        *client.TLS
		kind          error
		says, hint    string
	}{
		{"plain text", plain, nil, nil, "", ""},
		{"TLS", oneWay, &client.TLS{CA: ours.File}, nil, "", ""},
		{"a stated name", oneWay, &client.TLS{CA: ours.File, ServerName: "server"}, nil, "", ""},
		{"both ways", both, &client.TLS{CA: ours.File, Certificate: us.Certificate, Key: us.Key}, nil, "", ""},
		{"CAs of the system", oneWay, &client.TLS{}, fstore.ErrInvalid, "is not trusted here: certificate signed by unknown authority", "--tls-ca"},
		{"foreign CA", oneWay, &client.TLS{CA: foreign.File}, fstore.ErrInvalid, "is not trusted here", "--tls-ca"},
		{"wrong name", oneWay, &client.TLS{CA: ours.File, ServerName: "elsewhere"}, fstore.ErrInvalid, "for other names: certificate is valid for localhost, server, not elsewhere", "--tls-server-name"},
		{"expired", old, &client.TLS{CA: ours.File}, fstore.ErrInvalid, "not valid now: certificate has expired", "renew"},
		{"TLS to a plain port", plain, &client.TLS{CA: ours.File}, fstore.ErrInvalid, "does not speak TLS", "plain text"},
		{"plain text to a TLS port", oneWay, nil, fstore.ErrUnavailable, "no server answers", "may want TLS"},
		{"closed at once", web.Addr().String(), nil, fstore.ErrUnavailable, "no server answers", "may want TLS"},
		{"no client certificate", both, &client.TLS{CA: ours.File}, fstore.ErrUnauthenticated, "asks for a client certificate", "--tls-certificate"},
		{"foreign client certificate", both, &client.TLS{CA: ours.File, Certificate: them.Certificate, Key: them.Key}, fstore.ErrUnauthenticated, "refuses the client's certificate", "serve.tls.client_ca"},
		{"no file", oneWay, &client.TLS{CA: "/nowhere/ca.pem"}, fstore.ErrInvalid, "/nowhere/ca.pem cannot be read", "PEM file"},
		{"no key", oneWay, &client.TLS{Certificate: us.Certificate}, fstore.ErrInvalid, "the key is missing", "private key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			attempts, err := 0, error(nil) // a server may hang up before it has said why
			if c.kind == fstore.ErrUnavailable {
				attempts = 1
			}
			for end := time.Now().Add(20 * time.Second); ; {
				err = ask(t, c.address, c.secure, attempts)
				if attempts == 0 || err != nil && strings.Contains(err.Error(), c.says) || time.Now().After(end) {
					break
				}
			}
			if c.kind == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if message, hints := fstore.Explain(errorOr(err)); !errors.Is(err, c.kind) || !strings.Contains(message, c.says) || !strings.Contains(strings.Join(hints, ";"), c.hint) {
				t.Errorf("got %v, want %s (%s)", err, c.says, c.hint)
			}
		})
	}
}

func errorOr(err error) error {
	if err == nil {
		return errors.New("none")
	}
	return err
}

// A renewed CA and certificate are taken by the next connection.
func TestTheFilesAreReadForEachConnection(t *testing.T) {
	before, after := certtest.New(t, "before", time.Now()), certtest.New(t, "after", time.Now())
	files := before.Issue(t, "client")
	c, err := client.Open(secured(t, overTLS(t, after.Issue(t, "server"), after)),
		client.Options{TLS: &client.TLS{CA: before.File, Certificate: files.Certificate, Key: files.Key}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	request := client.Request{Selection: client.Selection{Service: "churn"}}
	if _, err := c.Get(t.Context(), request); !errors.Is(err, fstore.ErrInvalid) {
		t.Fatalf("before: %v", err)
	}
	after.Issue(t, "client").Copy(t, files)
	certtest.Copy(t, after.File, before.File)
	for end := time.Now().Add(20 * time.Second); ; {
		if _, err = c.Get(t.Context(), request); err == nil || time.Now().After(end) {
			break // the connection is dialed again after a pause
		}
	}
	if err != nil {
		t.Errorf("after: %v", err)
	}
}
