package grpcapi

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
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
	if most.elements > server.MaxElements {
		t.Errorf("%d elements are too many", most.elements)
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
		if most := int64(len(b)+1) * (messageCost + 2*server.ValueCost); bytes > most {
			t.Errorf("%d bytes are said to come to %d", len(b), bytes)
		}
	})
}
