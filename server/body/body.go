// Package body reads the bodies of HTTP requests: JSON, strictly and within bounds. Names are matched exactly, and each
// may be there once.
package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
)

// Reader reads the bodies of one kind of request. It is the hint of errors, which shows such a request.
type Reader string

// Member reads the value of a field. It must begin as values of its kind do: null, for one, is none.
func (r Reader) Member(name string, raw json.RawMessage, kind string, begin byte, into any) error {
	if raw[0] != begin || raw[0] == 'n' || json.Unmarshal(raw, into) != nil {
		return fstore.Errorf(fstore.ErrInvalid, "%s is %s", name, "not "+kind).WithHint("%s", r)
	}
	return nil
}

// EachMember calls fn with every member of a JSON object, in order; the values are the object's own bytes or copies,
// never empty. Bytes that are no object, or an object with a name twice, are ErrInvalid.
func (r Reader) EachMember(object []byte, fn func(name string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return r.notJSON(d, err, "an object")
	}
	var seen []string
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return r.notJSON(d, err, "an object")
		}
		if slices.Contains(seen, name) {
			return fstore.Errorf(fstore.ErrInvalid, "%q is there twice", name)
		}
		if seen = append(seen, name); len(seen) > server.MaxColumns {
			return fstore.Errorf(fstore.ErrInvalid, "an object has more than %d fields", server.MaxColumns)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return r.notJSON(d, err, "an object")
		}
		if err := fn(name, value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return r.notJSON(d, err, "an object")
	}
	if _, err := d.Token(); err != io.EOF {
		return fstore.Errorf(fstore.ErrInvalid, "there is more after the JSON object, at byte %d", d.InputOffset())
	}
	return nil
}

func (r Reader) notJSON(d *json.Decoder, err error, want string) error {
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return fstore.Errorf(fstore.ErrInvalid, "not %s", want).WithHint("%s", r)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fstore.Errorf(fstore.ErrInvalid, "the JSON ends too early").WithHint("%s", r)
	case errors.As(err, &syntax):
		return fstore.Errorf(fstore.ErrInvalid, "not JSON at byte %d: %v", d.InputOffset(), syntax).WithHint("%s", r)
	}
	return fstore.Errorf(fstore.ErrInvalid, "not JSON at byte %d: %v", d.InputOffset(), err).WithHint("%s", r)
}

// Values adds the values of a JSON array to a column, one at a time: a long array costs no more than the limit.
func (r Reader) Values(c *fstore.Column, array json.RawMessage, maxRows int, add func(*fstore.Column, json.RawMessage) error) error {
	if array[0] != '[' {
		return fmt.Errorf(": %w", fstore.Errorf(fstore.ErrInvalid, "not a list of values").WithHint("%s", r))
	}
	d := json.NewDecoder(bytes.NewReader(array))
	if _, err := d.Token(); err != nil {
		return fmt.Errorf(": %w", r.notJSON(d, err, "a list"))
	}
	var raw json.RawMessage // its bytes are used again for the next value
	for d.More() {
		if maxRows > 0 && c.Len == maxRows {
			return fmt.Errorf(": %w", fstore.Errorf(fstore.ErrTooLarge, "more than %d rows of keys", maxRows).WithHint("ask for fewer rows at a time"))
		}
		if err := d.Decode(&raw); err != nil {
			return fmt.Errorf(": %w", r.notJSON(d, err, "a list"))
		}
		if err := add(c, raw); err != nil {
			return fmt.Errorf(", row %d: %w", c.Len+1, err)
		}
	}
	return nil
}
