package grpcapi

import (
	"encoding/binary"
	"math"
	"time"
	"unsafe"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/answers"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
)

// An answer is encoded as a GetOnlineFeaturesResponse without building messages: its bytes are written directly, into
// one buffer of the right size. Tests compare them with protobuf's own bytes. The numbers below are field numbers in
// feature_store.proto.
//
// Measured for 50 features: building messages takes 64 allocations and 13 µs, and marshalling them 8 µs. This takes 3
// µs.

// parts are what is the same in every answer of a list.
type parts struct {
	heads [][]byte // each feature's name and type, encoded
	tail  []byte   // the service or the model that answers, encoded
}

type partsKey struct{}

func partsOf(t *server.Target) *parts {
	return t.Keep(partsKey{}, func(list *fstore.FeatureList) any { return &parts{headsOf(list), tailOf(list)} }).(*parts)
}

// headsOf returns what is the same in every answer of a list: each feature's name and type, encoded.
func headsOf(list *fstore.FeatureList) [][]byte {
	heads := make([][]byte, len(list.Outputs))
	for i, o := range list.Outputs {
		b := appendText(nil, 1, o.Name())
		heads[i] = appendText(b, 2, list.Feature(i).Type.String())
	}
	return heads
}

// tailOf returns what ends every answer of a list, encoded: the service or the model that answers.
func tailOf(list *fstore.FeatureList) (b []byte) {
	if s := list.Service; s.Name != "" {
		answer := appendUint(appendText(nil, 1, s.Name), 2, uint64(s.Version))
		b = append(appendHead(b, 4, len(answer)), answer...)
	}
	if m := list.Model; m.Name != "" {
		answer := appendText(appendText(nil, 1, m.Name), 2, m.Version)
		b = append(appendHead(b, 5, len(answer)), answer...)
	}
	return b
}

// encoded is an answer as bytes, ready to be sent.
type encoded struct {
	buf   *[]byte
	lease *lease // the bytes' part of the budget
}

// slice hands the bytes over to gRPC, which gives the buffer back once they are sent.
func (e encoded) slice() mem.BufferSlice { return mem.BufferSlice{mem.NewBuffer(e.buf, e.lease)} }

// encode returns an answer as bytes. The error is ErrCorrupt where a string is no UTF-8, which no client could read.
func (t *parts) encode(a *online.Answer) (encoded, error) {
	var few [64]sizes // on the stack
	all := few[:]
	if len(a.Features) > len(all) {
		all = make([]sizes, len(a.Features))
	}
	total := sizeUint(uint64(a.Rows))
	for i := range a.Features {
		f := &a.Features[i]
		if err := server.CheckText(&f.Column); err != nil {
			return encoded{}, err
		}
		all[i] = sizesOf(f, len(t.heads[i]))
		total += sizeField(all[i].feature)
	}
	for i := range a.Versions {
		total += sizeField(sizeVersion(&a.Versions[i]))
	}
	total += len(t.tail) + sizeOnDemand(a)
	for _, at := range []time.Time{a.Replayed, a.Clock} {
		if !at.IsZero() {
			total += 1 + 8
		}
	}
	buf := server.Buffers.Get(total)
	b := appendUint((*buf)[:0], 1, uint64(a.Rows))
	for i := range a.Features {
		b = appendHead(b, 2, all[i].feature)
		b = append(b, t.heads[i]...)
		b = appendFeature(b, &a.Features[i], all[i])
	}
	for i := range a.Versions {
		b = appendVersion(b, &a.Versions[i])
	}
	b = append(b, t.tail...)
	b = appendInstant(b, 6, a.Replayed)
	b = appendInstant(b, 7, a.Clock)
	b = appendOnDemand(b, a)
	*buf = b
	return encoded{buf: buf}, nil
}

// appendInstant appends a field of 9 bytes, or nothing for the zero instant.
func appendInstant(b []byte, field protowire.Number, at time.Time) []byte {
	if at.IsZero() {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), uint64(fstore.Micros(at)))
}

// sizesOf returns the length of a feature's message and, within it, of its packed values.
func sizesOf(f *online.AnswerFeature, head int) sizes {
	c := &f.Column
	s := sizes{packed: sizePacked(c), offsets: sizeOffsets(c.Offsets)}
	s.feature = head + sizeBytes(s.packed) + sizeTexts(c.Strings) + sizeTexts(c.Bytes) + sizeBytes(s.offsets) +
		sizeBytes(len(c.Valid)) + sizeBytes(len(f.Statuses)) + sizeBytes(8*len(f.Events)) + sizeBytes(len(f.EventsValid))
	return s
}

type sizes struct{ feature, packed, offsets int }

func appendFeature(b []byte, f *online.AnswerFeature, s sizes) []byte {
	c := &f.Column
	field := fieldOf(c.Type)
	if s.packed > 0 {
		b = appendPacked(appendHead(b, field, s.packed), c)
	}
	b = appendTexts(b, field, c.Strings)
	b = appendTexts(b, field, c.Bytes)
	if s.offsets > 0 {
		b = appendHead(b, 11, s.offsets)
		for _, v := range c.Offsets {
			b = protowire.AppendVarint(b, uint64(v))
		}
	}
	b = appendText(b, 12, c.Valid)
	b = appendText(b, 13, statusBytes(f.Statuses))
	if len(f.Events) > 0 {
		b = appendFixed64s(appendHead(b, 14, 8*len(f.Events)), f.Events)
	}
	return appendText(b, 15, f.EventsValid)
}

// The statuses have the same numbers on the wire, so that their bytes can be handed on.
const (
	_ = -uint(online.Present ^ online.Status(fstorev1.Status_STATUS_PRESENT))
	_ = -uint(online.NullValue ^ online.Status(fstorev1.Status_STATUS_NULL_VALUE))
	_ = -uint(online.NotFound ^ online.Status(fstorev1.Status_STATUS_NOT_FOUND))
	_ = -uint(online.OutsideMaxAge ^ online.Status(fstorev1.Status_STATUS_OUTSIDE_MAX_AGE))
)

// statusBytes returns statuses as bytes, without a copy: a Status is a byte.
func statusBytes(s []online.Status) []byte {
	return unsafe.Slice((*byte)(unsafe.SliceData(s)), len(s)) //nolint:gosec // G103: a Status is a byte
}

func sizeVersion(v *online.AnswerVersion) int {
	n := sizeBytes(len(v.Ref.Name)) + sizeUint(uint64(v.Ref.Version)) + sizeBytes(len(v.Generation))
	if fstore.Micros(v.Published) != 0 {
		n += 1 + 8
	}
	if v.Stale {
		n += 1 + 1
	}
	return n
}

func appendVersion(b []byte, v *online.AnswerVersion) []byte {
	b = appendHead(b, 3, sizeVersion(v))
	b = appendUint(appendText(b, 1, v.Ref.Name), 2, uint64(v.Ref.Version))
	b = appendText(b, 3, string(v.Generation))
	if at := fstore.Micros(v.Published); at != 0 {
		b = protowire.AppendTag(b, 4, protowire.Fixed64Type)
		b = protowire.AppendFixed64(b, uint64(at))
	}
	if v.Stale {
		b = protowire.AppendVarint(protowire.AppendTag(b, 6, protowire.VarintType), 1)
	}
	return b
}

// sizeOnDemand returns the length of what an answer says of on-demand views: the data that they depend on, and their versions.
func sizeOnDemand(a *online.Answer) (n int) {
	if len(a.OnDemand) == 0 {
		return 0
	}
	n = sizeField(sizeBuilds(a.Builds))
	for _, ref := range a.OnDemand {
		n += sizeField(sizeRef(ref))
	}
	return n
}

func sizeBuilds(b answers.Builds) int { return sizeBytes(len(b.Zones)) + sizeBytes(len(b.Unicode)) }

func sizeRef(ref fstore.ViewRef) int { return sizeBytes(len(ref.Name)) + sizeUint(uint64(ref.Version)) }

func appendOnDemand(b []byte, a *online.Answer) []byte {
	if len(a.OnDemand) == 0 {
		return b
	}
	b = appendHead(b, 9, sizeBuilds(a.Builds))
	b = appendText(appendText(b, 1, a.Builds.Zones), 2, a.Builds.Unicode)
	for _, ref := range a.OnDemand {
		b = appendHead(b, 10, sizeRef(ref))
		b = appendUint(appendText(b, 1, ref.Name), 2, uint64(ref.Version))
	}
	return b
}

// fieldOf returns the field of Feature that holds values of a type, or elements of a list type: 3 for bool to 10 for
// timestamp, in the order of fstore's own types.
func fieldOf(t fstore.Type) protowire.Number { return protowire.Number(t.Elem()) + 2 }

// sizeTexts returns the length of strings or bytes. They are not packed: an empty one has a tag and a length, too.
func sizeTexts[T ~string | ~[]byte](values []T) int {
	n := 0
	for _, v := range values {
		n += sizeField(len(v))
	}
	return n
}

func appendTexts[T ~string | ~[]byte](b []byte, field protowire.Number, values []T) []byte {
	for _, v := range values {
		b = append(appendHead(b, field, len(v)), v...)
	}
	return b
}

func sizeOffsets(offsets []int32) int {
	n := 0
	for _, v := range offsets {
		n += protowire.SizeVarint(uint64(v))
	}
	return n
}

// sizePacked returns the length of the values of a column of numbers, bools or instants.
func sizePacked(c *fstore.Column) int {
	switch c.Type.Elem() {
	case fstore.Bool:
		return len(c.Bools)
	case fstore.Float32:
		return 4 * len(c.Float32s)
	case fstore.Float64:
		return 8 * len(c.Float64s)
	case fstore.Timestamp:
		return 8 * len(c.Int64s)
	case fstore.Int32, fstore.Int64, fstore.String, fstore.Bytes: // varints, below; texts are not packed
	}
	n := 0
	for _, v := range c.Int32s {
		n += protowire.SizeVarint(protowire.EncodeZigZag(int64(v)))
	}
	for _, v := range c.Int64s {
		n += protowire.SizeVarint(protowire.EncodeZigZag(v))
	}
	return n
}

func appendPacked(b []byte, c *fstore.Column) []byte {
	switch c.Type.Elem() {
	case fstore.Bool:
		for _, v := range c.Bools {
			b = append(b, byte(protowire.EncodeBool(v)))
		}
	case fstore.Int32:
		for _, v := range c.Int32s {
			b = protowire.AppendVarint(b, protowire.EncodeZigZag(int64(v)))
		}
	case fstore.Int64:
		for _, v := range c.Int64s {
			b = protowire.AppendVarint(b, protowire.EncodeZigZag(v))
		}
	case fstore.Float32:
		for _, v := range c.Float32s {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	case fstore.Float64:
		for _, v := range c.Float64s {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	case fstore.Timestamp:
		b = appendFixed64s(b, c.Int64s)
	case fstore.String, fstore.Bytes: // are not packed
	}
	return b
}

func appendFixed64s(b []byte, values []int64) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// The functions below write fields like proto3: empty ones are omitted, except in oneofs and repeated fields.

// sizeField returns what a field of n bytes takes: tag, length and bytes. All fields here have numbers below 16.
func sizeField(n int) int { return 1 + protowire.SizeBytes(n) }

func sizeBytes(n int) int {
	if n == 0 {
		return 0
	}
	return sizeField(n)
}

func sizeUint(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(v)
}

// appendHead appends the tag and the length of a field of n bytes.
func appendHead(b []byte, field protowire.Number, n int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(n))
}

func appendText[T ~string | ~[]byte](b []byte, field protowire.Number, v T) []byte {
	if len(v) == 0 {
		return b
	}
	return append(appendHead(b, field, len(v)), v...)
}

func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}
