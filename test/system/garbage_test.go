package system

import (
	"bytes"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// asking keeps asking a server until the function it returns is called; any answer but the right one fails the test.
func asking(t testing.TB, s *served, want *fstorev1.GetOnlineFeaturesResponse) (stop func()) {
	t.Helper()
	end := make(chan struct{})
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-end:
					if n == 0 {
						t.Error("nothing was asked meanwhile")
					}
					return
				default:
				}
				if got, err := churnOf(s, 5*time.Second); err != nil || !proto.Equal(got, want) {
					t.Errorf("meanwhile: got %v, %v", got, err)
					return
				}
			}
		})
	}
	return func() {
		close(end)
		all.Wait()
	}
}

// settles waits until a server holds no more goroutines and files than before, give or take what comes and goes.
func settles(t testing.TB, s *served, before map[string]float64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		now := gauges(t, s)
		grown := ""
		for name, slack := range map[string]float64{"go_goroutines": 10, "process_open_fds": 10} {
			if now[name] > before[name]+slack {
				grown += fmt.Sprintf("%s was %v and is %v\n", name, before[name], now[name])
			}
		}
		if grown == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal(grown)
		}
	}
}

// hello is how a TLS client begins.
func hello(t testing.TB) []byte {
	t.Helper()
	here, there := net.Pipe()
	go func() {
		defer here.Close()
		_ = tls.Client(here, &tls.Config{ServerName: "fstore"}).HandshakeContext(context.Background()) // nobody answers
	}()
	defer there.Close()
	buf := make([]byte, 4096)
	n, err := there.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// preface is how an HTTP/2 client begins: the magic, and an empty SETTINGS frame.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// frame is an HTTP/2 frame of a length that may be a lie.
func frame(length int, kind, flags byte, stream uint32, payload string) string {
	return string([]byte{byte(length >> 16), byte(length >> 8), byte(length), kind, flags, byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}) + payload
}

// rubbish is what neither port expects, or not to the end.
func rubbish(t testing.TB) map[string][]byte {
	random := make([]byte, 100_000)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	return map[string][]byte{
		"random bytes":              random,
		"zeros":                     make([]byte, 100_000),
		"lines":                     bytes.Repeat([]byte("\r\n"), 1000),
		"HTTP/1":                    []byte("POST /v1/online-features HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"),
		"HTTP/1 without an end":     append([]byte("GET /"), bytes.Repeat([]byte("a"), 2<<20)...),
		"HTTP/1 of two lengths":     []byte("POST /v1/online-features HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"),
		"a chunk of a wrong length": []byte("POST /v1/online-features HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}"),
		"TLS":                       hello(t),
		"half a preface":            []byte(preface[:10]),
		"a preface alone":           []byte(preface),
		"a frame that never ends":   []byte(preface + frame(1<<24-1, 0, 0, 1, "")),
		"data of no stream":         []byte(preface + frame(4, 0, 0, 7, "abcd")),
		"headers that are none":     []byte(preface + frame(100, 1, 4, 1, string(random[:100]))),
		"headers without an end":    []byte(preface + frame(2, 1, 0, 1, "\x82\x86")),
		"a window of nothing":       []byte(preface + frame(4, 8, 0, 0, "\x00\x00\x00\x00")),
		"pings":                     []byte(preface + string(bytes.Repeat([]byte(frame(8, 6, 0, 0, "12345678")), 5000))),
		"settings":                  []byte(preface + string(bytes.Repeat([]byte(frame(0, 4, 0, 0, "")), 5000))),
	}
}

// Whatever comes in at either port, the server goes on answering others meanwhile, and keeps nothing of it.
func TestGarbageOnThePorts(t *testing.T) {
	_, s := servedShop(t)
	want := firstAnswer(t, s)
	stop := asking(t, s, want)
	before := gauges(t, s)
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for name, b := range rubbish(t) {
		for _, address := range []string{s.grpc, s.http} {
			for round := range 4 {
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				_ = c.SetDeadline(time.Now().Add(within))
				_, _ = c.Write(b) // the server may have closed it already
				switch round {
				case 0: // half open: it neither sends nor reads on
					open = append(open, c)
					continue
				case 1: // it has said all it has to say
					_ = c.(*net.TCPConn).CloseWrite()
					if _, err := io.Copy(io.Discard, c); err != nil {
						if e, ok := err.(net.Error); ok && e.Timeout() {
							t.Errorf("%s at %s: the connection stays open behind the client's end", name, address)
						}
					}
				case 2: // gone without a word
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
			}
		}
	}
	for range 50 { // nothing is sent at all
		for _, address := range []string{s.grpc, s.http} {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
		}
	}
	stop()
	right(t, s, want)
	for _, c := range open {
		c.Close()
	}
	settles(t, s, before)
	unharmed(t, s, want)
	ends(t, s)
}

// Thousands of connections come and go.
func TestConnectionsComeAndGo(t *testing.T) {
	_, s := servedShop(t)
	want := firstAnswer(t, s)
	before := gauges(t, s)
	stop := asking(t, s, want)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for n := range 750 {
				c, err := net.Dial("tcp", []string{s.grpc, s.http}[n%2])
				if err != nil {
					t.Error(err)
					return
				}
				if worker%2 == 0 {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				if n%3 == 0 {
					_, _ = io.WriteString(c, preface)
				}
				c.Close()
			}
		})
	}
	all.Wait()
	stop()
	settles(t, s, before)
	unharmed(t, s, want)
}

var slow = flag.Bool("slow", false, "wait for the last connection that the server should end, a minute and a half, and for locks as long as the program does")

// Clients that say nothing, or too little, or say it too slowly, or have gone without a word, are sent away after a
// while, and nothing is left of them.
func TestTheServerEndsWhatDoesNotGoOn(t *testing.T) {
	t.Parallel() // it waits
	_, s := servedShop(t)
	want := firstAnswer(t, s)
	before := gauges(t, s)
	stop := asking(t, s, want)
	post := "POST /v1/online-features HTTP/1.1\r\nHost: x\r\n"
	var all sync.WaitGroup
	for name, c := range map[string]struct {
		address, begins, drips string
		within                 time.Duration
	}{
		"nothing, to gRPC":                 {s.grpc, "", "", 15 * time.Second},
		"nothing, to HTTP":                 {s.http, "", "", 15 * time.Second},
		"nothing, to metrics":              {s.metrics, "", "", 15 * time.Second},
		"half a preface":                   {s.grpc, preface[:10], "", 15 * time.Second},
		"half a header":                    {s.http, post, "", 15 * time.Second},
		"a header byte by byte":            {s.http, post + "X-Slow: ", "x", 15 * time.Second},
		"half a body":                      {s.http, post + "Content-Length: 100\r\n\r\n{", "", 45 * time.Second},
		"a body byte by byte":              {s.http, post + "Content-Length: 100000\r\n\r\n", " ", 45 * time.Second},
		"a chunked body that never ends":   {s.http, post + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", 45 * time.Second},
		"gRPC, and then never a pong":      {s.grpc, preface, "", 100 * time.Second},
		"gRPC, half a request, no pong":    {s.grpc, preface + frame(2, 1, 4, 1, "\x83\x86"), "", 100 * time.Second},
		"pipelined, and no answer is read": {s.metrics, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 2000), "", 100 * time.Second},
	} {
		if c.within > 15*time.Second && !*slow {
			continue
		}
		all.Go(func() {
			conn, err := net.Dial("tcp", c.address)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			begin := time.Now()
			_ = conn.SetWriteDeadline(begin.Add(c.within))
			_, _ = io.WriteString(conn, c.begins)
			over := make(chan struct{})
			go func() {
				defer close(over)
				if !strings.HasPrefix(name, "pipelined") {
					_ = conn.SetReadDeadline(begin.Add(c.within))
					_, err := io.Copy(io.Discard, conn)
					if e, ok := err.(net.Error); ok && e.Timeout() {
						t.Errorf("%s: the connection is open after %s", name, c.within)
					}
					return
				}
				for { // the server's end shows only when something is written to it
					time.Sleep(time.Second)
					_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
					if _, err := conn.Write([]byte("G")); err != nil && !os.IsTimeout(err) {
						return
					}
					if time.Since(begin) > c.within {
						t.Errorf("%s: the connection is open after %s", name, c.within)
						return
					}
				}
			}()
			for c.drips != "" {
				select {
				case <-over:
					return
				case <-time.After(200 * time.Millisecond):
					_, _ = io.WriteString(conn, c.drips)
				}
			}
			<-over
			t.Logf("%s: ended after %s", name, time.Since(begin).Round(time.Second))
		})
	}
	all.Wait()
	stop()
	settles(t, s, before)
	unharmed(t, s, want)
}

// valve is a connection whose reader stops when it is told to.
type valve struct {
	net.Conn
	shut <-chan struct{} // closed: nothing is read any more
	gone chan struct{}   // closed with the connection
	once sync.Once
}

func (g *valve) Read(b []byte) (int, error) {
	select {
	case <-g.shut:
		<-g.gone
		return 0, net.ErrClosed
	default:
		return g.Conn.Read(b[:min(len(b), 1000)])
	}
}

func (g *valve) Close() error {
	g.once.Do(func() { close(g.gone) })
	return g.Conn.Close()
}

// Clients that do not read their answers, and clients that give up, cost the server nothing once they are gone, and
// the others nothing at any time.
func TestClientsThatDoNotReadOrGiveUp(t *testing.T) {
	_, s := servedShop(t)
	want := firstAnswer(t, s)
	before := gauges(t, s)
	stop := asking(t, s, want)

	shut := make(chan struct{})
	conn, err := grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			return &valve{Conn: c, shut: shut, gone: make(chan struct{})}, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	slow := fstorev1.NewFeatureStoreClient(conn)
	if _, err := slow.GetOnlineFeatures(context.Background(), churnRequest(1)); err != nil { // it is connected
		t.Fatal(err)
	}
	close(shut)
	large := ofFeatures(manyNames(100), column("customer_id", make([]int64, 5000))) // 4.5 MB of answer
	var calls sync.WaitGroup
	for n := range 20 {
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			if n%2 == 0 { // half of them give up
				ctx, cancel = context.WithTimeout(context.Background(), 300*time.Millisecond)
			}
			defer cancel()
			if _, err := slow.GetOnlineFeatures(ctx, large); err == nil {
				t.Error("an answer was read through a shut gate")
			}
		})
	}
	time.Sleep(time.Second) // the answers are made, and lie about
	unharmed(t, s, want)
	conn.Close()
	calls.Wait()

	var quitters sync.WaitGroup
	for n := range 200 {
		quitters.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n)*100*time.Microsecond)
			defer cancel()
			_, err := s.client.GetOnlineFeatures(ctx, churnRequest(int64(n)))
			if code := status.Code(err); code != codes.OK && code != codes.DeadlineExceeded {
				t.Errorf("a caller that gives up gets %v", err)
			}
		})
	}
	quitters.Wait()
	stop()
	settles(t, s, before)
	unharmed(t, s, want)
	for end := time.Now().Add(time.Minute); ; { // what was made for them is given back
		heap := gauges(t, s)["go_memstats_heap_inuse_bytes"]
		if heap < before["go_memstats_heap_inuse_bytes"]+48<<20 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the heap has %.0f bytes, and had %.0f", heap, before["go_memstats_heap_inuse_bytes"])
		}
		// the collector runs as memory is asked for
		if _, err := s.client.GetOnlineFeatures(context.Background(), large, grpc.MaxCallRecvMsgSize(64<<20)); err != nil {
			t.Fatal(err)
		}
	}
}
