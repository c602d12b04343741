package sqlgate

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/functions"
)

// Tables returns the names that a parse tree reads, for tests.
func Tables(tree []byte) []string {
	root, err := parseTree(tree)
	if err != nil {
		return []string{err.Error()}
	}
	names := map[string]bool{}
	for _, t := range inspect(root, "").Tables {
		names[t.Name] = true
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
	for _, f := range append(q.Refused, q.Doubts...) {
		_ = fstore.PosIn("f.sql", "select 1", f.Offset)
	}
	canonical(root)
}

// Doubts returns what the gate warns of in a parse tree.
func Doubts(tree []byte) []string {
	root, err := parseTree(tree)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, f := range inspect(root, "").Doubts {
		out = append(out, f.Message)
	}
	return out
}

// WindowKind returns the engine's kind of the first call with OVER in a parse tree, "" where there is none.
func WindowKind(tree []byte) string {
	root, err := parseTree(tree)
	if err != nil {
		return ""
	}
	kind := ""
	eachNode(map[string]any(root), func(n node) {
		if n.str("class") == "WINDOW" && kind == "" {
			kind = n.str("type")
		}
	})
	return kind
}

// JudgesWindow reports whether the gate knows a kind of window function.
func JudgesWindow(kind string) bool {
	_, known := windowFunctions[kind]
	return known
}

// Canonical returns the encoding of a parse tree.
func Canonical(tree []byte) string {
	root, err := parseTree(tree)
	if err != nil {
		return err.Error()
	}
	b, err := json.Marshal(canonical(root))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Engine gives trees and plans.
type Engine interface {
	Parser
	PlanSQL(ctx context.Context, sql string, inputs []fstore.Relation) ([]fstore.EngineColumn, []byte, error)
}

// PlanFindings returns what there is to say of the plan of a query: what is refused, and the doubts behind "doubt: ".
func PlanFindings(ctx context.Context, engine Engine, sql string, inputs ...fstore.Relation) []string {
	tree, err := engine.ParseSQL(ctx, sql)
	if err != nil {
		return []string{err.Error()}
	}
	root, err := parseTree(tree)
	if err != nil {
		return []string{err.Error()}
	}
	_, plan, err := engine.PlanSQL(ctx, sql, inputs)
	if err != nil {
		return []string{err.Error()}
	}
	found, err := inspectPlan(plan, History{Event: -1, Created: -1})
	if err != nil {
		return []string{err.Error()}
	}
	if _, err := inspectPlan(plan, allTimed(inputs)); err != nil { // whatever the query, its times are followed
		return []string{err.Error()}
	}
	var out []string
	for _, f := range locate(found, root) {
		if f.doubt {
			f.Message = "doubt: " + f.Message
		}
		out = append(out, f.Message)
	}
	slices.SortStableFunc(out, func(a, b string) int { return strings.Index(a, "doubt: ") - strings.Index(b, "doubt: ") })
	return out
}

// allTimed returns the times of inputs that all have an event time ts.
func allTimed(inputs []fstore.Relation) History {
	h := History{Event: 0, Created: -1, Inputs: map[string]Times{}}
	for _, in := range inputs {
		h.Inputs[strings.ToLower(in.Name)] = Times{Event: "ts"}
	}
	return h
}

// OrderFindings returns what there is to say of a query, but for that it looks ahead: of its tree, then of its plan.
func OrderFindings(ctx context.Context, engine Engine, sql string, inputs ...fstore.Relation) []string {
	tree, err := engine.ParseSQL(ctx, sql)
	if err != nil {
		return []string{err.Error()}
	}
	root, err := parseTree(tree)
	if err != nil {
		return []string{err.Error()}
	}
	q := inspect(root, sql)
	var out []string
	for _, f := range append(q.Refused, q.Doubts...) {
		if !strings.HasSuffix(f.Message, notKnownYet) {
			out = append(out, f.Message)
		}
	}
	if len(q.Refused) > 0 {
		return out
	}
	return append(out, PlanFindings(ctx, engine, sql, inputs...)...)
}

// Refusals returns what the gate refuses in a parse tree.
func Refusals(tree []byte) []string {
	root, err := parseTree(tree)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, f := range inspect(root, "").Refused {
		out = append(out, f.Message)
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
	for _, t := range q.Tables {
		v.Tables[strings.ToLower(t.Name)] = true
		v.Offsets = append(v.Offsets, t.Offset)
	}
	for _, f := range q.Refused {
		v.Messages = append(v.Messages, f.Message)
		v.Offsets = append(v.Offsets, f.Offset)
	}
	for _, f := range q.Doubts {
		v.Offsets = append(v.Offsets, f.Offset)
	}
	return v, nil
}

// EachNode visits every node of a tree.
func EachNode(tree any, visit func(map[string]any)) { eachNode(tree, func(n node) { visit(n) }) }

// Allowed reports whether SQL may call a function.
func Allowed(name string) bool { return functions.Allowed(name) }

// Words returns where the names and parameters of SQL text stand.
func Words(text string) []int {
	var out []int
	for _, w := range words(text) {
		out = append(out, w.offset)
	}
	return out
}

// Macros returns the names of what is a macro to the engine.
func Macros() map[string]bool { return macros }

// BuildsType reports whether a function gives a type that holds those of all its arguments.
func BuildsType(name string) bool { return buildingFunctions[name] }
