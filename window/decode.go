package window

import (
	"bytes"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/packed"
)

// Decode reverses Append. The error is ErrCorrupt unless the bytes are what Append writes. Strings and bytes share their
// memory, as they share texts: whatever the bytes say, the values take little more memory than the entries.
func (t *Tiles) Decode(b []byte) (*Suffixes, error) {
	h, err := t.head(b)
	if err != nil {
		return nil, err
	}
	texts := textsOf(b[h.entries+h.n*t.entry:])
	if err := t.checkTexts(b[h.entries:], h.n, texts.bytes); err != nil {
		return nil, err
	}
	s := &Suffixes{}
	for _, f := range t.features {
		s.Values = append(s.Values, fstore.NewColumn(f.Name, f.Type, h.n))
	}
	for i := h.n - 1; i >= 0; i-- {
		s.Tiles = append(s.Tiles, int64(uint64(h.newest)-h.distance(b, i)))
		if n := len(s.Tiles); n > 1 && s.Tiles[n-1] <= s.Tiles[n-2] {
			return nil, corrupt("tile %d comes after tile %d", s.Tiles[n-1], s.Tiles[n-2])
		}
		entry := b[h.entries+i*t.entry:][:t.entry]
		for f := range t.Fields {
			if err := t.Fields[f].read(&s.Values[f], entry, texts); err != nil {
				return nil, err
			}
		}
	}
	if again, err := t.Append(nil, s); err != nil || !bytes.Equal(again, b) {
		return nil, corrupt("not in the form in which tiles are written")
	}
	return s, nil
}

// checkTexts returns an error unless the texts are where appendValues puts them. So Decode never encodes more than it was
// given.
func (t *Tiles) checkTexts(entries []byte, n int, texts []byte) error {
	end := 0
	for f := range t.Fields {
		fd := &t.Fields[f]
		before := end
		for i := range n {
			entry := entries[i*t.entry:][:t.entry]
			if fd.Width > 0 || entry[fd.ByteN]&fd.Bit == 0 {
				continue
			}
			value, err := fd.Text(entry, texts)
			if err != nil {
				return err
			}
			from, to := int(le.Uint32(entry[fd.At:])), int(le.Uint32(entry[fd.At+4:]))
			switch last := texts[before:end]; {
			case bytes.HasPrefix(last, value):
			case bytes.HasPrefix(value, last):
				end = to
			default:
				before, end = end, to
			}
			if from != before {
				return corrupt("a text from %d to %d, where one begins at %d", from, to, before)
			}
		}
	}
	if end != len(texts) {
		return corrupt("%d bytes of texts, of which entries use %d", len(texts), end)
	}
	return nil
}

// texts are the texts of all entries.
type texts struct {
	bytes []byte
	text  string // the same, for strings to share
}

func textsOf(b []byte) texts { return texts{b, string(b)} }

// read appends the value of an entry to a column.
func (f *TileField) read(c *fstore.Column, entry []byte, from texts) error {
	if entry[f.ByteN]&f.Bit == 0 {
		c.AppendNull()
		return nil
	}
	value, ok := entry[f.At:f.At+f.Width], false
	if f.Width == 0 {
		var err error
		if value, err = f.Text(entry, from.bytes); err != nil {
			return err
		}
	}
	switch at := int(le.Uint32(entry[f.At:])); {
	case f.Width > 0:
		ok = packed.Read(c, value)
	case f.Type.IsList():
		ok = f.readList(c, value, at, from)
	default:
		from.append(c, at, at+len(value))
		ok = true
	}
	if !ok {
		return corrupt("%d bytes are not a value of type %s", len(value), f.Type)
	}
	return nil
}

// readList appends a list, which is at a place in the texts. ok is false if the bytes are no list, or one of more than N.
func (f *TileField) readList(c *fstore.Column, list []byte, at int, from texts) (ok bool) {
	elem := f.Type.Elem()
	if w := elem.Width(); w > 0 {
		return len(list) <= f.most*w && packed.Read(c, list)
	}
	elements := fstore.NewColumn("", elem, 0)
	for end := at + len(list); len(list) > 0; {
		text, rest, ok := packed.NextText(list)
		if !ok || elements.Len == f.most {
			return false
		}
		from.append(&elements, end-len(rest)-len(text), end-len(rest))
		list = rest
	}
	c.AppendList(&elements)
	return true
}

// append appends a part of the texts to a column of strings or bytes.
func (t *texts) append(c *fstore.Column, from, to int) {
	if c.Type == fstore.String {
		c.Append(t.text[from:to])
		return
	}
	c.Append(t.bytes[from:to:to])
}
