package redis

import (
	"bytes"
	"io"
	"slices"
	"strconv"
)

// reply is what Redis sent, as the driver hands it on: arrays of values in RESP2.
type reply struct{ bytes []byte }

// firstReply is the room for a reply beside its values: a few lines.
const firstReply = 64

// maxGuess is the most memory that a reply gets before its bytes are there: values of one look-up say little of the next.
const maxGuess = 1 << 20

// Write implements io.Writer.
func (r *reply) Write(p []byte) (int, error) {
	r.bytes = append(r.bytes, p...)
	return len(p), nil
}

// step is by how much a reply grows: a size that Redis states is not believed before its bytes are there.
const step = 64 << 10

// ReadFrom implements io.ReaderFrom, so that no other memory is needed to copy a value.
func (r *reply) ReadFrom(from io.Reader) (int64, error) {
	before := len(r.bytes)
	for {
		want := step
		if limited, ok := from.(*io.LimitedReader); ok {
			want = int(min(limited.N, step))
		}
		r.bytes = slices.Grow(r.bytes, want)
		n, err := from.Read(r.bytes[len(r.bytes):cap(r.bytes)])
		r.bytes = r.bytes[:len(r.bytes)+n]
		if err == io.EOF {
			err = nil
		} else if err == nil {
			continue
		}
		return int64(len(r.bytes) - before), err
	}
}

// values appends n values to out, nil for those that are absent. It returns false if the reply is anything else, such as
// an error. They are in the reply's memory.
func (r *reply) values(out [][]byte, n int) ([][]byte, bool) {
	rest := r.bytes
	for n > 0 {
		count, after, ok := header(rest, '*')
		if !ok || count < 1 || count > n {
			return nil, false
		}
		for rest = after; count > 0; count, n = count-1, n-1 {
			size, after, ok := header(rest, '$')
			rest = after
			switch {
			case !ok, size >= 0 && size > len(rest)-len(crlf):
				return nil, false
			case size < 0:
				out = append(out, nil)
				continue
			case string(rest[size:size+len(crlf)]) != crlf:
				return nil, false
			}
			out, rest = append(out, rest[:size:size]), rest[size+len(crlf):]
		}
	}
	return out, len(rest) == 0
}

const crlf = "\r\n"

// header parses the first line of a part of a reply: its kind and a number, which is −1 for what is absent.
func header(b []byte, kind byte) (n int, rest []byte, ok bool) {
	end := bytes.IndexByte(b, '\r')
	if end < 2 || b[0] != kind || end+1 >= len(b) || b[end+1] != '\n' {
		return 0, nil, false
	}
	n, err := strconv.Atoi(string(b[1:end]))
	return n, b[end+len(crlf):], err == nil && n >= -1
}
