package server

import "context"

// LookupMethod is a method that is admitted, bounded and run like fstore's own look-ups, with requests and answers in a
// form of its own, such as Feast's. A protocol carries their bytes.
type LookupMethod struct {
	Method
	New func() LookupCall
}

// LookupCall is one call of a LookupMethod.
type LookupCall interface {
	// Take receives the bytes of the request. The hold grows by the memory that the request takes, before it takes it.
	// gRPC uses the bytes again once Take has returned; over HTTP they stay until Answer has returned.
	Take(request []byte, h *Hold) error
	// Answer returns the answer in a buffer of Buffers. The hold has the answer's bytes then.
	Answer(ctx context.Context, h *Hold) (*[]byte, error)
}

// StaleCall is a LookupCall whose answer has no place to say which views are stale. The header StaleHeader says so.
type StaleCall interface {
	// Stale returns the stale views of the answer, such as "orders@1, customers@2", or "". Answer has returned then.
	Stale() string
}

// StaleHeader is the header, over gRPC and HTTP, that names the stale views of an answer.
const StaleHeader = "fstore-stale"

// StaleOf returns the value of StaleHeader for an answered call; empty if the answer has no such header.
func StaleOf(c LookupCall) string {
	if s, ok := c.(StaleCall); ok {
		return s.Stale()
	}
	return ""
}

// Written returns an answer that is not sized before it is written: the hold has the bytes of its buffer afterwards.
func (s *Server) Written(ctx context.Context, h *Hold, write func(dst []byte) ([]byte, error)) (*[]byte, error) {
	span := s.Encoding(ctx)
	defer span.End()
	buf := Buffers.Get(0)
	answer, err := write((*buf)[:0])
	*buf = answer
	if err == nil {
		err = h.To(int64(cap(answer)))
	}
	if err != nil {
		Buffers.Put(buf)
		return nil, err
	}
	span.Count("fstore.bytes", int64(len(answer)))
	return buf, nil
}
