package definition

import (
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
)

// The functions below read the texts of definitions. Each reports a text that is wrong and then returns false.

func (c *checker) name(t Text) bool {
	if !t.given() || t.Value == "" {
		return false // reported by the loader
	}
	if err := fstore.CheckName(t.Value); err != nil {
		c.problems.addError(t.Pos, err)
		return false
	}
	return true
}

func (c *checker) typ(t Text) (fstore.Type, bool) {
	if !t.given() || t.Value == "" {
		return fstore.Invalid, false
	}
	typ, err := fstore.ParseType(t.Value)
	if err != nil {
		c.problems.add(t.Pos, typeHint(t.Value), "unknown type %q", t.Value)
		return fstore.Invalid, false
	}
	return typ, true
}

// otherTypes maps the type names of other tools to fstore's.
var otherTypes = map[string]string{
	"int": "int64", "integer": "int64", "bigint": "int64", "long": "int64", "float": "float64", "double": "float64", "real": "float32",
	"text": "string", "varchar": "string", "str": "string", "boolean": "bool", "blob": "bytes", "binary": "bytes", "date": "timestamp",
	"datetime": "timestamp", "unix_timestamp": "timestamp", "decimal": "float64", "number": "float64", "array": "list<float32>", "duration": "float64", "interval": "float64", "list": "list<float32>",
}

func typeHint(s string) string {
	lower := strings.ToLower(s)
	if t, ok := otherTypes[lower]; ok {
		return fmt.Sprintf("did you mean %q?", t)
	}
	if elem, ok := strings.CutSuffix(lower, "[]"); ok {
		return fmt.Sprintf("a list is written list<%s>", elem)
	}
	return fstore.DidYouMean(s, typeNames())
}

func typeNames() []string {
	var names []string
	for _, t := range fstore.Scalars() {
		names = append(names, t.String())
	}
	return append(names, "list<float32>")
}

func (c *checker) duration(t Text) *fstore.Duration {
	if !t.given() || t.Value == "" {
		return nil
	}
	d, err := fstore.ParseDuration(t.Value)
	if err != nil {
		c.problems.addError(t.Pos, err)
		return nil
	}
	return &d
}

// availability reads created, event, or event + 2h. It returns false if the text is absent or wrong.
func (c *checker) availability(t Text) (fstore.Available, bool) {
	if !t.given() || t.Value == "" {
		return fstore.Available{}, false
	}
	base, lag, added := strings.Cut(t.Value, "+")
	base = strings.TrimSpace(base)
	switch {
	case base == "created" && !added:
		return fstore.Available{Created: true, Stated: true}, true
	case base == "event" && !added:
		return fstore.Available{Stated: true}, true
	case base == "event":
		if d := c.duration(Text{Value: strings.TrimSpace(lag), Pos: t.Pos}); d != nil {
			return fstore.Available{Lag: *d, Stated: true}, true
		}
		if strings.TrimSpace(lag) == "" {
			c.problems.add(t.Pos, "event + 2h", "availability says event + without a duration")
		}
		return fstore.Available{}, false
	}
	c.problems.add(t.Pos, "created, event, or event + 2h", "%q is not an availability", t.Value)
	return fstore.Available{}, false
}

func meta(m MetaSpec) fstore.Meta {
	out := fstore.Meta{Description: strings.TrimSpace(m.Description.Value), Owner: m.Owner.Value}
	for _, p := range m.Tags {
		if out.Tags == nil {
			out.Tags = map[string]string{}
		}
		out.Tags[p.Key.Value] = p.Value.Value
	}
	return out
}

// defaultValue reads a default as the feature's type.
func (c *checker) defaultValue(l Literal, t fstore.Type) *fstore.Value {
	if !l.given() {
		return nil
	}
	v := fstore.Value{Column: fstore.NewColumn("", t, 1)}
	if string(l.JSON) == "null" {
		c.problems.add(l.Pos, "leave it out: without a default a missing value is null", "default is null")
		return nil
	}
	err := v.AppendParsed(l.JSON)
	if err != nil && l.Expanded != "" && !t.IsList() {
		v = fstore.Value{Column: fstore.NewColumn("", t, 1)}
		err = v.AppendText(l.Expanded)
	}
	if err != nil {
		hint := ""
		switch {
		case t.IsList():
			hint = "a list of " + t.Elem().String() + ": [ … ], without null"
		case t == fstore.Timestamp:
			hint = `for example "2011-12-09T12:50:00Z"`
		case t == fstore.Bytes:
			hint = "bytes are written in base64"
		case t == fstore.Bool:
			hint = "true or false"
		case t == fstore.Int32, t == fstore.Int64, t == fstore.Float32, t == fstore.Float64:
			hint = "a number, such as 0"
		case t == fstore.String:
			hint = fmt.Sprintf("quote it: %q", l.Written)
		}
		c.problems.add(l.Pos, hint, "default %s is not %s", l.JSON, t.WithArticle())
		return nil
	}
	return &v
}
