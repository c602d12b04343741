package fstore_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

func TestEveryTypeHasAName(t *testing.T) {
	for _, scalar := range fstore.Scalars() {
		for _, typ := range []fstore.Type{scalar, fstore.List(scalar)} {
			text, err := typ.MarshalText()
			var back fstore.Type
			if err != nil || back.UnmarshalText(text) != nil || back != typ {
				t.Errorf("%v is written %q (%v) and read as %v", typ, text, err, back)
			}
		}
	}
}

// A new column type reaches many places. This test names those that do not know it yet: a switch over types that has no case
// for it, default or not, and a function or a table that names most types but not this one. What is computed
// from a type without naming it is left to the test of the system that takes every type from its definition to its answers.
func TestEveryPlaceKnowsEveryType(t *testing.T) {
	names := typeConstants(t)
	if len(names) != len(fstore.Scalars()) {
		t.Fatalf("types.go declares %q, and Scalars returns %v", names, fstore.Scalars())
	}
	switches := 0
	for _, path := range sources(t) {
		found, problems := checkTypes(t, path, nil, names)
		switches += found
		for _, p := range problems {
			t.Error(p)
		}
	}
	if switches < 20 {
		t.Errorf("%d switches over types were found, want at least 20", switches)
	}
}

func TestCheckOfTypesFindsWhatIsMissing(t *testing.T) {
	names := []string{"Bool", "Int64", "Float64", "String"}
	for _, c := range []struct{ code, want string }{
		{`func f() { switch t { case fstore.Bool, fstore.Int64: case fstore.Float64: case fstore.String: } }`, ""},
		{`func f() { switch t { case fstore.Bool, fstore.Int64: case fstore.Float64: default: } }`, "a.go:3: the switch has no case for String"},
		{`func f() { switch t { case fstore.Bool: } }`, "a.go:3: the switch has no case for Int64, Float64, String"},
		{`func f() { switch { case t == fstore.Bool: } }`, ""},
		{`func f() { switch t { case parquet.Bool: case parquet.Int64: } }`, ""},
		{`var m = map[fstore.Type]string{fstore.Bool: "b", fstore.Int64: "i", fstore.String: "s"}`, "a.go:3: m names most types, and not Float64"},
		{`var m = map[fstore.Type]string{fstore.Bool: "b", fstore.Int64: "i", fstore.String: "s", fstore.Float64: "f"}`, ""},
		{`var m = map[fstore.Type]string{fstore.Bool: "b", fstore.Int64: "i"}`, ""},
	} {
		_, problems := checkTypes(t, "a.go", "package a\n\n"+c.code+"\n", names)
		if got := strings.Join(problems, "\n"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.code, got, c.want)
		}
	}
}

// incomplete are declarations that name most types on purpose.
var incomplete = []string{"online/fill.go room", "online/fill.go resize"} // the types of fixed width

func nameOf(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Name.Name
	case *ast.GenDecl:
		if spec, ok := d.Specs[0].(*ast.ValueSpec); ok {
			return spec.Names[0].Name
		}
	}
	return "the declaration"
}

// sources returns the Go files of the module, tests aside.
func sources(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "testdata" || len(name) > 1 && name[0] == '.'):
			return filepath.SkipDir
		case d.IsDir() && name == "onlinetest": // tests, for backends to import
			return filepath.SkipDir
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") && !strings.HasSuffix(name, ".pb.go"):
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// typeConstants returns the names of the scalar types that types.go declares.
func typeConstants(t *testing.T) (names []string) {
	ast.Inspect(parse(t, token.NewFileSet(), "types.go", nil), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && len(spec.Values) == 0 && ast.IsExported(spec.Names[0].Name) {
			names = append(names, spec.Names[0].Name)
		}
		return true
	})
	return names
}

// checkTypes counts the switches over types in a file, and says which places leave out a type.
func checkTypes(t *testing.T, path string, src any, names []string) (switches int, problems []string) {
	fset := token.NewFileSet()
	file := parse(t, fset, path, src)
	missing := func(have []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(have, name) }), ", ")
	}
	problem := func(n ast.Node, format, types string) {
		if at := fset.Position(n.Pos()); types != "" {
			problems = append(problems, fmt.Sprintf("%s:%d: "+format, at.Filename, at.Line, types))
		}
	}
	for _, d := range file.Decls {
		before := len(problems)
		ast.Inspect(d, func(n ast.Node) bool {
			s, ok := n.(*ast.SwitchStmt)
			if !ok || s.Tag == nil {
				return true
			}
			var cases []string
			for _, clause := range s.Body.List {
				for _, e := range clause.(*ast.CaseClause).List {
					cases = append(cases, typesNamed(file, e, names)...)
				}
			}
			if cases != nil {
				switches++
				problem(s, "the switch has no case for %s", missing(cases))
			}
			return true
		})
		named := typesNamed(file, d, names)
		if 2*len(named) > len(names) && len(problems) == before && !slices.Contains(incomplete, path+" "+nameOf(d)) {
			problem(d, nameOf(d)+" names most types, and not %s", missing(named))
		}
	}
	return switches, problems
}

// typesNamed returns the type constants that code names, each once.
func typesNamed(file *ast.File, code ast.Node, names []string) (out []string) {
	add := func(name string) {
		if slices.Contains(names, name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	ast.Inspect(code, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "fstore" {
				add(n.Sel.Name)
			}
			return false
		case *ast.Ident:
			if file.Name.Name == "fstore" {
				add(n.Name)
			}
		}
		return true
	})
	return out
}
