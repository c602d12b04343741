package feast

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/body"
)

// bodies reads requests.
const bodies = body.Reader(`such as {"features":["driver_stats:conv_rate"],"entities":{"driver_id":[1001]}}`)

// httpCall is a call of POST /get-online-features.
type httpCall struct {
	api     *API
	body    []byte
	request request
	columns []body.Column
}

// Take implements server.LookupCall.
func (c *httpCall) Take(text []byte, h *server.Hold) error {
	c.body = text
	size, err := bodies.Size(text)
	if err != nil {
		return err
	}
	return h.To(size)
}

// Answer implements server.LookupCall.
func (c *httpCall) Answer(ctx context.Context, h *server.Hold) (*[]byte, error) {
	if err := c.decode(c.body); err != nil {
		return nil, err
	}
	limits := c.api.o.Store.Limits
	r, err := c.api.lookup(ctx, &c.request, func(t *server.Target) ([]fstore.Column, error) {
		return bodies.Columns(c.columns, t, limits.MaxRows, appendParsed)
	}, h)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	answer, err := c.api.core.Written(ctx, h, func(dst []byte) ([]byte, error) { return r.appendJSON(dst, limits.MaxAnswerBytes) })
	return c.api.served(ctx, r, answer, err)
}

// decode reads a body. It returns ErrInvalid, which names everything unknown. A field that is null is not there: Feast's
// clients write one for what they do not set.
func (c *httpCall) decode(text []byte) error {
	if err := fstore.CheckJSON(text); err != nil {
		return err
	}
	r := &c.request
	named := 0
	var unknown []string
	err := bodies.EachMember(text, func(name string, raw json.RawMessage) error {
		if string(raw) == "null" {
			return nil
		}
		switch name {
		case "feature_service":
			named++
			return bodies.Member(name, raw, "a string", '"', &r.service)
		case "features":
			named++
			return bodies.Member(name, raw, "a list of strings", '[', &r.refs)
		case "entities", "request_context":
			return c.addColumns(name, raw)
		case "full_feature_names":
			return bodies.Member(name, raw, "true or false", raw[0], &r.full)
		case "include_feature_view_version_metadata":
			return bodies.Member(name, raw, "true or false", raw[0], &r.versions)
		}
		unknown = append(unknown, name)
		return nil
	})
	switch {
	case err != nil:
		return err
	case unknown != nil:
		return fstore.Errorf(fstore.ErrInvalid, "the request has unknown fields: %s", strings.Join(unknown, ", ")).
			WithHint("the fields are feature_service, features, entities, request_context, full_feature_names and include_feature_view_version_metadata")
	case named != 1:
		return notOneSelection()
	}
	return nil
}

// addColumns adds the columns of entities or of the request context.
func (c *httpCall) addColumns(of string, raw json.RawMessage) error {
	err := bodies.EachMember(raw, func(name string, values json.RawMessage) error {
		c.columns = append(c.columns, body.Column{Name: name, Values: values})
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", of, err)
	}
	return nil
}

// appendParsed adds a value. Instants, alone or in a list, may be numbers of seconds, as Feast writes them.
func appendParsed(c *fstore.Column, raw json.RawMessage) error {
	switch {
	case c.Type.Elem() != fstore.Timestamp:
	case c.Type.IsList():
		return appendInstants(c, raw)
	case isNumber(raw):
		us, err := microsOf(raw)
		if err != nil {
			return err
		}
		c.AppendInt64(us)
		return nil
	}
	return c.AppendParsed(raw)
}

// appendInstants adds a list of instants.
func appendInstants(c *fstore.Column, raw json.RawMessage) error {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || !slices.ContainsFunc(list, isNumber) {
		return c.AppendParsed(raw)
	}
	for i, e := range list {
		if !isNumber(e) {
			continue
		}
		us, err := microsOf(e)
		if err != nil {
			return err
		}
		list[i] = strconv.AppendQuote(nil, fstore.FormatTime(fstore.FromMicros(us)))
	}
	texts, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return c.AppendParsed(texts)
}

// isNumber reports whether a JSON value that is to be an instant is neither a text nor null.
func isNumber(raw json.RawMessage) bool { return raw[0] != '"' && raw[0] != 'n' }

// microsOf reads whole seconds, and returns microseconds.
func microsOf(raw json.RawMessage) (int64, error) {
	seconds, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || seconds > math.MaxInt64/microsOfSecond || seconds < math.MinInt64/microsOfSecond {
		return 0, fstore.Errorf(fstore.ErrInvalid, "%s is not an instant", raw).WithHint("whole seconds since 1970, or a text such as 2011-12-09T12:50:00Z")
	}
	return seconds * microsOfSecond, nil
}

// appendJSON appends an answer as Feast's HTTP server writes it. The error is ErrTooLarge: it would have more than limit
// bytes, if that is not 0; dst is returned in any case.
func (r *reply) appendJSON(dst []byte, limit int) ([]byte, error) {
	dst = append(dst, `{"metadata":{"feature_names":[`...)
	for i := range r.keys {
		dst = strconv.AppendQuote(comma(dst, i), r.keys[i].Name) // a name: [a-z0-9_]
	}
	for i, name := range r.names.list {
		dst = strconv.AppendQuote(comma(dst, len(r.keys)+i), name)
	}
	dst = append(dst, ']')
	if r.versions {
		dst = append(dst, `,"feature_view_metadata":[`...)
		for i, v := range r.Versions {
			dst = strconv.AppendQuote(append(comma(dst, i), `{"name":`...), v.Ref.Name)
			dst = append(strconv.AppendInt(append(dst, `,"version":`...), int64(v.Ref.Version), 10), '}')
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `},"results":[`...)
	for i := range len(r.keys) + len(r.Features) {
		dst = r.appendVectorJSON(comma(dst, i), i)
		if limit > 0 && len(dst) > limit {
			return dst, tooLarge(limit, "ask for fewer rows or features")
		}
	}
	return append(dst, `],"status":true}`+"\n"...), nil
}

// appendVectorJSON appends column i of an answer: one of the request's, or a feature.
func (r *reply) appendVectorJSON(dst []byte, i int) []byte {
	v := vector{}
	if i < len(r.keys) {
		v.column = &r.keys[i]
	} else {
		v.of = &r.Features[i-len(r.keys)]
		v.column = &v.of.Column
	}
	dst = append(dst, `{"values":[`...)
	for row := range r.Rows {
		dst = appendValueJSON(comma(dst, row), v.column, row)
	}
	dst = append(dst, `],"statuses":[`...)
	for row := range r.Rows {
		status := "PRESENT"
		if v.of != nil {
			status = v.of.Status(row).String()
		}
		dst = append(append(append(comma(dst, row), '"'), status...), '"')
	}
	dst = append(dst, `],"event_timestamps":[`...)
	for row := range r.Rows {
		dst = append(comma(dst, row), '"')
		dst = append(append(dst, fstore.FormatTime(fstore.FromMicros(eventOf(v.of, row)))...), '"')
	}
	return append(dst, "]}"...)
}

// appendValueJSON appends row i of a column.
func appendValueJSON(dst []byte, c *fstore.Column, i int) []byte {
	switch {
	case c.IsNull(i):
		return append(dst, "null"...)
	case !c.Type.IsList():
		return appendElementJSON(dst, c, i)
	}
	dst = append(dst, '[')
	for j := c.Offsets[i]; j < c.Offsets[i+1]; j++ {
		if j > c.Offsets[i] {
			dst = append(dst, ',')
		}
		dst = appendElementJSON(dst, c, int(j))
	}
	return append(dst, ']')
}

// appendElementJSON appends an element as Feast's server does. It differs from fstore's own JSON in two ways: an instant
// is a number of seconds, and a float always has a point or an exponent. Clients in Python take the type from that.
func appendElementJSON(dst []byte, c *fstore.Column, j int) []byte {
	switch c.Type.Elem() {
	case fstore.Timestamp:
		return strconv.AppendInt(dst, c.Int64s[j]/microsOfSecond, 10)
	case fstore.Float32:
		return appendFloatJSON(dst, float64(c.Float32s[j]))
	case fstore.Float64:
		return appendFloatJSON(dst, c.Float64s[j])
	case fstore.Bool, fstore.Int32, fstore.Int64, fstore.String, fstore.Bytes: // below
	}
	return c.AppendElementJSON(dst, j)
}

func appendFloatJSON(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 0):
		dst = append(dst, '"')
		if f < 0 {
			dst = append(dst, '-')
		}
		return append(dst, `Infinity"`...)
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return append(strconv.AppendFloat(dst, f, 'f', -1, 64), ".0"...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}
