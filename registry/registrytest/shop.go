package registrytest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/definition/definitiontest"
)

// Project is the project of most tests.
const Project = "shop"

// Epoch is when their operations happen.
var Epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// Shop checks the shop repo after replacing texts in its files: old, new, old, new …
func Shop(t testing.TB, edits ...string) *definition.Definitions {
	t.Helper()
	d, err := definitiontest.Check(t, definitiontest.Shop(t, edits...))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Plan plans the shop.
func Plan(t testing.TB, r *registry.Store, d *definition.Definitions) *registry.Plan {
	t.Helper()
	p, err := r.Plan(context.Background(), Project, d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Apply plans and applies the shop.
func Apply(t testing.TB, r *registry.Store, d *definition.Definitions) *registry.Commit {
	t.Helper()
	info := registry.CommitInfo{Now: Epoch, Author: "ann", Message: "m", GitRevision: "abc", Dirty: true}
	c, err := r.Apply(context.Background(), Plan(t, r, d), info)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Revision reads the shop as it is now.
func Revision(t testing.TB, r *registry.Store) *registry.Revision {
	t.Helper()
	s, err := r.Revision(context.Background(), Project)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Summary is a plan in short: what each change does.
func Summary(p *registry.Plan) string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s %s", c.Action, c.Name)
		if c.Version != "" {
			fmt.Fprintf(&b, " %d→%d %s", c.From, c.To, c.Version)
		}
		for _, f := range c.Fields {
			mark := "-"
			if f.Counts {
				mark = "+"
			}
			fmt.Fprintf(&b, " %s%s", mark, f.Field)
		}
		b.WriteString("\n")
	}
	if len(p.Materialize) > 0 {
		fmt.Fprintln(&b, "materialize", p.Materialize)
	}
	for _, k := range p.Retained {
		fmt.Fprintln(&b, "kept", k.Ref, k.Why)
	}
	return b.String()
}
