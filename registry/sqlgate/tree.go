package sqlgate

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/fstore-dev/fstore"
)

// node is an object of the engine's parse tree. Only this package knows its keys.
type node map[string]any

func (n node) str(key string) string { s, _ := n[key].(string); return s }

func (n node) child(key string) node { return asNode(n[key]) }

func (n node) list(key string) []any { l, _ := n[key].([]any); return l }

func (n node) strings(key string) []string {
	var out []string
	for _, e := range n.list(key) {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func asNode(v any) node { m, _ := v.(map[string]any); return m }

// keys returns the node's keys in order, so that walks are deterministic.
func (n node) keys() []string { return slices.Sorted(maps.Keys(n)) }

// eachNode visits every node in a part of a tree, each before its children, in the order of their keys.
func eachNode(v any, visit func(node)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			eachNode(e, visit)
		}
	case map[string]any:
		n := node(v)
		visit(n)
		for _, key := range n.keys() {
			eachNode(n[key], visit)
		}
	}
}

// offset returns the node's offset in the SQL text, in bytes: its own, or the first one of a child, or -1.
func (n node) offset() int {
	if at := n.ownOffset(); at >= 0 {
		return at
	}
	best := -1
	for _, key := range n.keys() {
		if at := offsetOf(n[key]); at >= 0 && (best < 0 || at < best) {
			best = at
		}
	}
	return best
}

func offsetOf(v any) int {
	switch v := v.(type) {
	case map[string]any:
		return node(v).offset()
	case []any:
		for _, e := range v {
			if at := offsetOf(e); at >= 0 {
				return at
			}
		}
	}
	return -1
}

func (n node) ownOffset() int {
	s, _ := n["query_location"].(json.Number)
	at, err := strconv.ParseInt(string(s), 10, 32) // the engine writes 2^64-1 for none
	if err != nil || at < 0 {
		return -1
	}
	return int(at)
}

// parseTree reads the JSON of the engine's parse tree and returns the query of its only statement.
func parseTree(raw []byte) (node, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var top map[string]any
	if err := dec.Decode(&top); err != nil {
		return nil, fstore.Errorf(fstore.ErrCorrupt, "the engine's parse tree is not JSON: %s", err)
	}
	n := node(top)
	if wrong, _ := n["error"].(bool); wrong {
		at, err := strconv.Atoi(n.str("position"))
		if err != nil {
			at = -1
		}
		return nil, &fstore.SQLError{Message: n.str("error_message"), Offset: at}
	}
	if statements, ok := n["statements"]; ok {
		list, _ := statements.([]any)
		switch {
		case len(list) == 0:
			return nil, &fstore.SQLError{Message: "there is no statement", Offset: -1}
		case len(list) > 1:
			return nil, &fstore.SQLError{Message: "there are several statements; a view is one SELECT", Offset: offsetOf(list[1])}
		}
		n = asNode(list[0])
	}
	query := n.child("node")
	if query == nil {
		return nil, &fstore.SQLError{Message: "there is no SELECT", Offset: -1}
	}
	return query, nil
}

// parsePlan reads the JSON of the binder's plan of a query.
func parsePlan(raw []byte) (node, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var top map[string]any
	if err := dec.Decode(&top); err != nil {
		return nil, fstore.Errorf(fstore.ErrCorrupt, "the engine's plan is not JSON: %s", err)
	}
	plans := node(top).list("plans")
	if len(plans) != 1 {
		return nil, fstore.Errorf(fstore.ErrCorrupt, "the engine gives %d plans for one query", len(plans))
	}
	return asNode(plans[0]), nil
}

// position reads the constant of GROUP BY 1.
func position(n node) (int, bool) {
	if n.str("class") != "CONSTANT" {
		return 0, false
	}
	s, _ := n.child("value")["value"].(json.Number)
	at, err := strconv.Atoi(string(s))
	return at, err == nil
}
