package offline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
)

// constant is a string in a query that the engine converts to another type only once it has a row, such as in q > 'abc'.
type constant struct {
	text, to string
	offset   int // in the query; -1: not known
}

// convertConstants converts the constant strings of a plan. The error is an *fstore.SQLError if one does not convert.
func (s *session) convertConstants(ctx context.Context, plan []byte, sql string) error {
	var tree any
	if err := json.Unmarshal(plan, &tree); err != nil {
		return fmt.Errorf("read the plan of a query: %w", err)
	}
	for _, c := range constantsIn(tree, nil) {
		err := s.exec(ctx, "SELECT CAST("+text(c.text)+" AS "+c.to+")")
		var e *duckdb.Error
		if errors.As(err, &e) && e.Type == "Conversion" {
			return &fstore.SQLError{Message: withoutAdvice(e.Message), Offset: min(c.offset, len(sql)-1)}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// constantsIn adds the constants below a part of a plan to out. TRY() makes null of one that does not convert.
func constantsIn(part any, out []constant) []constant {
	switch part := part.(type) {
	case []any:
		for _, e := range part {
			out = constantsIn(e, out)
		}
	case map[string]any:
		n := object(part)
		if n.str("type") == "OPERATOR_TRY" {
			return out
		}
		if c, ok := constantOf(n); ok {
			return append(out, c)
		}
		for _, e := range part {
			out = constantsIn(e, out)
		}
	}
	return out
}

// constantOf returns the constant that an expression converts; false if it does something else.
func constantOf(n object) (c constant, ok bool) {
	value, given := asObject(asObject(n["child"])["value"])["value"].(string)
	from, to := asObject(asObject(asObject(n["child"])["value"])["type"]), asObject(n["return_type"])
	switch {
	case n.str("expression_class") != "BOUND_CAST" || n["try_cast"] != false || !given || from.str("id") != "VARCHAR":
		return c, false
	case to.str("id") == "DECIMAL":
		info := asObject(to["type_info"])
		c.to = fmt.Sprintf("DECIMAL(%v, %v)", info["width"], info["scale"])
	case to["type_info"] != nil: // a nested type, which has no name here
		return c, false
	default:
		c.to = to.str("id")
	}
	c.text, c.offset = value, -1
	if at, isNumber := asObject(n["child"])["query_location"].(float64); isNumber && at < 1e9 {
		c.offset = int(at)
	}
	return c, true
}
