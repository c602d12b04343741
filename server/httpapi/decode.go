package httpapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server"
)

// jsonRequest is the body of POST /v1/online-features. Reading it is strict: names are matched exactly, each may be
// there once, and an unknown one is an error.
type jsonRequest struct {
	service  string
	model    fstore.ModelRef
	features []string // nil where a service or model is named
	entities []rawColumn
	events   online.EventTimes
}

// rawColumn is a column whose type is not known yet.
type rawColumn struct {
	name   string
	values json.RawMessage
}

const requestHint = `such as {"service":"churn","entities":{"customer_id":[17850]}}`

// decodeRequest reads a body. It returns ErrInvalid, which names everything unknown.
func decodeRequest(body []byte) (*jsonRequest, error) {
	if err := fstore.CheckJSON(body); err != nil {
		return nil, err
	}
	req := &jsonRequest{}
	var unknown []string
	ways := 0 // of naming features
	err := eachMember(body, func(name string, raw json.RawMessage) (err error) {
		switch name {
		case "service":
			ways++
			err = member(name, raw, "a string", '"', &req.service)
		case "model":
			ways++
			req.model, err = modelFrom(raw)
		case "features":
			ways++
			err = member(name, raw, "a list of strings", '[', &req.features)
		case "entities":
			err = eachMember(raw, func(name string, values json.RawMessage) error {
				req.entities = append(req.entities, rawColumn{name, values})
				return nil
			})
			if err != nil {
				err = fmt.Errorf("entities: %w", err)
			}
		case "event_timestamps":
			var wanted bool
			if err = member(name, raw, "true or false", raw[0], &wanted); wanted {
				req.events = online.WithEventTimes
			}
		default:
			unknown = append(unknown, name)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case unknown != nil:
		return nil, fstore.Errorf(fstore.ErrInvalid, "the request has unknown fields: %s", strings.Join(unknown, ", ")).
			WithHint("the fields are service, model, features, entities and event_timestamps")
	case ways != 1:
		return nil, server.NotOneSelection()
	}
	return req, nil
}

// modelFrom reads the name and version of a model. Neither may be missing.
func modelFrom(raw json.RawMessage) (ref fstore.ModelRef, err error) {
	err = eachMember(raw, func(name string, value json.RawMessage) error {
		switch name {
		case "name":
			return member("model name", value, "a string", '"', &ref.Name)
		case "version":
			return member("model version", value, "a string", '"', &ref.Version)
		}
		return fstore.Errorf(fstore.ErrInvalid, "unknown field %q", name)
	})
	if err == nil && (ref.Name == "" || ref.Version == "") {
		err = fstore.Errorf(fstore.ErrInvalid, "name or version is missing")
	}
	if err != nil {
		err = fmt.Errorf("model: %w", fstore.Errorf(fstore.ErrInvalid, "%s", fstore.MessageOf(err)).WithHint(`such as {"model":{"name":"fraud","version":"3"}}; an alias may stand for the version`))
	}
	return ref, err
}

// member reads the value of a field. It must begin as values of its kind do: null, for one, is none.
func member(name string, raw json.RawMessage, kind string, begin byte, into any) error {
	if raw[0] != begin || raw[0] == 'n' || json.Unmarshal(raw, into) != nil {
		return fstore.Errorf(fstore.ErrInvalid, "%s is %s", name, "not "+kind).WithHint("%s", requestHint)
	}
	return nil
}

// eachMember calls fn with every member of a JSON object, in order; the values are the object's own bytes or copies,
// never empty. Bytes that are no object, or an object with a name twice, are ErrInvalid.
func eachMember(object []byte, fn func(name string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return notJSON(d, err, "an object")
	}
	var seen []string
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return notJSON(d, err, "an object")
		}
		if slices.Contains(seen, name) {
			return fstore.Errorf(fstore.ErrInvalid, "%q is there twice", name)
		}
		if seen = append(seen, name); len(seen) > server.MaxColumns {
			return fstore.Errorf(fstore.ErrInvalid, "an object has more than %d fields", server.MaxColumns)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return notJSON(d, err, "an object")
		}
		if err := fn(name, value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return notJSON(d, err, "an object")
	}
	if _, err := d.Token(); err != io.EOF {
		return fstore.Errorf(fstore.ErrInvalid, "there is more after the JSON object, at byte %d", d.InputOffset())
	}
	return nil
}

func notJSON(d *json.Decoder, err error, want string) error {
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return fstore.Errorf(fstore.ErrInvalid, "not %s", want).WithHint("%s", requestHint)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fstore.Errorf(fstore.ErrInvalid, "the JSON ends too early").WithHint("%s", requestHint)
	case errors.As(err, &syntax):
		return fstore.Errorf(fstore.ErrInvalid, "not JSON at byte %d: %v", d.InputOffset(), syntax).WithHint("%s", requestHint)
	}
	return fstore.Errorf(fstore.ErrInvalid, "not JSON at byte %d: %v", d.InputOffset(), err).WithHint("%s", requestHint)
}

// columns reads the columns as the types that the features need. Of a column they do not need only the length is
// read, and of one that no features need not even that: the store names it. The errors are ErrInvalid, with column and
// row, and ErrTooLarge.
func (r *jsonRequest) columns(t *server.Target, maxRows int) ([]fstore.Column, error) {
	out := make([]fstore.Column, len(r.entities))
	for i, e := range r.entities {
		c, add := fstore.Column{Name: e.name}, countValue
		read, kind := t.Column(e.name)
		switch {
		case kind != "":
			c, add = fstore.NewColumn(e.name, read.Type, 1), (*fstore.Column).AppendParsed
		case !t.Also[e.name]:
			out[i] = c
			continue
		}
		if err := parseColumn(&c, e.values, maxRows, add); err != nil {
			return nil, fmt.Errorf("%s %s%w", cmp.Or(kind, "key column"), e.name, err)
		}
		out[i] = c
	}
	return out, nil
}

// countValue counts a value that is not read.
func countValue(c *fstore.Column, _ json.RawMessage) error {
	c.Len++
	return nil
}

// parseColumn adds the values of a JSON array to a column, one at a time: a long array costs no more than the limit.
func parseColumn(c *fstore.Column, array json.RawMessage, maxRows int, add func(*fstore.Column, json.RawMessage) error) error {
	if array[0] != '[' {
		return fmt.Errorf(": %w", fstore.Errorf(fstore.ErrInvalid, "not a list of values").WithHint("%s", requestHint))
	}
	d := json.NewDecoder(bytes.NewReader(array))
	if _, err := d.Token(); err != nil {
		return fmt.Errorf(": %w", notJSON(d, err, "a list"))
	}
	var raw json.RawMessage // its bytes are used again for the next value
	for d.More() {
		if maxRows > 0 && c.Len == maxRows {
			return fmt.Errorf(": %w", fstore.Errorf(fstore.ErrTooLarge, "more than %d rows of keys", maxRows).WithHint("ask for fewer rows at a time"))
		}
		if err := d.Decode(&raw); err != nil {
			return fmt.Errorf(": %w", notJSON(d, err, "a list"))
		}
		if err := add(c, raw); err != nil {
			return fmt.Errorf(", row %d: %w", c.Len+1, err)
		}
	}
	return nil
}
