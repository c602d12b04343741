package offline

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
)

// The rows of a query come in the order of its ORDER BY. Without one, or among rows that it leaves equal, the order would
// depend on the number of threads. So the rows are then ordered by all columns, one after the other. Rows that are still
// equal are identical.

// totalOrder returns a query over a view of the given query, with an ORDER BY that fixes the order of all rows. columns is
// how many columns the query has.
func (s *session) totalOrder(ctx context.Context, view, sql string, columns int) (string, error) {
	tree, err := s.parse(ctx, sql)
	if err != nil {
		return "", err
	}
	query := tree.query()
	orders, selected := query.orders(), query.list("select_list")
	switch {
	case orders == nil:
		return "SELECT *\nFROM " + view + "\nORDER BY ALL", nil
	case ordersAll(orders.list("orders"), selected):
		return sql, nil
	}
	more := orders.list("orders")
	for i := range columns {
		more = append(more, byPlace(i+1))
	}
	orders["orders"] = more
	changed, err := json.Marshal(tree)
	if err != nil {
		return "", err
	}
	b, err := s.query(ctx, "SELECT json_deserialize_sql("+text(string(changed))+"::JSON)")
	if err == nil {
		var again object
		if again, err = s.parse(ctx, b.Columns[0].Strings[0]); err == nil && reflect.DeepEqual(bare(map[string]any(again)), bare(map[string]any(tree))) {
			return b.Columns[0].Strings[0], nil
		}
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", fstore.Errorf(fstore.ErrInvalid, "its ORDER BY may leave rows equal, and their order would change from run to run").
		WithHint("name every column in its ORDER BY, or write ORDER BY ALL")
}

// object is an object of the engine's parse tree.
type object map[string]any

func asObject(v any) object { o, _ := v.(map[string]any); return o }

func (o object) list(key string) []any { l, _ := o[key].([]any); return l }

func (o object) str(key string) string { s, _ := o[key].(string); return s }

// parse returns the tree of one statement.
func (s *session) parse(ctx context.Context, sql string) (object, error) {
	raw, err := s.e.ParseSQL(ctx, sql)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // an offset may be 2^64 - 1
	var tree map[string]any
	return tree, d.Decode(&tree)
}

// query returns the only query in a tree of statements.
func (o object) query() object {
	statements := o.list("statements")
	if len(statements) == 0 {
		return nil
	}
	return asObject(asObject(statements[0])["node"])
}

// orders returns the ORDER BY of a query itself, or nil if it has none.
func (o object) orders() object {
	for _, m := range o.list("modifiers") {
		if m := asObject(m); m.str("type") == "ORDER_MODIFIER" {
			return m
		}
	}
	return nil
}

// ordersAll reports whether an ORDER BY names every column that is selected.
func ordersAll(orders, selected []any) bool {
	named := func(i int, column object) bool {
		return slices.ContainsFunc(orders, func(o any) bool {
			by := asObject(asObject(o)["expression"])
			if by.str("class") == "STAR" {
				return true // ORDER BY ALL
			}
			if place, ok := asObject(by["value"])["value"].(json.Number); ok && by.str("class") == "CONSTANT" {
				return string(place) == strconv.Itoa(i+1)
			}
			return by.str("class") == "COLUMN_REF" && strings.EqualFold(lastName(by), columnName(column))
		})
	}
	if len(selected) == 0 { // of a set operation
		return named(-1, nil)
	}
	for i, column := range selected {
		c := asObject(column)
		if c.str("class") == "STAR" {
			return named(-1, nil)
		}
		if !named(i, c) {
			return false
		}
	}
	return true
}

func lastName(column object) string {
	names := column.list("column_names")
	if len(names) == 0 {
		return ""
	}
	name, _ := names[len(names)-1].(string)
	return name
}

// columnName returns the name of a selected column; "" if the engine makes one up.
func columnName(c object) string {
	if alias := c.str("alias"); alias != "" {
		return alias
	}
	return lastName(c)
}

// byPlace is an element of ORDER BY that names a column by its position, from 1.
func byPlace(i int) map[string]any {
	return map[string]any{
		"type": "ORDER_DEFAULT", "null_order": "ORDER_DEFAULT",
		"expression": map[string]any{
			"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": "", "query_location": 0,
			"value": map[string]any{"type": map[string]any{"id": "INTEGER", "type_info": nil}, "is_null": false, "value": json.Number(strconv.Itoa(i))},
		},
	}
}

// bare returns a tree without the offsets in its text.
func bare(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			out = append(out, bare(e))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, e := range v {
			if key != "query_location" {
				out[key] = bare(e)
			}
		}
		return out
	}
	return v
}
