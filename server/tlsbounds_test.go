package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
)

// A client that does not finish its handshake takes the place of a connection, does not hold up the drain, and is not
// waited for for ever.
func TestHandshakesAreBounded(t *testing.T) {
	const most = 10
	s := newSecured(t, nil, func(o *server.Options) {
		patient(o)
		o.MaxConnections = most
	})
	for name, dial := range map[string]func() net.Conn{
		"gRPC": func() net.Conn { return s.rawGRPC(t) },
		"HTTP": func() net.Conn { return s.rawHTTP(t) },
	} {
		closed := make(chan error, most+1)
		for range most + 1 {
			conn := dial()
			_ = conn.SetReadDeadline(time.Now().Add(soon)) // before the handshake's own deadline
			go func() {
				_, _ = conn.Write([]byte{0x16, 0x03, 0x01}) // a record begins
				_, err := conn.Read(make([]byte, 1))
				closed <- err
			}()
		}
		if err := <-closed; err == nil || isTimeout(err) {
			t.Errorf("%s: no connection of %d is refused: %v", name, most+1, err)
		}
		if refused := metric(t, s.Server, "fstore_refused_connections_total", strings.ToLower(name)); refused < 1 {
			t.Errorf("%s: %v refused connections are counted", name, refused)
		}
	}
	s.drainsSoon(t)
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
		"a part of the headers":                TestAPartOfTheHeadersDoesNotHoldUpTheDrain,
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
	for end := time.Now().Add(time.Minute); w.grpc.Connections() > 0 || w.InFlight().Used() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections, %d bytes in flight", w.grpc.Connections(), w.InFlight().Used())
		}
		late.Add(int64(time.Second)) // a minute is over
	}
	cancel()
	<-answered
}
