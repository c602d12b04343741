package grpcapi

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
)

// A few bytes of a request can become a message of a hundred bytes. So elements are counted before a request is
// decoded.

// maxMessages bounds the messages of a request: one a key column, and a few more. A message takes two bytes of a request
// and hundreds of memory.
const maxMessages = server.MaxColumns + 10

var requestMessage = (&fstorev1.GetOnlineFeaturesRequest{}).ProtoReflect().Descriptor()

// size is what a message comes to once it is decoded.
type size struct {
	elements int   // fields and values, those of the messages in it included
	messages int   // itself included
	bytes    int64 // of memory, about
}

// messageCost is what a message takes that may have no bytes at all: a Column has a slice for each type.
const messageCost = 384

// count adds the cost of a message. It stops beyond server.MaxElements. Invalid bytes count as nothing: decoding
// reports them.
func (s *size) count(b []byte, m protoreflect.MessageDescriptor, nesting int) {
	if nesting > server.MaxNesting {
		s.elements = server.MaxElements + 1
	}
	s.bytes += messageCost
	if s.messages++; s.messages > maxMessages {
		return
	}
	fields := m.Fields()
	for len(b) > 0 && s.elements <= server.MaxElements && s.messages <= maxMessages {
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
	s.bytes += int64(values) * server.ValueCost
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
		return 0, fstore.Errorf(fstore.ErrTooLarge, "the request has more than %d key columns", server.MaxColumns)
	case s.elements > server.MaxElements:
		return 0, tooManyElements()
	}
	return s.bytes, nil
}

func tooManyElements() error {
	return fstore.Errorf(fstore.ErrTooLarge, "the request has more than %d fields and values, or messages more than %d deep", server.MaxElements, server.MaxNesting).
		WithHint("ask for fewer rows at a time")
}
