package bench

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// caller calls GetOnlineFeatures over one connection with frames of its own. A call costs it a few microseconds, so that a
// generator on one core outruns a server. It does not read answers, beyond their status.
type caller struct {
	conn   net.Conn
	framer *http2.Framer
	done   sync.WaitGroup

	mu      sync.Mutex // guards the rest, and writing
	headers bytes.Buffer
	encoder *hpack.Encoder
	next    uint32
	open    map[uint32]time.Time // when a call was due
	report  func(status string, due time.Time)
}

const manyBytes = 1 << 30 // of flow control: the caller takes what comes

func newCaller(b *testing.B, address string) *caller {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	c := &caller{conn: conn, framer: http2.NewFramer(conn, conn), next: 1, open: map[uint32]time.Time{}}
	c.encoder = hpack.NewEncoder(&c.headers)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		b.Fatal(err)
	}
	if err := c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: manyBytes}); err != nil {
		b.Fatal(err)
	}
	if err := c.framer.WriteWindowUpdate(0, manyBytes); err != nil {
		b.Fatal(err)
	}
	c.done.Go(c.read)
	b.Cleanup(func() {
		conn.Close()
		c.done.Wait()
	})
	return c
}

// send begins a call. It has a second from now.
func (c *caller) send(message []byte, due time.Time) error {
	var prefix [5]byte
	binary.BigEndian.PutUint32(prefix[1:], uint32(len(message)))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers.Reset()
	for _, h := range [...][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", fstorev1.FeatureStore_GetOnlineFeatures_FullMethodName},
		{":authority", "bench"},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
		{"grpc-timeout", "1S"},
	} {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}); err != nil {
			return err
		}
	}
	stream := c.next
	c.next += 2
	c.open[stream] = due
	if err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.headers.Bytes(), EndHeaders: true}); err != nil {
		return err
	}
	return c.framer.WriteData(stream, true, append(prefix[:], message...))
}

// read takes in frames until the connection is closed.
func (c *caller) read() {
	status := ""
	decoder := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == "grpc-status" {
			status = f.Value
		}
	})
	unread := 0
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := frame.(type) {
		case *http2.DataFrame:
			if unread += int(f.Length); unread > manyBytes/4 {
				c.write(func() error { return c.framer.WriteWindowUpdate(0, uint32(unread)) })
				unread = 0
			}
		case *http2.HeadersFrame:
			status = ""
			if _, err := decoder.Write(f.HeaderBlockFragment()); err != nil {
				return
			}
			if f.StreamEnded() {
				c.ended(f.StreamID, status)
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				c.write(func() error { return c.framer.WritePing(true, f.Data) })
			}
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.write(c.framer.WriteSettingsAck)
			}
		}
	}
}

func (c *caller) write(do func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = do() // reading finds out
}

func (c *caller) ended(stream uint32, status string) {
	c.mu.Lock()
	due, ok := c.open[stream]
	delete(c.open, stream)
	report := c.report
	c.mu.Unlock()
	if ok && report != nil {
		report(status, due)
	}
}

// forget drops the calls that have no answer, counts them, and has the others reported to another function.
func (c *caller) forget(report func(status string, due time.Time)) (unanswered int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	unanswered = len(c.open)
	clear(c.open)
	c.report = report
	return unanswered
}
