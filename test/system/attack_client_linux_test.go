package system

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"
)

// hostile is an HTTP/2 client that sends the frames it is told to, and keeps to no rule of its own.
type hostile struct {
	t      testing.TB
	conn   net.Conn
	out    *bufio.Writer
	framer *http2.Framer
	stream uint32

	fields bytes.Buffer
	hpack  *hpack.Encoder

	statuses chan string   // grpc-status of every answer that ends
	done     chan struct{} // closed once the connection is
}

// assault opens a connection, on which the server may send answers of window bytes until it is told more; it never is.
func assault(t testing.TB, address string, window uint32) *hostile {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{t: t, conn: conn, out: bufio.NewWriterSize(conn, 64<<10), stream: 1, statuses: make(chan string, 10_000), done: make(chan struct{})}
	h.framer = http2.NewFramer(h.out, conn)
	h.hpack = hpack.NewEncoder(&h.fields)
	_, _ = h.out.WriteString(http2.ClientPreface) // a bufio.Writer keeps its error for Flush
	_ = h.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	h.flush()
	go h.read()
	t.Cleanup(h.close)
	return h
}

// close ends the connection and waits for its reader.
func (h *hostile) close() {
	h.conn.Close()
	<-h.done
}

// flush sends what was written. A server that has closed the connection is none of the client's errors.
func (h *hostile) flush() { _ = h.out.Flush() }

// read takes in what the server sends, and grants it nothing.
func (h *hostile) read() {
	defer close(h.done)
	h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		f, err := h.framer.ReadFrame()
		if err != nil {
			return
		}
		headers, ok := f.(*http2.MetaHeadersFrame)
		if !ok {
			continue
		}
		for _, field := range headers.Fields {
			if field.Name == "grpc-status" {
				h.statuses <- field.Value
			}
		}
	}
}

// open sends the headers of a look-up and returns its stream.
func (h *hostile) open(more ...string) uint32 {
	h.fields.Reset()
	fields := append([]string{
		":method", "POST", ":scheme", "http", ":path", "/fstore.v1.FeatureStore/GetOnlineFeatures", ":authority", "localhost",
		"content-type", "application/grpc", "te", "trailers",
	}, more...)
	for i := 0; i < len(fields); i += 2 {
		_ = h.hpack.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	id := h.stream
	h.stream += 2
	_ = h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: h.fields.Bytes(), EndHeaders: true})
	return id
}

// send sends bytes as DATA frames of a size, the last of which may end the stream.
func (h *hostile) send(stream uint32, data []byte, size int, end bool) {
	for len(data) > 0 {
		n := min(size, len(data))
		_ = h.framer.WriteData(stream, end && n == len(data), data[:n])
		data = data[n:]
	}
	h.flush()
}

// framed returns a message as gRPC sends it.
func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

func encoded(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// peakRSS returns the most memory that a process has had so far, in MB.
func peakRSS(t testing.TB, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.Fields(kb)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n >> 10
		}
	}
	t.Fatal("the process has no VmHWM")
	return 0
}

// together runs n callers beside each other and waits for all.
func together(n int, caller func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { caller(i) })
	}
	all.Wait()
}

// webAttack sends bytes to an HTTP server and returns the connection, which the caller may leave unread.
func webAttack(t testing.TB, address string, parts ...string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for _, part := range parts {
		if _, err := io.WriteString(conn, part); err != nil {
			break // the server has had enough
		}
	}
	return conn
}
