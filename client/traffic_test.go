package client_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// wholeServer answers every look-up with whole. It refuses the first.
type wholeServer struct {
	fstorev1.UnimplementedFeatureStoreServer
	asked []*fstorev1.GetOnlineFeaturesRequest
}

func (s *wholeServer) GetOnlineFeatures(_ context.Context, r *fstorev1.GetOnlineFeaturesRequest) (*fstorev1.GetOnlineFeaturesResponse, error) {
	if s.asked = append(s.asked, r); len(s.asked) == 1 {
		return nil, away
	}
	return whole(), nil
}

// An answer says what its call sent, in every attempt, and received.
func TestAnswersHaveTheTrafficOfTheirCalls(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, server := &wholeServer{}, grpc.NewServer()
	fstorev1.RegisterFeatureStoreServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	c, err := client.Open(l.Addr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for attempts := 2; attempts > 0; attempts-- {
		a, err := c.Get(t.Context(), client.Request{Selection: client.Selection{Service: "churn"}, Keys: []fstore.Column{client.Keys("id", int64(1), 2)}})
		if err != nil {
			t.Fatal(err)
		}
		want := client.Traffic{Sent: attempts * proto.Size(s.asked[0]), Received: proto.Size(whole())}
		if a.Traffic != want || want.Sent == 0 {
			t.Errorf("after %d attempts: got %+v, want %+v", attempts, a.Traffic, want)
		}
	}
}
