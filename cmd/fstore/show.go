package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show [KIND/]NAME[@VERSION]",
		Short: "Show one definition, its versions and what uses it",
		Long: `Show one definition as it was applied, its versions and what uses it. If several kinds share a name, write
entity/NAME, source/NAME, view/NAME, on_demand/NAME or service/NAME. "show model/NAME[@VERSION]" is the same as "model show".`,
		Example:           "  fstore show customer_orders\n  fstore show customer_orders@1 --output json\n  fstore show service/churn",
		Args:              usage.Args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeShown,
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
		return usage.Errorf(nil, "show %s: there is no kind %q", arg, kind).WithHint("entity, source, view, on_demand or service")
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

func (a *app) printShown(d *project.Definition) error {
	if err := d.Facts().Print(a.stdout); err != nil {
		return err
	}
	t := d.Features()
	if t == nil {
		return nil
	}
	fmt.Fprintln(a.stdout)
	if err := t.Print(a.stdout); err != nil {
		return err
	}
	if d.View != nil && d.View.View.SQL != "" {
		fmt.Fprintf(a.stdout, "\n-- %s\n%s\n", d.View.View.SQLFile, strings.TrimSpace(d.View.View.SQL))
	}
	return nil
}
