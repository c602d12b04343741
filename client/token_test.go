package client_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// doorman lets calls with the token "right" in, is away at first, and remembers what it saw.
type doorman struct {
	fstorev1.UnimplementedFeatureStoreServer
	away  atomic.Int32
	calls atomic.Int32
}

func (d *doorman) DescribeFeatures(ctx context.Context, _ *fstorev1.DescribeFeaturesRequest) (*fstorev1.DescribeFeaturesResponse, error) {
	d.calls.Add(1)
	sent, _ := metadata.FromIncomingContext(ctx)
	switch got := sent.Get("authorization"); {
	case d.away.Add(-1) >= 0:
		return nil, status.Error(codes.Unavailable, "away")
	case len(got) != 1 || got[0] != "Bearer right":
		return nil, status.Error(codes.Unauthenticated, "the server does not know this token")
	}
	return &fstorev1.DescribeFeaturesResponse{}, nil
}

func (d *doorman) open(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	fstorev1.RegisterFeatureStoreServer(s, d)
	go s.Serve(l) //nolint:errcheck // Stop ends it
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func describe(c *client.Client) error {
	_, err := c.Describe(context.Background(), client.Selection{Service: "churn"})
	return err
}

func TestTheTokenIsSentWithEveryAttempt(t *testing.T) {
	d := &doorman{}
	address := d.open(t)
	d.away.Store(2)
	made := 0
	c, err := client.Open(address, client.Options{TokenFrom: func(context.Context) (string, error) { made++; return "right", nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := describe(c); err != nil || made != 3 {
		t.Errorf("%v after %d tokens", err, made)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(" right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := client.Open(address, client.Options{TokenFrom: client.TokenFile(file)})
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if err := describe(read); err != nil {
		t.Error(err)
	}
	fixed, err := client.Open(address, client.Options{Token: "right"})
	if err != nil {
		t.Fatal(err)
	}
	defer fixed.Close()
	if err := describe(fixed); err != nil {
		t.Error(err)
	}
}

func TestARefusedTokenIsNotSentAgain(t *testing.T) {
	d := &doorman{}
	for _, token := range []string{"", "planted-wrong"} {
		d.calls.Store(0)
		c, err := client.Open(d.open(t), client.Options{Token: token})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := describe(c); !errors.Is(err, fstore.ErrUnauthenticated) || strings.Contains(err.Error(), "planted") || d.calls.Load() != 1 {
			t.Errorf("%q: %v after %d calls", token, err, d.calls.Load())
		}
	}
}

func TestATokenIsNotSentInPlainTextToAnotherMachine(t *testing.T) {
	for _, c := range []struct {
		address string
		o       client.Options
		refused bool
	}{
		{"127.0.0.1:1", client.Options{Token: "planted"}, false},
		{"[::1]:1", client.Options{Token: "planted"}, false},
		{"localhost:1", client.Options{Token: "planted"}, false},
		{"unix:///run/fstore", client.Options{Token: "planted"}, false},
		{"unix:1", client.Options{Token: "planted"}, true},
		{"192.0.2.1:1", client.Options{Token: "planted"}, true},
		{"localhost.example.com:1", client.Options{Token: "planted"}, true},
		{"dns:///fstore:1", client.Options{Token: "planted"}, true},
		{"192.0.2.1:1", client.Options{TokenFrom: func(context.Context) (string, error) { return "planted", nil }}, true},
		{"192.0.2.1:1", client.Options{Token: "planted", PlainToken: true}, false},
		{"192.0.2.1:1", client.Options{Token: "planted", TLS: &client.TLS{}}, false},
		{"192.0.2.1:1", client.Options{}, false},
	} {
		got, err := client.Open(c.address, c.o)
		if (err != nil) != c.refused || err != nil && (!errors.Is(err, fstore.ErrInvalid) || strings.Contains(err.Error(), "planted")) {
			t.Errorf("%s: %v", c.address, err)
		}
		if err == nil {
			got.Close()
		}
	}
}

// Over a connection that a program brings along, gRPC itself refuses.
func TestATokenIsNotSentOverAForeignPlainConnection(t *testing.T) {
	d := &doorman{}
	conn, err := grpc.NewClient(d.open(t), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := describe(client.New(conn, client.Options{Token: "right"})); err == nil || d.calls.Load() != 0 {
		t.Errorf("%v after %d calls", err, d.calls.Load())
	}
	if err := describe(client.New(conn, client.Options{Token: "right", PlainToken: true})); err != nil {
		t.Error(err)
	}
}

func TestTokensThatCannotBeSent(t *testing.T) {
	d := &doorman{}
	address := d.open(t)
	away := errors.New("the issuer is away")
	for _, c := range []struct {
		o    client.Options
		want error
	}{
		{client.Options{Token: "planted\n"}, fstore.ErrInvalid},
		{client.Options{Token: "plant ed"}, fstore.ErrInvalid},
		{client.Options{TokenFrom: func(context.Context) (string, error) { return "", away }}, away},
	} {
		opened, err := client.Open(address, c.o)
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		if err := describe(opened); !errors.Is(err, c.want) || strings.Contains(err.Error(), "plant") {
			t.Error(err)
		}
	}
	if _, err := client.Open(address, client.Options{Token: "a", TokenFrom: func(context.Context) (string, error) { return "", nil }}); !errors.Is(err, fstore.ErrInvalid) {
		t.Error(err)
	}
}
