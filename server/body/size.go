package body

import (
	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
)

// Size returns the memory that a body comes to, about. The errors are ErrTooLarge, and ErrInvalid for one that is nested too deep.
func (r Reader) Size(body []byte) (bytes int64, err error) {
	elements := 0
	depth, text := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '[' || c == '{':
			elements++
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',':
			elements++
		}
		switch {
		case depth > server.MaxNesting:
			return 0, fstore.Errorf(fstore.ErrInvalid, "the request has lists or objects more than %d deep, at byte %d", server.MaxNesting, i).WithHint("%s", r)
		case elements > server.MaxElements:
			return 0, fstore.Errorf(fstore.ErrTooLarge, "the request has more than %d values", server.MaxElements).WithHint("ask for fewer rows at a time")
		}
	}
	return int64(elements)*server.ValueCost + int64(len(body)), nil
}
