package main

import (
	"context"
	"fmt"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

// stateText says briefly whether the model is served.
func stateText(m *project.Model) string {
	switch {
	case m.Ready == nil:
		return "unknown: the online store cannot be reached"
	case *m.Ready:
		return "served"
	}
	return "not published: run fstore materialize " + project.Joined(m.Missing())
}

func (a *app) listModelsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the pinned model versions",
		Example: "  fstore model list\n  fstore model list --output json",
		Args:    usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(p *project.Project) error { return a.listModels(cmd.Context(), p) })
		},
	}
}

func (a *app) listModels(ctx context.Context, p *project.Project) error {
	models, err := p.Models(ctx)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(models)
	}
	if len(models) == 0 {
		a.remark("No model is pinned. Pin one with fstore model pin.")
		return nil
	}
	t := terminal.NewTable("MODEL", "ALIASES", "PINNED", "FEATURES", "FROM", "STATE")
	for _, m := range models {
		t.Row(m.Ref.String(), orDash(strings.Join(m.Aliases, ", ")), shortTime(m.Pinned), fmt.Sprint(len(m.Outputs)), m.Origin(), stateText(m))
	}
	return t.Print(a.stdout)
}

func (a *app) showModelCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME[@VERSION]",
		Short:             "Show the pin of a model version, or all versions of a model",
		Example:           "  fstore model show fraud@3\n  fstore model show fraud@champion --output json\n  fstore model show fraud",
		Args:              usage.Args(cobra.RangeArgs(1, 2)),
		ValidArgsFunction: a.completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.showModelNamed(cmd.Context(), strings.Join(args, "@"))
		},
	}
}

func (a *app) showModelNamed(ctx context.Context, name string) error {
	ref, err := fstore.ParseModelRef(name)
	if err != nil {
		return usage.Of("", err)
	}
	return a.with(ctx, func(p *project.Project) error { return a.showModel(ctx, p, ref) })
}

// showModel shows a version of a model. For a name alone, it shows all versions.
func (a *app) showModel(ctx context.Context, p *project.Project, ref fstore.ModelRef) error {
	read := p.Model
	if a.json() {
		read = p.TaggedModel
	}
	shown, err := read(ctx, ref)
	switch {
	case err != nil:
		return err
	case a.json() && ref.Version == "":
		return a.printJSON(shown)
	case a.json():
		return a.printJSON(shown[0])
	}
	for i, m := range shown {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		if err := a.printModel(m); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printModel(m *project.Model) error {
	facts := terminal.NewTable("model", m.Ref.String())
	if len(m.Aliases) > 0 {
		facts.Row("aliases", strings.Join(m.Aliases, ", "))
	}
	by := ""
	if m.Author != "" {
		by = " by " + m.Author
	}
	facts.Row("pinned", shortTime(m.Pinned)+by)
	facts.Row("from", m.Origin())
	facts.Row("state", stateText(m))
	facts.Row("callers send", project.SentText(m.Interface))
	for _, v := range m.Published {
		at := "not published"
		if !v.At.IsZero() {
			at = "published at " + fstore.FormatTime(v.At)
		}
		facts.Row("view", v.View.String()+", "+at)
	}
	if len(m.OnDemand) > 0 {
		facts.Row("on-demand views", project.Joined(m.OnDemand))
	}
	if err := facts.Print(a.stdout); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	return project.OutputsTable(m.Uses, m.OnDemand, m.Outputs, m.Interface).Print(a.stdout)
}
