package grpcapi

import "golang.org/x/net/http2"

// frames follows the frames of one direction of an HTTP/2 connection as their bytes go by, in pieces of any size.
type frames struct {
	skip   int // bytes to pass over: the client's preface, or the rest of a payload
	header [frameHeaderBytes]byte
	have   int // bytes of header seen
	begun  int // frames whose header was seen
}

const frameHeaderBytes = 9

// frame is what the header of a frame says.
type frame struct {
	kind   http2.FrameType
	flags  http2.Flags
	stream uint32
	length int
}

// ends reports whether the frame is the last of its stream in its direction.
func (f frame) ends() bool {
	return f.kind == http2.FrameRSTStream ||
		(f.kind == http2.FrameHeaders || f.kind == http2.FrameData) && f.flags.Has(http2.FlagDataEndStream)
}

// pastFirst reports whether the first frame has gone by as a whole.
func (s *frames) pastFirst() bool { return s.begun > 1 || s.begun == 1 && s.skip == 0 }

// between reports whether the next byte begins a frame.
func (s *frames) between() bool { return s.skip == 0 && s.have == 0 }

// arePings reports whether the next bytes are whole pings and nothing else.
func (s *frames) arePings(p []byte) bool {
	const size = frameHeaderBytes + 8
	if !s.between() || len(p) == 0 || len(p)%size != 0 {
		return false
	}
	for ; len(p) > 0; p = p[size:] {
		if length := int(p[0])<<16 | int(p[1])<<8 | int(p[2]); length != 8 || http2.FrameType(p[3]) != http2.FramePing {
			return false
		}
	}
	return true
}

// scan calls each with every frame whose header ends in p.
func (s *frames) scan(p []byte, each func(frame)) {
	for len(p) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(p))
			s.skip -= n
			p = p[n:]
			continue
		}
		n := copy(s.header[s.have:], p)
		s.have += n
		p = p[n:]
		if s.have < frameHeaderBytes {
			return
		}
		h := &s.header
		s.begun++
		s.have, s.skip = 0, int(h[0])<<16|int(h[1])<<8|int(h[2])
		each(frame{
			kind: http2.FrameType(h[3]), flags: http2.Flags(h[4]), length: s.skip,
			stream: (uint32(h[5])<<24 | uint32(h[6])<<16 | uint32(h[7])<<8 | uint32(h[8])) & (1<<31 - 1),
		})
	}
}
