package feast

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server"
)

// An answer is written as a GetOnlineFeaturesResponse without building messages: there are three for each value. Tests
// read it with the generated decoder.

// vector is a column of an answer: one of the request's, or a feature.
type vector struct {
	column *fstore.Column
	of     *online.AnswerFeature // nil: a column of the request
	size   int                   // of its message
	values int                   // of the values in it
	times  int                   // of the instants in it
}

// encode writes an answer of at most limit bytes, if that is not 0, into a buffer that the hold has the bytes of.
func (r *reply) encode(h *server.Hold, limit int) (*[]byte, error) {
	meta := len(r.names.wire)
	for i := range r.keys {
		meta += sizeField(len(r.keys[i].Name))
	}
	head := sizeField(meta)
	if r.versions {
		for _, v := range r.Versions {
			head += sizeField(sizeVersion(v.Ref))
		}
	}
	total := sizeField(head) + 2 // and the status
	vectors := make([]vector, 0, len(r.keys)+len(r.Features))
	for i := range r.keys {
		vectors = append(vectors, r.sized(vector{column: &r.keys[i]}))
	}
	for i := range r.Features {
		v := vector{column: &r.Features[i].Column, of: &r.Features[i]}
		if n := len(vectors); n > 0 && v.sharesTimes(&vectors[n-1]) {
			v.times = vectors[n-1].times
		}
		vectors = append(vectors, r.sized(v))
	}
	for i := range vectors {
		total += sizeField(vectors[i].size)
	}
	if limit > 0 && total > limit {
		return nil, tooLarge(limit, "ask for fewer rows or features, or fstore's own API, whose answers are smaller")
	}
	if err := h.Grow(int64(total)); err != nil {
		return nil, err
	}
	buf := server.Buffers.Get(total)
	b := appendHead((*buf)[:0], 1, head)
	b = appendHead(b, 1, meta)
	for i := range r.keys {
		b = appendText(b, 1, r.keys[i].Name)
	}
	b = append(b, r.names.wire...)
	if r.versions {
		for _, v := range r.Versions {
			b = appendText(appendHead(b, 2, sizeVersion(v.Ref)), 1, v.Ref.Name)
			b = appendVarint(b, 2, uint64(v.Ref.Version))
		}
	}
	var times []byte
	for i := range vectors {
		if i > 0 && !vectors[i].sharesTimes(&vectors[i-1]) {
			times = nil
		}
		b = r.appendVector(b, &vectors[i], times)
		times = b[len(b)-vectors[i].times:]
	}
	*buf = appendVarint(b, 3, 1)
	if err := h.To(int64(cap(*buf))); err != nil {
		server.Buffers.Put(buf)
		return nil, err
	}
	return buf, nil
}

func tooLarge(limit int, hint string) error {
	return fstore.Errorf(fstore.ErrTooLarge, "an answer of more than %d bytes", limit).WithHint("%s", hint)
}

func sizeVersion(ref fstore.ViewRef) int {
	return sizeField(len(ref.Name)) + 1 + protowire.SizeVarint(uint64(ref.Version))
}

// sized returns a column of an answer with its sizes; that of its event times may be known.
func (r *reply) sized(v vector) vector {
	for i := range r.Rows {
		v.values += sizeField(sizeValue(v.column, i))
	}
	if v.times == 0 {
		for i := range r.Rows {
			v.times += sizeField(sizeTime(eventOf(v.of, i)))
		}
	}
	v.size = v.values + sizeField(r.Rows) + v.times
	return v
}

// sharesTimes reports whether a column has the event times of the one before it, as the features of one view do.
func (v *vector) sharesTimes(before *vector) bool {
	return v.of != nil && before.of != nil && v.of.Events != nil && same(v.of.Events, before.of.Events) && same(v.of.EventsValid, before.of.EventsValid)
}

// same reports whether two slices are one.
func same[S ~[]T, T any](a, b S) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// appendVector appends a column. times are its encoded event times if they are known; nil otherwise.
func (r *reply) appendVector(b []byte, v *vector, times []byte) []byte {
	b = appendHead(b, 2, v.size)
	for i := range r.Rows {
		b = appendHead(b, 1, sizeValue(v.column, i))
		b = appendValue(b, v.column, i)
	}
	b = appendHead(b, 2, r.Rows)
	for i := range r.Rows {
		b = append(b, statusOf(v.of, i))
	}
	if times != nil {
		return append(b, times...)
	}
	for i := range r.Rows {
		us := eventOf(v.of, i)
		b = appendTime(appendHead(b, 3, sizeTime(us)), us)
	}
	return b
}

// statusOf returns the status of a row of a column as Feast numbers it. What a request brings is PRESENT.
func statusOf(of *online.AnswerFeature, i int) byte {
	if of == nil {
		return present
	}
	return present + byte(of.Status(i))
}

const present = 1 // the others follow in fstore's order

// eventOf returns the event time of a row of a column in microseconds: 0, the Unix epoch, where there is none.
func eventOf(of *online.AnswerFeature, i int) int64 {
	if of == nil || of.Events == nil || !of.EventsValid.Get(i) {
		return 0
	}
	return of.Events[i]
}

// split returns an instant as whole seconds and the nanoseconds after them.
func split(us int64) (seconds int64, nanos int64) {
	seconds, rest := us/microsOfSecond, us%microsOfSecond
	if rest < 0 {
		seconds, rest = seconds-1, rest+microsOfSecond
	}
	return seconds, rest * 1000
}

func sizeTime(us int64) (n int) {
	seconds, nanos := split(us)
	if seconds != 0 {
		n += 1 + protowire.SizeVarint(uint64(seconds))
	}
	if nanos != 0 {
		n += 1 + protowire.SizeVarint(uint64(nanos))
	}
	return n
}

func appendTime(b []byte, us int64) []byte {
	seconds, nanos := split(us)
	if seconds != 0 {
		b = appendVarint(b, 1, uint64(seconds))
	}
	if nanos != 0 {
		b = appendVarint(b, 2, uint64(nanos))
	}
	return b
}

// sizeValue returns the size of row i as a Value. A null is a Value without a kind.
func sizeValue(c *fstore.Column, i int) int {
	if c.IsNull(i) {
		return 0
	}
	if !c.Type.IsList() {
		return 1 + sizeElement(c, i)
	}
	return protowire.SizeTag(fieldOf(c.Type)) + protowire.SizeBytes(sizeList(c, int(c.Offsets[i]), int(c.Offsets[i+1])))
}

func appendValue(b []byte, c *fstore.Column, i int) []byte {
	if c.IsNull(i) {
		return b
	}
	if !c.Type.IsList() {
		return appendElementOf(b, fieldOf(c.Type), c, i)
	}
	from, to := int(c.Offsets[i]), int(c.Offsets[i+1])
	b = appendHead(b, fieldOf(c.Type), sizeList(c, from, to))
	if isText(c.Type) {
		for j := from; j < to; j++ {
			b = appendElementOf(b, 1, c, j)
		}
		return b
	}
	if from < to {
		b = appendHead(b, 1, sizePacked(c, from, to))
	}
	for j := from; j < to; j++ {
		b = appendScalar(b, c, j)
	}
	return b
}

func isText(t fstore.Type) bool { return t.Elem() == fstore.String || t.Elem() == fstore.Bytes }

// sizeList returns the size of a list message.
func sizeList(c *fstore.Column, from, to int) (n int) {
	if !isText(c.Type) {
		if from == to {
			return 0
		}
		return sizeField(sizePacked(c, from, to))
	}
	for j := from; j < to; j++ {
		n += 1 + sizeElement(c, j)
	}
	return n
}

func sizePacked(c *fstore.Column, from, to int) (n int) {
	for j := from; j < to; j++ {
		n += sizeElement(c, j)
	}
	return n
}

// sizeElement returns the size of an element without its tag: of a text, with its length.
func sizeElement(c *fstore.Column, j int) int {
	switch c.Type.Elem() {
	case fstore.Bool:
		return 1
	case fstore.Int32:
		return protowire.SizeVarint(uint64(int64(c.Int32s[j])))
	case fstore.Int64:
		return protowire.SizeVarint(uint64(c.Int64s[j]))
	case fstore.Float32:
		return 4
	case fstore.Float64:
		return 8
	case fstore.String:
		return protowire.SizeBytes(len(c.Strings[j]))
	case fstore.Bytes:
		return protowire.SizeBytes(len(c.Bytes[j]))
	case fstore.Timestamp: // below
	}
	return protowire.SizeVarint(uint64(c.Int64s[j] / microsOfSecond))
}

// appendElementOf appends an element with a tag.
func appendElementOf(b []byte, tag protowire.Number, c *fstore.Column, j int) []byte {
	form := protowire.VarintType
	switch c.Type.Elem() {
	case fstore.String, fstore.Bytes:
		form = protowire.BytesType
	case fstore.Float64:
		form = protowire.Fixed64Type
	case fstore.Float32:
		form = protowire.Fixed32Type
	case fstore.Bool, fstore.Int32, fstore.Int64, fstore.Timestamp: // are varints
	}
	return appendScalar(append(b, byte(protowire.EncodeTag(tag, form))), c, j)
}

// appendScalar appends an element without a tag.
func appendScalar(b []byte, c *fstore.Column, j int) []byte {
	switch c.Type.Elem() {
	case fstore.Bool:
		return append(b, byte(protowire.EncodeBool(c.Bools[j])))
	case fstore.Int32:
		return protowire.AppendVarint(b, uint64(int64(c.Int32s[j])))
	case fstore.Int64:
		return protowire.AppendVarint(b, uint64(c.Int64s[j]))
	case fstore.Float32:
		return protowire.AppendFixed32(b, math.Float32bits(c.Float32s[j]))
	case fstore.Float64:
		return protowire.AppendFixed64(b, math.Float64bits(c.Float64s[j]))
	case fstore.String:
		return protowire.AppendString(b, c.Strings[j])
	case fstore.Bytes:
		return protowire.AppendBytes(b, c.Bytes[j])
	case fstore.Timestamp: // below
	}
	return protowire.AppendVarint(b, uint64(c.Int64s[j]/microsOfSecond))
}

// sizeField returns what a field of n bytes takes: tag, length and bytes.
func sizeField(n int) int { return 1 + protowire.SizeBytes(n) }

// appendHead appends the tag and the length of a field of n bytes.
func appendHead(b []byte, tag protowire.Number, n int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, tag, protowire.BytesType), uint64(n))
}

func appendText(b []byte, tag protowire.Number, text string) []byte {
	return append(appendHead(b, tag, len(text)), text...)
}

func appendVarint(b []byte, tag protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, tag, protowire.VarintType), v)
}
