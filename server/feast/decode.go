package feast

import (
	"context"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
)

// A request has a message for each value. So it is decoded to columns directly: a generated decoder would make three
// objects of each value. Tests compare the result with what the generated decoder reads. The numbers below are field
// numbers of ServingService.proto.

// grpcCall is a call of GetOnlineFeatures.
type grpcCall struct {
	api     *API
	request request
	columns []column // the entities and then the request context, each in the order of the request
}

// column is a column of a request. It has no type if all of its values are null.
type column struct {
	fstore.Column
	typed bool
}

// columnCost is about the memory of a column beside its values.
const columnCost = 400

// Take implements server.LookupCall.
func (c *grpcCall) Take(message []byte, h *server.Hold) error {
	// A value takes two bytes of the request or more.
	if err := h.To(int64(len(message)) + int64(min(len(message)/2, server.MaxElements))*server.ValueCost); err != nil {
		return err
	}
	d := decoder{hold: h}
	var entities, sent []column
	named := 0
	err := eachField(message, func(f field) (err error) {
		switch {
		case f.is(1, protowire.BytesType):
			named |= 1
			c.request.service, err = f.text("feature_service")
		case f.is(2, protowire.BytesType):
			named |= 2
			err = d.refs(f.bytes, &c.request)
		case f.is(3, protowire.BytesType):
			entities, err = d.column(f.bytes, entities)
		case f.is(4, protowire.VarintType):
			c.request.full = f.number != 0
		case f.is(5, protowire.BytesType):
			sent, err = d.column(f.bytes, sent)
		case f.is(6, protowire.VarintType):
			c.request.versions = f.number != 0
		}
		return err
	})
	if err != nil {
		return err
	}
	c.columns = append(entities, sent...)
	if named != 1 && named != 2 {
		return notOneSelection()
	}
	return nil
}

func notOneSelection() error {
	return fstore.Errorf(fstore.ErrInvalid, "the request must name either a feature service or features")
}

// Answer implements server.LookupCall.
func (c *grpcCall) Answer(ctx context.Context, h *server.Hold) (*[]byte, error) {
	r, err := c.api.lookup(ctx, &c.request, c.keys, h)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	span := c.api.core.Encoding(ctx)
	answer, err := r.encode(h, c.api.o.Store.Limits.MaxAnswerBytes)
	if err == nil {
		span.Count("fstore.bytes", int64(len(*answer)))
	}
	span.End()
	return c.api.served(ctx, r, answer, err)
}

// keys returns the columns. One that has no type takes that of what the features read.
func (c *grpcCall) keys(t *server.Target) ([]fstore.Column, error) {
	out := make([]fstore.Column, len(c.columns))
	for i := range c.columns {
		out[i] = c.columns[i].Column
		if c.columns[i].typed {
			continue
		}
		if read, kind := t.Column(out[i].Name); kind != "" {
			out[i] = nulls(out[i].Name, read.Type, out[i].Len)
		}
	}
	return out, nil
}

// nulls returns a column of n nulls.
func nulls(name string, t fstore.Type, n int) fstore.Column {
	c := fstore.NewColumn(name, t, n)
	for range n {
		c.AppendNull()
	}
	return c
}

// decoder counts what a request brings.
type decoder struct {
	hold     *server.Hold
	elements int
	columns  int
}

// count adds n references, values or elements.
func (d *decoder) count(n int) error {
	if d.elements += n; d.elements > server.MaxElements {
		return fstore.Errorf(fstore.ErrTooLarge, "the request has more than %d values", server.MaxElements).WithHint("ask for fewer rows at a time")
	}
	return nil
}

// refs reads a FeatureList.
func (d *decoder) refs(message []byte, r *request) error {
	if r.refs == nil {
		r.refs = []string{}
	}
	return eachField(message, func(f field) error {
		if !f.is(1, protowire.BytesType) {
			return nil
		}
		ref, err := f.text("a reference")
		if err != nil {
			return err
		}
		r.refs = append(r.refs, ref)
		return d.count(1)
	})
}

// column reads an entry of a map: a name and a RepeatedValue. Of two entries of one name the last counts, as in every
// map of protobuf.
func (d *decoder) column(entry []byte, into []column) ([]column, error) {
	if d.columns++; d.columns > server.MaxColumns {
		return nil, fstore.Errorf(fstore.ErrTooLarge, "the request has more than %d columns", server.MaxColumns)
	}
	if err := d.hold.Grow(columnCost); err != nil {
		return nil, err
	}
	var c column
	var values []byte
	seen := 0
	err := eachField(entry, func(f field) (err error) {
		switch {
		case f.is(1, protowire.BytesType):
			seen += 1
			c.Name, err = f.text("the name of a column")
		case f.is(2, protowire.BytesType):
			seen += 16
			values = f.bytes
		}
		return err
	})
	if err == nil && (seen&15 > 1 || seen > 17) {
		err = notFeasts()
	}
	if err == nil {
		err = d.values(values, &c)
	}
	if err != nil {
		return nil, err
	}
	for i := range into {
		if into[i].Name == c.Name {
			into[i] = c
			return into, nil
		}
	}
	return append(into, c), nil
}

// field is a field of a message.
type field struct {
	tag    protowire.Number
	kind   protowire.Type
	number uint64 // of a varint or a fixed number
	bytes  []byte // of a field with a length
}

func (f *field) is(tag protowire.Number, kind protowire.Type) bool {
	return f.tag == tag && f.kind == kind
}

// text returns a field as a string.
func (f *field) text(what string) (string, error) {
	if !utf8.Valid(f.bytes) {
		return "", fstore.Errorf(fstore.ErrInvalid, "%s is not UTF-8", what)
	}
	return string(f.bytes), nil
}

// notFeasts is the error for bytes that are no request. Whatever is not in ServingService.proto is passed over, as every
// reader of protobuf does.
func notFeasts() error {
	return fstore.Errorf(fstore.ErrInvalid, "the request is not a message of feast.serving.GetOnlineFeatures")
}

// eachField calls fn with every field of a message.
func eachField(message []byte, fn func(field) error) error {
	for len(message) > 0 {
		var f field
		var n int
		if f.tag, f.kind, n = protowire.ConsumeTag(message); n < 0 || f.tag > protowire.MaxValidNumber {
			return notFeasts()
		}
		message = message[n:]
		switch f.kind {
		case protowire.VarintType, protowire.Fixed64Type, protowire.Fixed32Type:
			f.number, n = consumeNumber(f.kind, message)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(message)
		case protowire.StartGroupType, protowire.EndGroupType:
			n = protowire.ConsumeFieldValue(f.tag, f.kind, message)
		default:
			n = -1
		}
		if n < 0 {
			return notFeasts()
		}
		message = message[n:]
		if err := fn(f); err != nil {
			return err
		}
	}
	return nil
}

// consumeNumber reads a varint or a number of fixed width. n is its length: less than 0 if it is damaged, 0 for another kind.
func consumeNumber(kind protowire.Type, b []byte) (number uint64, n int) {
	switch kind {
	case protowire.VarintType:
		return protowire.ConsumeVarint(b)
	case protowire.Fixed64Type:
		return protowire.ConsumeFixed64(b)
	case protowire.Fixed32Type:
		v, n := protowire.ConsumeFixed32(b)
		return uint64(v), n
	case protowire.BytesType, protowire.StartGroupType, protowire.EndGroupType: // no numbers
	}
	return 0, 0
}
