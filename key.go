package fstore

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"sort"
)

// The key codec. A key is the values of a view's join keys in name order, each encoded so that the bytes
// compare as the values do (false before true, integers and instants by number, strings and bytes bytewise),
// and so that no two keys have the same bytes. Sorted rows and sorted keys are therefore the same order.
//
//	bool             1 byte: 0 or 1
//	int32 int64      1 byte 0x80+n and the n significant bytes of the value, big-endian (n = 0 for 0);
//	timestamp        of a negative value 0x7f-n and the n significant bytes of the value, complement kept
//	string bytes     the bytes, 0x00 written as 0x00 0xff, then 0x00 0x01; the last part as it is, to the end
//
// An int32 and an int64 of one value have the same bytes.

// AppendKey appends the key of row i of the key columns, given in name order, to dst. No part may be null.
func AppendKey(dst []byte, keys []*Column, i int) []byte {
	for k, c := range keys {
		last := k == len(keys)-1
		switch c.Type {
		case Bool:
			if c.Bools[i] {
				dst = append(dst, 1)
			} else {
				dst = append(dst, 0)
			}
		case Int32:
			dst = appendInt(dst, int64(c.Int32s[i]))
		case Int64, Timestamp:
			dst = appendInt(dst, c.Int64s[i])
		case String:
			dst = appendText(dst, c.Strings[i], last)
		case Bytes:
			dst = appendText(dst, c.Bytes[i], last)
		case Float32, Float64:
			panic("fstore: " + c.Type.String() + " cannot be a join key")
		}
	}
	return dst
}

func appendInt(dst []byte, v int64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(v))
	if v >= 0 {
		n := (bits.Len64(uint64(v)) + 7) / 8
		return append(append(dst, 0x80+byte(n)), b[8-n:]...)
	}
	n := (bits.Len64(^uint64(v)) + 7) / 8
	return append(append(dst, 0x7f-byte(n)), b[8-n:]...)
}

func appendText[T string | []byte](dst []byte, s T, last bool) []byte {
	if last {
		return append(dst, s...)
	}
	for i := 0; i < len(s); i++ {
		if dst = append(dst, s[i]); s[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 1)
}

// DecodeKey appends the parts of a key to columns, in name order. The columns have the types of the parts. It returns
// ErrCorrupt for invalid bytes.
func DecodeKey(key []byte, into []*Column) error {
	rest := key
	var err error
	for k, c := range into {
		if rest, err = decodePart(rest, c, k == len(into)-1); err != nil {
			return Errorf(ErrCorrupt, "key %x: part %d is not %s", key, k+1, c.Type.WithArticle())
		}
	}
	if len(rest) > 0 {
		return Errorf(ErrCorrupt, "key %x: %d trailing bytes", key, len(rest))
	}
	return nil
}

func decodePart(b []byte, c *Column, last bool) ([]byte, error) {
	switch c.Type {
	case Bool:
		if len(b) == 0 || b[0] > 1 {
			return nil, ErrCorrupt
		}
		c.Append(b[0] == 1)
		return b[1:], nil
	case Int32, Int64, Timestamp:
		v, rest, ok := decodeInt(b)
		if !ok || c.Type == Int32 && v != int64(int32(v)) {
			return nil, ErrCorrupt
		}
		if c.Type == Int32 {
			c.Append(int32(v))
		} else {
			c.Append(v)
		}
		return rest, nil
	case Float32, Float64: // no join key has them
		return nil, ErrCorrupt
	case String, Bytes: // below
	}
	text, rest := b, []byte(nil)
	if !last {
		var out []byte
		for {
			i := bytes.IndexByte(b, 0)
			if i < 0 || i+1 >= len(b) || b[i+1] != 1 && b[i+1] != 0xff {
				return nil, ErrCorrupt
			}
			out = append(out, b[:i]...)
			end := b[i+1] == 1
			b = b[i+2:]
			if end {
				break
			}
			out = append(out, 0)
		}
		text, rest = out, b
	}
	if c.Type == String {
		c.Append(string(text))
	} else {
		c.Append(bytes.Clone(text[:len(text):len(text)]))
		if len(text) == 0 {
			c.Bytes[c.Len-1] = []byte{}
		}
	}
	return rest, nil
}

// decodeInt accepts only the shortest form, so that a value has one encoding.
func decodeInt(b []byte) (v int64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] < 0x7f-8 || b[0] > 0x80+8 {
		return 0, nil, false
	}
	n, u := int(b[0])-0x80, uint64(0)
	if b[0] < 0x80 {
		n, u = 0x7f-int(b[0]), ^uint64(0)
	}
	if len(b) < 1+n {
		return 0, nil, false
	}
	for _, x := range b[1 : 1+n] {
		u = u<<8 | uint64(x)
	}
	v = int64(u)
	var short [9]byte
	return v, b[1+n:], bytes.Equal(appendInt(short[:0], v), b[:1+n])
}

// SortFields orders fields by name: the canonical order of a view's join keys and of a record's features.
func SortFields(fields []Field) {
	sort.Slice(fields, func(i, j int) bool { return fields[i].Name < fields[j].Name })
}
