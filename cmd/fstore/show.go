package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/spf13/cobra"
)

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show [KIND/]NAME[@VERSION]",
		Short: "Show one definition, its versions and what uses it",
		Long: `Show one definition as it was applied, its versions and what uses it. If several kinds share a name, write
entity/NAME, source/NAME, view/NAME or service/NAME. "show model/NAME[@VERSION]" is the same as "model show".`,
		Example:           "  fstore show customer_orders\n  fstore show customer_orders@1 --output json\n  fstore show service/churn",
		Args:              usage.Args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeViews,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.show(cmd.Context(), args[0])
		},
	}
}

func (a *app) show(ctx context.Context, arg string) error {
	kind, name, qualified := strings.Cut(arg, "/")
	if qualified && (kind == "model" || kind == "models") {
		return a.showModelNamed(ctx, name)
	}
	if !qualified {
		kind, name = "", arg
	}
	if qualified && !slices.ContainsFunc(project.ShownKinds, func(k registry.Kind) bool { return project.IsKind(kind, k) }) {
		return usage.Errorf(nil, "show %s: there is no kind %q", arg, kind).WithHint("entity, source, view or service")
	}
	ref, err := fstore.ParseRef(name)
	if err != nil {
		return usage.Of("show: ", err)
	}
	return a.withGraph(ctx, func(_ *project.Project, g project.Graph) error {
		found := g.Find(kind, ref)
		switch {
		case len(found) == 0:
			return fstore.Errorf(fstore.ErrNotFound, "there is no definition %s", arg).WithHint("%s", g.Nearest(kind, ref))
		case len(found) > 1:
			var names []string
			for _, d := range found {
				names = append(names, strings.TrimPrefix(string(d.Kind), "feature_")+"/"+d.Name)
			}
			return usage.Errorf(nil, "several definitions are called %s", name).WithHint("write %s", strings.Join(names, " or "))
		case a.json():
			return a.printJSON(found[0])
		}
		return a.printShown(&found[0])
	})
}

func (a *app) printShown(s *project.Definition) error {
	facts := terminal.NewTable(string(s.Kind), s.Name)
	fact := func(name, value string) {
		if value != "" {
			facts.Row(name, value)
		}
	}
	switch {
	case s.Entity != nil:
		fact("join keys", fieldList(s.Entity.JoinKeys))
		metaFacts(fact, s.Entity.Meta)
	case s.Source != nil:
		fact("path", s.Source.Path)
		fact("event", orDash(s.Source.Event))
		fact("created", s.Source.Created)
		if !s.Source.Static() {
			fact("available", s.Source.Available.String())
		}
		for from, to := range s.Source.Rename {
			fact("rename", from+" → "+to)
		}
		fact("optional", strings.Join(s.Source.Optional, ", "))
		metaFacts(fact, s.Source.Meta)
	case s.View != nil:
		viewFacts(fact, s)
	case s.Service != nil:
		fact("version", fmt.Sprintf("@%d, served %s", s.Version, versionText(s.Serving)))
		if s.Interface != nil {
			fact("callers send", orDash(fieldList(s.Interface.KeyColumns)))
		}
		metaFacts(fact, s.Service.Service.Meta)
	}
	if len(s.UsedBy) > 0 {
		fact("used by", strings.Join(s.UsedBy, ", "))
	}
	if facts.Empty() {
		fact("", "-")
	}
	if err := facts.Print(a.stdout); err != nil {
		return err
	}
	return a.printFeatures(s)
}

func metaFacts(fact func(name, value string), m fstore.Meta) {
	fact("description", m.Description)
	fact("owner", m.Owner)
	for _, k := range slices.Sorted(maps.Keys(m.Tags)) {
		fact("tag "+k, m.Tags[k])
	}
}

func viewFacts(fact func(name, value string), s *project.Definition) {
	v := &s.View.View
	versions := make([]string, len(s.Versions))
	for i, n := range s.Versions {
		versions[i] = versionText(n)
	}
	fact("version", fmt.Sprintf("@%d of %s, served %s", s.Version, strings.Join(versions, " "), versionText(s.Serving)))
	fact("fingerprint", s.View.Fingerprint)
	fact("keys", orDash(fieldList(v.Keys)))
	fact("reads", strings.Join(v.Inputs, ", "))
	if v.Static() {
		fact("event", "- (static)")
	} else {
		fact("event", v.Event)
		fact("created", v.Created)
		fact("available", v.Available.String())
	}
	fact("publish", textOr(v.Publish))
	fact("ttl", textOr(v.TTL))
	metaFacts(fact, v.Meta)
}

// outputTable lists the features of a service or model: their types, views and key columns.
func outputTable(uses []definition.ServiceUse, outputs fstore.Outputs, d *fstore.Description) *terminal.Table {
	t := terminal.NewTable("FEATURE", "TYPE", "VIEW", "FEATURE IN VIEW", "KEYS")
	for i, o := range outputs {
		var typ string
		if d != nil {
			typ = d.Features[i].Type.String()
		}
		switch o := o.(type) {
		case fstore.FeatureOutput:
			use := uses[o.Use]
			t.Row(o.As, orDash(typ), use.View.String(), o.Feature, orDash(strings.Join(use.Columns(), ", ")))
		case fstore.OnDemandOutput: // to come
		}
	}
	return t
}

func (a *app) printFeatures(s *project.Definition) error {
	var t *terminal.Table
	switch {
	case s.View != nil:
		t = terminal.NewTable("FEATURE", "TYPE", "DEFAULT", "DESCRIPTION")
		for _, f := range s.View.View.Features {
			value := "-"
			if f.Default != nil {
				value = terminal.Value(f.Default.Column.AppendJSON(nil, 0))
			}
			t.Row(f.Name, f.Type.String(), value, f.Summary())
		}
	case s.Service != nil:
		t = outputTable(s.Service.Uses, s.Service.Outputs, s.Interface)
	default:
		return nil
	}
	fmt.Fprintln(a.stdout)
	if err := t.Print(a.stdout); err != nil {
		return err
	}
	if s.View != nil && s.View.View.SQL != "" {
		fmt.Fprintf(a.stdout, "\n-- %s\n%s\n", s.View.View.SQLFile, strings.TrimSpace(s.View.View.SQL))
	}
	return nil
}
