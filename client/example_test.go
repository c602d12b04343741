package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"google.golang.org/grpc"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// Serving code asks for the features of two customers.
func Example() {
	address, stop := startServer() // yours: fstore serve
	defer stop()

	c, err := client.Open(address, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // retries end with it
	defer cancel()

	answer, err := c.Get(ctx, client.Request{
		Selection: client.Selection{Service: "churn"},
		Keys:      []fstore.Column{client.Keys("customer_id", int64(12003), 99999)},
	})
	switch {
	case errors.Is(err, fstore.ErrNotFound):
		log.Fatal("no such service: ", err)
	case err != nil:
		log.Fatal(err)
	}
	values, err := client.Values[float64](answer, "order_value")
	if err != nil {
		log.Fatal(err)
	}
	f := answer.Feature("order_value")
	for row, value := range values {
		fmt.Println(value, f.Column.IsNull(row), f.Status(row))
	}
	// Output:
	// 77.58 false PRESENT
	// 0 true NOT_FOUND
}

type sample struct {
	fstorev1.UnimplementedFeatureStoreServer
}

func (sample) GetOnlineFeatures(context.Context, *fstorev1.GetOnlineFeaturesRequest) (*fstorev1.GetOnlineFeaturesResponse, error) {
	return &fstorev1.GetOnlineFeaturesResponse{Rows: 2, Features: []*fstorev1.Feature{{
		Name: "order_value", Type: "float64", Float64Values: []float64{77.58, 0}, Validity: []byte{0b01}, Statuses: []byte{0, 2},
	}}}, nil
}

// startServer starts a server that answers every request with a sample.
func startServer() (address string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer()
	fstorev1.RegisterFeatureStoreServer(s, sample{})
	go s.Serve(l) //nolint:errcheck // Stop ends it
	return l.Addr().String(), s.Stop
}
