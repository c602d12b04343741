package server

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// A few bytes of a request can stand for a message of a hundred. So a request's elements are counted before it is decoded.

const (
	// maxElements bounds the fields and values of a request: the most rows there may be, of twenty key columns.
	maxElements = 200_000
	// maxNesting bounds messages in messages, and lists and objects in JSON. A request has no more than six.
	maxNesting = 16
	// maxMessages bounds the messages of a request: one a key column, and a few more. A message takes two bytes of a
	// request and hundreds of memory.
	maxMessages = maxMembers + 10
)

var requestMessage = (&fstorev1.GetOnlineFeaturesRequest{}).ProtoReflect().Descriptor()

// size is what a message comes to once it is decoded.
type size struct {
	elements int   // fields and values, those of the messages in it included
	messages int   // itself included
	bytes    int64 // of memory, about
}

const (
	messageCost = 384 // of a message that may have no bytes at all: a Column has a slice for each type
	valueCost   = 24  // of a value: as much as the header of a slice
)

// count adds what a message comes to. It stops beyond maxElements. Bytes that are no message count as nothing: decoding
// tells what is wrong with them.
func (s *size) count(b []byte, m protoreflect.MessageDescriptor, nesting int) {
	if nesting > maxNesting {
		s.elements = maxElements + 1
	}
	s.bytes += messageCost
	if s.messages++; s.messages > maxMessages {
		return
	}
	fields := m.Fields()
	for len(b) > 0 && s.elements <= maxElements && s.messages <= maxMessages {
		number, kind, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return
		}
		n := protowire.ConsumeFieldValue(number, kind, b[tag:])
		if n < 0 {
			return
		}
		s.add(1)
		if field := fields.ByNumber(number); field != nil && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(b[tag:])
			s.countField(value, field, nesting)
		}
		b = b[tag+n:]
	}
}

func (s *size) add(values int) {
	s.elements += values
	s.bytes += int64(values) * valueCost
}

// countField adds what a field that has a length comes to.
func (s *size) countField(value []byte, field protoreflect.FieldDescriptor, nesting int) {
	switch field.Kind() {
	case protoreflect.MessageKind:
		s.count(value, field.Message(), nesting+1)
	case protoreflect.StringKind, protoreflect.BytesKind:
		s.bytes += int64(len(value))
	case protoreflect.FloatKind, protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		s.add(len(value) / 4)
	case protoreflect.DoubleKind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		s.add(len(value) / 8)
	default:
		n := 0
		for _, b := range value { // each varint has one byte without the high bit
			n += int(^b >> 7)
		}
		s.add(n)
	}
}

// sizeOfMessage returns what a request comes to. The error is ErrTooLarge: it has more elements than a request may have.
func sizeOfMessage(b []byte) (bytes int64, err error) {
	var s size
	s.count(b, requestMessage, 0)
	switch {
	case s.messages > maxMessages:
		return 0, fstore.Errorf(fstore.ErrTooLarge, "the request has more than %d key columns", maxMembers)
	case s.elements > maxElements:
		return 0, tooManyElements()
	}
	return s.bytes, nil
}

func tooManyElements() error {
	return fstore.Errorf(fstore.ErrTooLarge, "the request has more than %d fields and values, or messages more than %d deep", maxElements, maxNesting).
		WithHint("ask for fewer rows at a time")
}

// sizeOfJSON returns what a body comes to. The errors are ErrTooLarge, and ErrInvalid for one that is nested too deep.
func sizeOfJSON(body []byte) (bytes int64, err error) {
	var s size
	depth, text := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '[' || c == '{':
			s.add(1)
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',':
			s.add(1)
		}
		switch {
		case depth > maxNesting:
			return 0, fstore.Errorf(fstore.ErrInvalid, "the request has lists or objects more than %d deep, at byte %d", maxNesting, i).WithHint("%s", requestHint)
		case s.elements > maxElements:
			return 0, fstore.Errorf(fstore.ErrTooLarge, "the request has more than %d values", maxElements).WithHint("ask for fewer rows at a time")
		}
	}
	return s.bytes + int64(len(body)), nil
}
