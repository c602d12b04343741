// Package definitiontest checks small repos with a DuckDB in memory, for the tests of definitions and of the SQL gate.
package definitiontest

import (
	"context"
	_ "embed" // shop.txtar
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
)

// Check writes the archive's repo to a folder, loads it and checks it. Variables whose names begin with SET are set.
func Check(t testing.TB, archive *txtar.Archive) (*definition.Definitions, error) {
	t.Helper()
	return CheckWhere(t, archive, func(name string) (string, bool) { return "from-" + name, strings.HasPrefix(name, "SET") })
}

// CheckWhere is Check with lookup for variables.
func CheckWhere(t testing.TB, archive *txtar.Archive, lookup func(string) (string, bool)) (*definition.Definitions, error) {
	t.Helper()
	e := New(t)
	dir := t.TempDir()
	for _, f := range archive.Files {
		switch f.Name {
		case "want":
		case "tables":
			e.Files = ParseTables(string(f.Data))
		default:
			path := filepath.Join(dir, f.Name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	repo, err := definition.Load(dir, lookup)
	if err != nil {
		t.Fatal(err)
	}
	return definition.Check(context.Background(), repo, e)
}

// Report formats the result of Check as commands show it.
func Report(d *definition.Definitions, err error) string {
	var b strings.Builder
	var problems definition.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintf(&b, "%s: %s\n", p.Pos, p.Message)
			if p.Hint != "" {
				fmt.Fprintf(&b, "\t%s\n", p.Hint)
			}
		}
		return b.String()
	}
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	for _, w := range d.Warnings {
		fmt.Fprintf(&b, "warning: %s: %s\n\t%s\n", w.Pos, w.Message, w.Hint)
	}
	for _, v := range d.Views {
		fmt.Fprintf(&b, "view %s reads %s; keys %s; event %q created %q available %s\n", v.Ref.Name, strings.Join(v.View.Inputs, ", "),
			fields(v.View.Keys), v.View.Event, v.View.Created, v.View.Available)
	}
	expectations := func(on string, all []fstore.Expectation) {
		for _, e := range all {
			fmt.Fprintf(&b, "%s: %s expects %s\n", e.Pos, on, &e)
		}
	}
	drift := func(on string, r *fstore.DriftRule) {
		names, values := r.Given()
		for i := range names {
			fmt.Fprintf(&b, "drift of %s: %s %s\n", on, names[i], values[i])
		}
	}
	for _, s := range d.Sources {
		expectations(s.Name, s.Expect)
	}
	for _, v := range d.Views {
		expectations(v.View.Name, v.View.Expect)
		for _, f := range v.View.Features {
			expectations(v.View.Name+"."+f.Name, f.Expect)
		}
	}
	for _, v := range d.Views {
		drift(v.View.Name, v.View.Drift)
		for _, f := range v.View.Features {
			drift(v.View.Name+"."+f.Name, f.Drift)
		}
	}
	for _, v := range d.OnDemand {
		drift(v.View.Name, v.View.Drift)
		for _, f := range v.View.Features {
			drift(v.View.Name+"."+f.Name, f.Drift)
		}
		for _, c := range v.View.Request {
			fmt.Fprintf(&b, "on demand %s: request column %s %s\n", v.Ref.Name, c.Name, c.Type)
		}
		for _, in := range v.Inputs {
			fmt.Fprintf(&b, "on demand %s: %s is %s.{%s} by %v\n", v.Ref.Name, in.Name, in.Ref.Name, strings.Join(in.Features, ", "), in.Keys)
		}
		for _, f := range v.View.Features {
			fmt.Fprintf(&b, "on demand %s: %s %s = %q\n", v.Ref.Name, f.Name, f.Type, f.Expression)
		}
	}
	for _, s := range d.Services {
		for _, u := range s.Uses {
			if len(s.OnDemand) > 0 {
				fmt.Fprintf(&b, "service %s looks up %s by %v\n", s.Ref.Name, u.View.Name, u.Keys)
			}
		}
		if len(s.OnDemand) > 0 {
			fmt.Fprintf(&b, "service %s computes %v; callers send %v\n", s.Ref.Name, s.OnDemand, s.Service.Request)
		}
		for _, o := range s.Outputs {
			switch o := o.(type) {
			case fstore.FeatureOutput:
				u := s.Uses[o.Use]
				fmt.Fprintf(&b, "service %s: %s = %s.%s by %v\n", s.Ref.Name, o.As, u.View.Name, o.Feature, u.Keys)
			case fstore.OnDemandOutput:
				fmt.Fprintf(&b, "service %s: %s = %s.%s\n", s.Ref.Name, o.As, s.OnDemand[o.OnDemand].Name, o.Feature)
			}
		}
	}
	return b.String()
}

func fields(fs []fstore.Field) string {
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = f.Name + " " + f.Type.String()
	}
	return strings.Join(parts, ", ")
}

// OneView is a repo with one view by SQL over events.
func OneView(sql string) *txtar.Archive {
	return txtar.Parse([]byte(`
-- d.yaml --
kind: entity
name: customer
join_keys: [{name: id, type: int64}]
---
kind: source
name: events
path: e.parquet
event_timestamp: ts
---
kind: feature_view
name: v
entities: [customer]
sql: v.sql
event_timestamp: ts
features: [{name: x, type: float64}]
-- tables --
e.parquet: id BIGINT; ts TIMESTAMP; x DOUBLE
-- v.sql --
` + sql))
}

//go:embed shop.txtar
var shop []byte

// Shop is a repo of orders, customers and weather. edits are pairs of texts, old and new, to replace in its files.
func Shop(t testing.TB, edits ...string) *txtar.Archive {
	t.Helper()
	return Edit(t, txtar.Parse(shop), edits...)
}

// Edit replaces texts in the files of an archive: old, new, old, new … It fails the test for a text that no file has.
func Edit(t testing.TB, archive *txtar.Archive, edits ...string) *txtar.Archive {
	t.Helper()
	for i := 0; i < len(edits); i += 2 {
		found := false
		for j := range archive.Files {
			f := &archive.Files[j]
			if f.Name != "want" && strings.Contains(string(f.Data), edits[i]) {
				f.Data = []byte(strings.ReplaceAll(string(f.Data), edits[i], edits[i+1]))
				found = true
			}
		}
		if !found {
			t.Fatalf("the repo has no %q", edits[i])
		}
	}
	return archive
}
