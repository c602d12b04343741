package client

import (
	"sync"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// wireCodec is gRPC's codec for protobuf with its own buffers for answers. gRPC's pool gives an answer of 32 kB or
// more a buffer of 1 MB and clears it each time.
var wireCodec = encoding.GetCodecV2(proto.Name)

// codec is wireCodec for one call.
type codec struct {
	encoding.CodecV2
	traffic *Traffic // of the call
}

// Traffic is the size of a call's messages in bytes, without the headers of gRPC and HTTP/2.
type Traffic struct {
	Sent, Received int // of all attempts
}

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(from any) (mem.BufferSlice, error) {
	data, err := c.CodecV2.Marshal(from)
	c.traffic.Sent += data.Len()
	return data, err
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, into any) error {
	c.traffic.Received += data.Len()
	if len(data) == 1 {
		return c.CodecV2.Unmarshal(data, into)
	}
	whole := buffers.Get().(*[]byte)
	defer func() {
		if cap(*whole) <= maxPooled {
			buffers.Put(whole)
		}
	}()
	n := data.Len()
	if cap(*whole) < n {
		*whole = make([]byte, n)
	}
	*whole = (*whole)[:n]
	data.CopyTo(*whole)
	return c.CodecV2.Unmarshal(mem.BufferSlice{mem.SliceBuffer(*whole)}, into) // protobuf copies strings and bytes
}

// maxPooled is the largest buffer worth keeping.
const maxPooled = 1 << 20

var buffers = sync.Pool{New: func() any { return new([]byte) }}
