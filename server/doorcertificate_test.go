package server_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/internal/certfile"
	"github.com/fstore-dev/fstore/internal/certfile/certtest"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/fstore-dev/fstore/server/servertest"
)

// A verified client certificate leads to the grants of its entry, over both protocols; one without an entry does not.
func TestAClientCertificateHasGrants(t *testing.T) {
	ca := certtest.New(t, "ca", time.Now())
	own := ca.Issue(t, "server")
	certificates, err := server.OpenCertificates(server.CertificateFiles{Certificate: own.Certificate, Key: own.Key, ClientCA: ca.File}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	churn, err := access.ParseGrant("online:read@shop/service:churn")
	if err != nil {
		t.Fatal(err)
	}
	control, err := access.New(t.Context(), access.Options{Clock: time.Now, Tokens: &access.Text[[]access.Token]{
		Read: func(context.Context) ([]byte, error) { return nil, nil },
		Parse: func([]byte) ([]access.Token, error) {
			return []access.Token{{Name: "mesh", Certificate: "checkout", Grants: []access.Grant{churn}}}, nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *server.Options) { o.Access, o.Project, o.Certificates = control, "shop", certificates })
	w.Shop(t)
	grpcAt, webAt := listen(t), listen(t)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, w.overGRPC(grpcAt), w.overHTTP(webAt)) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	w.refresh()
	for _, who := range []struct {
		name    string
		service string
		code    codes.Code
		http    int
		kind    error
	}{
		{"checkout", "churn", codes.OK, 200, nil},
		{"checkout", "both", codes.PermissionDenied, 403, fstore.ErrForbidden},
		{"stranger", "churn", codes.Unauthenticated, 401, fstore.ErrUnauthenticated},
	} {
		pair := ca.Issue(t, who.name)
		c, err := client.Open(grpcAt.Addr().String(), client.Options{Attempts: 1, TLS: &client.TLS{CA: ca.File, Certificate: pair.Certificate, Key: pair.Key}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Describe(context.Background(), client.Selection{Service: who.service})
		if who.kind == nil && err != nil || who.kind != nil {
			servertest.WantRefusal(t, err, who.kind, "")
		}
		roots, err := certfile.Pool(ca.File, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		mine, err := certfile.Pair(pair.Certificate, pair.Key, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{*mine}, MinVersion: tls.VersionTLS12}}
		answer, err := (&http.Client{Transport: transport}).Post("https://"+webAt.Addr().String()+"/v1/describe", "application/json", strings.NewReader(`{"service":"`+who.service+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		transport.CloseIdleConnections()
		if answer.StatusCode != who.http {
			t.Errorf("%s asks for %s: got %d, want %d", who.name, who.service, answer.StatusCode, who.http)
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
