package registry

import (
	"maps"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// Tables returns the names that a parse tree reads, for tests.
func Tables(tree []byte) []string {
	root, err := parseTree(tree)
	if err != nil {
		return []string{err.Error()}
	}
	names := map[string]bool{}
	for _, t := range inspect(root, "").tables {
		names[t.name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// Inspect runs the gate and everything else that walks a tree, for the fuzzer.
func Inspect(tree []byte) {
	root, err := parseTree(tree)
	if err != nil {
		return
	}
	q := inspect(root, "")
	for _, f := range append(q.refused, q.doubts...) {
		_ = fstore.PosIn("f.sql", "select 1", f.offset)
	}
	plainFloatSums(root, floats{})
	canonical(root)
}

// Canonical returns the encoding of a parse tree.
func Canonical(tree []byte) string {
	root, err := parseTree(tree)
	if err != nil {
		return err.Error()
	}
	sum, err := digest(canonical(root))
	if err != nil {
		return err.Error()
	}
	return sum
}

// FloatSums returns the sums of floats in a parse tree over a table with these float columns.
func FloatSums(tree []byte, columns ...string) []string {
	root, err := parseTree(tree)
	if err != nil {
		return []string{err.Error()}
	}
	known := floats{}
	for _, name := range columns {
		known[name] = true
	}
	var out []string
	for _, n := range plainFloatSums(root, known) {
		out = append(out, callName(n))
	}
	return out
}

// Refusals returns what the gate refuses in a parse tree.
func Refusals(tree []byte) []string {
	root, err := parseTree(tree)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, f := range inspect(root, "").refused {
		out = append(out, f.message)
	}
	return out
}

// Verdict is what the gate says of SQL.
type Verdict struct {
	Tables     map[string]bool // that it reads, in lower case
	Messages   []string        // of what is refused
	Offsets    []int           // of everything the gate says something of
	Parameters int             // in the text
}

// Judge inspects the tree of SQL text.
func Judge(tree []byte, text string) (*Verdict, error) {
	root, err := parseTree(tree)
	if err != nil {
		return nil, err
	}
	q := inspect(root, text)
	v := &Verdict{Tables: map[string]bool{}, Parameters: len(parameters(text))}
	for _, t := range q.tables {
		v.Tables[strings.ToLower(t.name)] = true
		v.Offsets = append(v.Offsets, t.offset)
	}
	for _, f := range q.refused {
		v.Messages = append(v.Messages, f.message)
		v.Offsets = append(v.Offsets, f.offset)
	}
	for _, f := range q.doubts {
		v.Offsets = append(v.Offsets, f.offset)
	}
	return v, nil
}

// EachNode visits every node of a tree.
func EachNode(tree any, visit func(map[string]any)) { eachNode(tree, func(n node) { visit(n) }) }

// Allowed reports whether SQL may call a function.
func Allowed(name string) bool { return allowedFunctions[name] }

// Words returns where the names and parameters of SQL text stand.
func Words(text string) []int {
	var out []int
	for _, w := range words(text) {
		out = append(out, w.offset)
	}
	return out
}
