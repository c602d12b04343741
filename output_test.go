package fstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
)

// Registries hold outputs in this form.
func TestOutputsAsJSON(t *testing.T) {
	outputs := fstore.Outputs{fstore.FeatureOutput{As: "n", Use: 1, Feature: "f"}, fstore.FeatureOutput{As: "m", Feature: "g"}, fstore.OnDemandOutput{As: "o", Feature: "h"}}
	for _, c := range []struct {
		outputs fstore.Outputs
		json    string
	}{
		{outputs, `[{"name":"n","use":1,"feature":"f"},{"name":"m","use":0,"feature":"g"},{"name":"o","on_demand":0,"feature":"h"}]`},
		{fstore.Outputs{}, `[]`},
		{nil, `null`},
	} {
		got, err := json.Marshal(c.outputs)
		if err != nil || string(got) != c.json {
			t.Errorf("%v is written as %s (%v), want %s", c.outputs, got, err, c.json)
		}
		var back fstore.Outputs
		if err := json.Unmarshal([]byte(c.json), &back); err != nil || cmp.Diff(back, c.outputs) != "" {
			t.Errorf("%s is read as %#v (%v), want %#v", c.json, back, err, c.outputs)
		}
	}
}

func TestOutputsOfUnknownKindsAreRefused(t *testing.T) {
	for _, text := range []string{`[{"name":"km","expression":"a+b"}]`, `[{"name":"km","on_demand":0}]`, `[null]`, `[{}]`} {
		var o fstore.Outputs
		if err := json.Unmarshal([]byte(text), &o); !errors.Is(err, fstore.ErrInvalid) {
			t.Errorf("%s is read as %#v (%v), want ErrInvalid", text, o, err)
		}
	}
}

// Every type switch over outputs has a case for every kind. The linter's exhaustive checks enums, not types. A default that
// returns an error would be found only when somebody uses the new kind, and some of the switches have no error to return.
func TestSwitchesOverOutputs(t *testing.T) {
	kinds := outputKinds(t)
	if !slices.Contains(kinds, "FeatureOutput") {
		t.Fatalf("the kinds of outputs are %q, without FeatureOutput", kinds)
	}
	switches := 0
	for _, path := range sources(t) {
		found, problems := checkOutputs(t, path, nil, kinds)
		switches += found
		for _, p := range problems {
			t.Error(p)
		}
	}
	if switches == 0 {
		t.Error("no switch over outputs was found")
	}
}

func TestCheckOfOutputsFindsWhatIsMissing(t *testing.T) {
	const missing = "the switch has no case for ExpressionOutput"
	kinds := []string{"ExpressionOutput", "FeatureOutput"}
	for _, c := range []struct{ code, want string }{
		{`switch o.(type) { case fstore.FeatureOutput: case fstore.ExpressionOutput: }`, ""},
		{`switch o.(type) { case fstore.FeatureOutput, fstore.ExpressionOutput: }`, ""},
		{`switch o := o.(type) { case fstore.FeatureOutput: _ = o }`, missing},
		{`switch o.(type) { case fstore.FeatureOutput: default: }`, missing},
		{`switch o.(type) { case int: }`, ""},
		{`f, ok := o.(fstore.FeatureOutput)`, "a type assertion leaves out every other kind of output"},
		{`list = append(list, &fstore.FeatureOutput{})`, "an output is no pointer: no switch would know it"},
	} {
		_, problems := checkOutputs(t, "a.go", "package a\n\nfunc f() {\n"+c.code+"\n}\n", kinds)
		if got := strings.TrimPrefix(strings.Join(problems, "\n"), "a.go:4: "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.code, got, c.want)
		}
	}
}

// outputKinds returns the types in this package that implement Output.
func outputKinds(t *testing.T) (kinds []string) {
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		file := parse(t, token.NewFileSet(), path, nil)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != "definition" {
				continue
			}
			if name, ok := f.Recv.List[0].Type.(*ast.Ident); ok {
				kinds = append(kinds, name.Name)
			}
		}
	}
	return kinds
}

func parse(t *testing.T, fset *token.FileSet, path string, src any) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// checkOutputs counts the type switches over outputs in a file, and says which places leave out a kind.
func checkOutputs(t *testing.T, path string, src any, kinds []string) (switches int, problems []string) {
	fset := token.NewFileSet()
	file := parse(t, fset, path, src)
	kind := func(e ast.Expr) string {
		name := ""
		switch e := e.(type) {
		case *ast.Ident:
			if file.Name.Name == "fstore" {
				name = e.Name
			}
		case *ast.SelectorExpr:
			if pkg, ok := e.X.(*ast.Ident); ok && pkg.Name == "fstore" {
				name = e.Sel.Name
			}
		}
		if !slices.Contains(kinds, name) {
			return ""
		}
		return name
	}
	problem := func(n ast.Node, format string, args ...any) {
		at := fset.Position(n.Pos())
		problems = append(problems, fmt.Sprintf("%s:%d: %s", at.Filename, at.Line, fmt.Sprintf(format, args...)))
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeSwitchStmt:
			var cases []string
			for _, clause := range n.Body.List {
				for _, e := range clause.(*ast.CaseClause).List {
					if k := kind(e); k != "" {
						cases = append(cases, k)
					}
				}
			}
			if cases == nil {
				return true
			}
			switches++
			for _, k := range kinds {
				if !slices.Contains(cases, k) {
					problem(n, "the switch has no case for %s", k)
				}
			}
		case *ast.TypeAssertExpr:
			if kind(n.Type) != "" {
				problem(n, "a type assertion leaves out every other kind of output")
			}
		case *ast.UnaryExpr:
			if made, ok := n.X.(*ast.CompositeLit); ok && n.Op == token.AND && kind(made.Type) != "" {
				problem(n, "an output is no pointer: no switch would know it")
			}
		}
		return true
	})
	return switches, problems
}
