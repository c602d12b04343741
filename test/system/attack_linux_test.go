package system

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// mostRSS is the memory, in MB, that a server with the default settings may ever have, whatever is sent to it.
const mostRSS = 512

// raw is a codec that sends a request's bytes as they are.
type raw struct{ encoding.CodecV2 }

func (raw) Name() string { return "proto" }
func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (raw) Unmarshal(mem.BufferSlice, any) error { return nil }

// nested returns n bytes of a message that are many messages of a few bytes: what each kind repeats, and within which
// fields.
func nested(n int, repeat string, within ...byte) []byte {
	b := []byte(strings.Repeat(repeat, n/len(repeat)))
	for i := len(within) - 1; i >= 0; i-- {
		size := len(b)
		head := []byte{within[i]<<3 | 2}
		for ; size >= 0x80; size >>= 7 {
			head = append(head, byte(size)|0x80)
		}
		b = append(append(head, byte(size)), b...)
	}
	return b
}

// attack is what callers may do to a server, by as many of them as its kind needs.
type attack struct {
	name string
	run  func(t testing.TB, s *served)
}

var attacks = []attack{
	{"messages of many elements", manyElements},
	{"answers that nobody reads", unreadAnswers},
	{"messages without their last byte", cutMessages},
	{"messages in frames of one byte", tinyFrames},
	{"streams on which nothing is sent", emptyStreams},
	{"large headers", largeHeaders},
	{"compressed messages", compressedMessages},
	{"bodies of many elements", manyValues},
	{"bodies without their last byte", cutBodies},
	{"HTTP answers that nobody reads", unreadHTTPAnswers},
	{"connections that say nothing", idleConnections},
}

// A server keeps its memory, whatever is sent to it, and answers others meanwhile and afterwards.
func TestAttacksDoNotGrowAServer(t *testing.T) {
	_, s := servedShop(t)
	want := firstAnswer(t, s)
	idle := peakRSS(t, s.cmd.Process.Pid)
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			a.run(t, s)
			recovers(t, s, want, time.Minute)
			peak := peakRSS(t, s.cmd.Process.Pid)
			t.Logf("peak RSS so far: %d MB; idle: %d MB", peak, idle)
			if peak > mostRSS {
				t.Fatalf("the server has had %d MB; at most %d are allowed", peak, mostRSS)
			}
		})
	}
	if log := s.log.String(); strings.Contains(log, "panic") {
		t.Errorf("%s", log)
	}
}

// BenchmarkAttacks measures the peak memory of a server under each attack, and under all of them one after the other. Its
// limit is the most that a server may have.
func BenchmarkAttacks(b *testing.B) {
	measure := func(name string, all []attack) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, s := servedShop(b)
				want := firstAnswer(b, s)
				for _, a := range all {
					a.run(b, s)
					recovers(b, s, want, 30*time.Second)
				}
				b.ReportMetric(float64(peakRSS(b, s.cmd.Process.Pid)), "peak_MB")
			}
			b.ReportMetric(mostRSS, "limit_MB")
			b.ReportMetric(0, "ns/op")
		})
	}
	measure("none", nil)
	for i := range attacks {
		measure(attacks[i].name, attacks[i:i+1])
	}
	measure("all", attacks)
}

// manyElements sends 4 MiB of what a few bytes each are an element of, eight callers at a time.
func manyElements(t testing.TB, s *served) {
	const n = 4<<20 - 64
	for name, message := range map[string][]byte{
		"columns":          nested(n, "\x22\x00"),
		"columns, cut":     nested(n, "\x22\x00")[:n-1],
		"references":       nested(n, "\x0a\x00", 2),
		"selections":       nested(n, "\x12\x00"),
		"names":            nested(n, "\x0a\x00", 4),
		"strings":          nested(n, "\x42\x00", 4),
		"bytes":            nested(n, "\x4a\x00", 4),
		"packed bools":     nested(n, "\x01", 4, 3),
		"packed integers":  nested(n, "\x00", 4, 5),
		"packed floats":    nested(n, "\x00\x00\x00\x00", 4, 6),
		"packed instants":  nested(n, "\x00\x00\x00\x00\x00\x00\x00\x00", 4, 10),
		"single integers":  nested(n, "\x28\x01", 4),
		"offsets of lists": nested(n, "\x00", 4, 11),
		"validities":       nested(n, "\x62\x00", 4),
		"unknown fields":   nested(n, "\x7a\x00", 4),
	} {
		together(8, func(int) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			err := s.conn.Invoke(ctx, fstorev1.FeatureStore_GetOnlineFeatures_FullMethodName, message, nil, grpc.ForceCodecV2(raw{}), grpc.MaxCallSendMsgSize(8<<20))
			if code := status.Code(err); code != codes.ResourceExhausted {
				t.Errorf("%s: %v", name, err)
			} else if says := err.Error(); !strings.Contains(says, "200000") && !strings.Contains(says, "1000 key columns") && !strings.Contains(says, "serve.max_in_flight") {
				t.Errorf("%s: %q names no bound", name, says)
			}
		})
	}
}

// largest is a look-up whose answer is nearly as large as an answer may be.
func largest(t testing.TB) []byte {
	return encoded(t, ofFeatures(manyNames(350), column("customer_id", make([]int64, 10_000))))
}

// unreadAnswers asks for 60 of the largest answers on one connection, and for 40 on connections of their own, and takes
// none of them.
func unreadAnswers(t testing.TB, s *served) {
	message := framed(largest(t))
	h := assault(t, s.grpc, 0)
	for range 60 {
		h.send(h.open(), message, 16<<10, true)
	}
	defer h.close()
	for range 40 {
		h := assault(t, s.grpc, 65535)
		h.send(h.open(), message, 16<<10, true)
		defer h.close()
	}
	for refused := 0; refused < 50; { // the budget has room for few
		select {
		case got := <-h.statuses:
			if got != "8" {
				t.Fatalf("an answer beyond the budget has status %s, want 8, RESOURCE_EXHAUSTED", got)
			}
			refused++
		case <-time.After(time.Minute):
			t.Fatalf("%d of 60 were refused", refused)
		}
	}
}

// cutMessages sends 80 messages of 4 MiB but for their last byte, on eight connections. Others are answered meanwhile.
func cutMessages(t testing.TB, s *served) {
	message := framed(make([]byte, 4<<20))
	for range 8 {
		h := assault(t, s.grpc, 65535)
		defer h.close()
		for range 10 {
			h.send(h.open("grpc-timeout", "1H"), message[:len(message)-1], 16<<10, false)
		}
	}
	if _, err := churnOf(s, time.Minute); err != nil {
		t.Errorf("meanwhile: %v", err)
	}
}

// tinyFrames sends messages in frames of one byte, all but the last.
func tinyFrames(t testing.TB, s *served) {
	message := framed(make([]byte, 1<<20))
	together(4, func(int) {
		h := assault(t, s.grpc, 65535)
		defer h.close()
		for range 2 {
			h.send(h.open("grpc-timeout", "1H"), message[:len(message)-1], 1, false)
		}
	})
}

// emptyStreams opens 6,000 streams and sends nothing on them.
func emptyStreams(t testing.TB, s *served) {
	statuses := make(chan string, 6000) // the server may read the connections in any order
	for range 6 {
		h := assault(t, s.grpc, 65535)
		defer h.close()
		h.statuses = statuses
		for range 1000 {
			h.open("grpc-timeout", "1H")
		}
		h.flush()
	}
	select {
	case got := <-statuses:
		if got != "8" {
			t.Errorf("a stream beyond the bound has status %s, want 8, RESOURCE_EXHAUSTED", got)
		}
	case <-time.After(time.Minute):
		t.Error("no stream of 6,000 was refused")
	}
}

// largeHeaders opens streams with as large headers as are taken, and with larger ones.
func largeHeaders(t testing.TB, s *served) {
	for _, size := range []int{15 << 10, 17 << 10} { // a frame has 16 kB, and digits take five bits each
		h := assault(t, s.grpc, 65535)
		for range 500 {
			h.open("x", strings.Repeat("0", size))
		}
		h.flush()
		h.close()
	}
}

// compressedMessages sends messages that say they are compressed.
func compressedMessages(t testing.TB, s *served) {
	for _, how := range []string{"gzip", "deflate", "snappy", "zstd"} {
		h := assault(t, s.grpc, 65535)
		message := framed(bytes.Repeat([]byte{0x1f}, 100))
		message[0] = 1
		h.send(h.open("grpc-encoding", how), message, 16<<10, true)
		select {
		case got := <-h.statuses:
			if got != "12" && got != "13" {
				t.Errorf("%s: status %s, want 12, UNIMPLEMENTED", how, got)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: no answer", how)
		}
		h.close()
	}
}

// manyValues posts 4 MiB of JSON of a few bytes each, eight callers at a time.
func manyValues(t testing.TB, s *served) {
	fill := func(begin, some, end string) string {
		return begin + strings.Repeat(some, (4<<20-len(begin)-len(end))/len(some)) + end
	}
	for name, body := range map[string]string{
		"values":   fill(`{"service":"churn","entities":{"customer_id":[1`, `,1`, `]}}`),
		"features": fill(`{"features":["a"`, `,""`, `]}`),
		"columns":  fill(`{"service":"churn","entities":{"a":[]`, `,"":1`, `}}`),
		"lists":    fill(`{"service":"churn","entities":{"customer_id":[[]`, `,[]`, `]}}`),
		"depth":    fill(`{"service":"churn","entities":`, `[`, ``),
	} {
		together(8, func(int) {
			resp, err := http.Post("http://"+s.http+"/v1/online-features", "application/json", strings.NewReader(body))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			defer resp.Body.Close()
			if said, _ := io.ReadAll(resp.Body); resp.StatusCode != 413 && resp.StatusCode != 429 && resp.StatusCode != 400 {
				t.Errorf("%s: %d %s", name, resp.StatusCode, said)
			}
		})
	}
}

const postHead = "POST /v1/online-features HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"

// cutBodies posts 80 bodies of 4 MiB but for their last byte.
func cutBodies(t testing.TB, s *served) {
	for range 80 {
		conn := webAttack(t, s.http, fmt.Sprintf(postHead, 4<<20), strings.Repeat(" ", 4<<20-1))
		defer conn.Close()
	}
	if _, err := churnOf(s, time.Minute); err != nil {
		t.Errorf("meanwhile: %v", err)
	}
}

// unreadHTTPAnswers asks for 60 answers of nearly 32 MB and reads none.
func unreadHTTPAnswers(t testing.TB, s *served) {
	body := fmt.Sprintf(`{"features":["%s"],"entities":{"customer_id":[%s0]}}`, strings.Join(manyNames(150), `","`), strings.Repeat("0,", 9_999))
	for range 60 {
		conn := webAttack(t, s.http, fmt.Sprintf(postHead, len(body)), body)
		defer conn.Close()
	}
}

// idleConnections opens 1,500 connections to either port and sends nothing, or no more than a beginning.
func idleConnections(t testing.TB, s *served) {
	for _, address := range []string{s.grpc, s.http} {
		for i := range 1500 {
			conn := webAttack(t, address, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[:i%24])
			defer conn.Close()
		}
	}
}

// A server that is told to end does so in time, whatever is still arriving or unread.
func TestAttacksDoNotHoldUpTheEnd(t *testing.T) {
	for name, begin := range map[string]func(testing.TB, *served){
		"messages without their last byte": func(t testing.TB, s *served) {
			message := framed(make([]byte, 100_000))
			h := assault(t, s.grpc, 65535)
			for range 3 {
				h.send(h.open("grpc-timeout", "1H"), message[:len(message)-1], 16<<10, false)
			}
			h.open("grpc-timeout", "1H")
			h.flush()
		},
		"bodies without their last byte": func(t testing.TB, s *served) {
			webAttack(t, s.http, fmt.Sprintf(postHead, 100), strings.Repeat(" ", 99))
			webAttack(t, s.http, "POST /v1/online-features HTTP/1.1\r\nHost: local")
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := servedShop(t)
			firstAnswer(t, s)
			before := gauges(t, s)["go_goroutines"]
			begin(t, s)
			for end := time.Now().Add(10 * time.Second); gauges(t, s)["go_goroutines"] <= before && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
			start := time.Now()
			s.signal(syscall.SIGTERM)
			if status := s.wait(); status != 0 {
				t.Errorf("exit status %d\n%s", status, s.log)
			}
			if took := time.Since(start); took > 6*time.Second { // the requests in part have half a second
				t.Errorf("it took %s", took)
			}
		})
	}
}
