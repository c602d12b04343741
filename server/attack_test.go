package server

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// However the bytes of a connection are cut, its frames are the same.
func TestFramesAreFollowedInPiecesOfAnySize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var bytes strings.Builder
		bytes.WriteString(http2.ClientPreface)
		framer := http2.NewFramer(&bytes, nil)
		var want []frame
		for range rapid.IntRange(0, 10).Draw(t, "frames") {
			stream := rapid.Uint32Range(1, 1<<31-1).Draw(t, "stream")
			data := make([]byte, rapid.SampledFrom([]int{0, 1, 5, 300, 16384}).Draw(t, "length"))
			end := rapid.Bool().Draw(t, "end")
			if rapid.Bool().Draw(t, "reset") {
				_ = framer.WriteRSTStream(stream, http2.ErrCodeCancel)
				want = append(want, frame{kind: http2.FrameRSTStream, stream: stream, length: 4})
				continue
			}
			_ = framer.WriteData(stream, end, data)
			f := frame{kind: http2.FrameData, stream: stream, length: len(data)}
			if end {
				f.flags = http2.FlagDataEndStream
			}
			want = append(want, f)
		}
		s := frames{skip: len(http2.ClientPreface)}
		var got []frame
		for rest := []byte(bytes.String()); len(rest) > 0; {
			n := rapid.IntRange(1, min(len(rest), 20_000)).Draw(t, "piece")
			s.scan(rest[:n], func(f frame) { got = append(got, f) })
			rest = rest[n:]
		}
		if len(got) != len(want) {
			t.Fatalf("%d frames, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("frame %d is %+v, want %+v", i, got[i], want[i])
			}
		}
	})
}

// A request comes to as many elements as protobuf makes of it, whatever is repeated in it.
func TestElementsAreCountedAsProtobufDecodesThem(t *testing.T) {
	for _, req := range fuzzRequests() {
		var s size
		s.count(marshalled(t, req), requestMessage, 0)
		values := len(req.GetFeatures().GetRefs())
		for _, e := range req.Entities {
			if c, err := fstorev1.ColumnOf(e); err == nil && !c.Type.IsList() {
				values += c.Len
			}
		}
		if s.elements < values || s.elements > values+12*(len(req.Entities)+1)+2*len(req.Entities) && !strings.Contains(req.String(), "list") {
			t.Errorf("%d elements, and %d values: %.200s", s.elements, values, req)
		}
	}
	var most size
	most.count(marshalled(t, byService("s", int64s("a", make([]int64, 100_000)...), int64s("b", make([]int64, 90_000)...))), requestMessage, 0)
	if most.elements > maxElements {
		t.Errorf("%d elements are too many", most.elements)
	}
}

// Two bytes of a request are an empty key column, which takes hundreds of bytes once it is decoded. So columns are bounded.
func TestRequestsOfManyColumnsAreRefused(t *testing.T) {
	w := shop(t, nil)
	columns := func(n int) *fstorev1.GetOnlineFeaturesRequest {
		return byService("churn", slices.Repeat([]*fstorev1.Column{{}}, n)...)
	}
	_, err := w.client.GetOnlineFeatures(context.Background(), columns(maxMembers+20))
	wantStatus(t, err, codes.ResourceExhausted, "the request has more than 1000 key columns")
	_, err = w.client.GetOnlineFeatures(context.Background(), columns(maxMembers))
	wantStatus(t, err, codes.InvalidArgument, "it has no values set")
}

// What callers do, the budget is whole once they are gone.
func TestBudgetsAreGivenBack(t *testing.T) {
	w := shop(t, nil)
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(3000))*time.Microsecond)
		req := byService([]string{"churn", "both", "nope", "panics", "early"}[random.IntN(5)], int64s("customer_id", make([]int64, random.IntN(20_000))...))
		if random.IntN(2) == 0 {
			_, _ = w.client.GetOnlineFeatures(ctx, req) // any answer will do
		} else {
			w.post(t, `{"service":"churn","entities":{"customer_id":[1,2,3`+strings.Repeat(",1", random.IntN(20_000))+`]}}`)
		}
		cancel()
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		arriving, inFlight, streams := w.arriving.used.Load(), w.inFlight.used.Load(), w.connections.streams.Load()
		if arriving == 0 && inFlight == 0 && streams == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("arriving %d, in flight %d, streams %d", arriving, inFlight, streams)
		}
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if n := len(w.connections.list()); n != 0 {
		t.Errorf("%d connections are still known", n)
	}
}

// One request may take most of the budget, and then others are refused until it is answered.
func TestRequestsBeyondTheBudgetAreRefusedAtOnce(t *testing.T) {
	w := shop(t, func(o *Options) { o.MaxInFlight = 600_000 })
	arrived, release := w.hold()
	large := byService("churn", int64s("customer_id", make([]int64, 5000)...))
	first := make(chan error, 1)
	go func() {
		_, err := w.client.GetOnlineFeatures(context.Background(), large)
		first <- err
	}()
	<-arrived
	_, err := w.client.GetOnlineFeatures(context.Background(), large)
	wantStatus(t, err, 8, "serve.max_in_flight")
	if code, said := w.post(t, `{"service":"churn","entities":{"customer_id":[1`+strings.Repeat(",1", 5000)+`]}}`); code != 429 || !containsText(said, "RESOURCE_EXHAUSTED") {
		t.Errorf("over HTTP: %d %s", code, said)
	}
	release()
	if err := <-first; err != nil {
		t.Error(err)
	}
	w.backend.hook(nil)
	if _, err := w.client.GetOnlineFeatures(context.Background(), large); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// FuzzElements holds that a message that is decoded has not allocated more than its size was said to be.
func FuzzElements(f *testing.F) {
	for _, req := range fuzzRequests() {
		f.Add(marshalled(f, req))
	}
	f.Add([]byte("\x22\x00\x22\x00\x4a\x02\x12\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		bytes, err := sizeOfMessage(b)
		if err != nil {
			t.Fatalf("%d bytes have too many elements: %v", len(b), err)
		}
		var m fstorev1.GetOnlineFeaturesRequest
		if proto.Unmarshal(b, &m) == nil && proto.Size(&m) > len(b)*2+64 {
			t.Errorf("%d bytes became %d", len(b), proto.Size(&m))
		}
		if most := int64(len(b)+1) * (messageCost + 2*valueCost); bytes > most {
			t.Errorf("%d bytes are said to come to %d", len(b), bytes)
		}
	})
}
