package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

// The kinds of list and show, as users type them.
var kinds = []string{"entities", "sources", "views", "on_demand_views", "services", "models", "commits"}

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [entities|sources|views|on_demand_views|services|models|commits]",
		Short: "List registered definitions, models and commits",
		Long: `List what the last apply registered; without a kind, views, on-demand views and services. HEAD is the version in the
definitions, and SERVED is the version that answers look-ups. They differ until the new version has been materialized.
PUBLISHED is the instant as of which the served version's values are, and AGE the time since.
"list models" is the same as "model list".`,
		Example:   "  fstore list\n  fstore list views --output json\n  fstore list commits",
		Args:      usage.Args(cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: kinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			kind := ""
			if len(args) > 0 {
				kind = args[0]
			}
			return a.list(cmd.Context(), kind)
		},
	}
}

func (a *app) list(ctx context.Context, kind string) error {
	switch kind {
	case "commits":
		return a.with(ctx, func(p *project.Project) error { return a.listCommits(ctx, p) })
	case "models":
		return a.with(ctx, func(p *project.Project) error { return a.listModels(ctx, p) })
	}
	return a.withGraph(ctx, func(p *project.Project, rev project.Graph) error {
		if kind == "" || project.IsKind(kind, registry.KindView) {
			var err error
			if rev, err = p.Publications(ctx, rev); err != nil {
				a.remark(fmt.Sprintf("The published instants are unknown: %v", err))
			}
		}
		if kind == "" && a.json() {
			return a.printJSON(map[string]any{"views": rev.List("views"), "on_demand_views": rev.List("on_demand_views"), "services": rev.List("services")})
		}
		if a.json() {
			return a.printJSON(rev.List(kind))
		}
		if rev.Number == 0 {
			a.remark(fmt.Sprintf("Nothing has been applied to project %s yet. Run: fstore apply", p.Settings.Project))
			return nil
		}
		if kind != "" {
			return rev.Table(kind).Print(a.stdout)
		}
		var errs []error
		for i, t := range []*terminal.Table{rev.Table("views"), rev.Table("on_demand_views"), rev.Table("services")} {
			if i > 0 && !t.Empty() {
				fmt.Fprintln(a.stdout)
			}
			errs = append(errs, t.Print(a.stdout))
		}
		return errors.Join(errs...)
	})
}

func orDash(s string) string { return cmp.Or(s, "-") }

func (a *app) listCommits(ctx context.Context, p *project.Project) error {
	commits, err := p.Commits(ctx)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(append([]registry.Commit{}, commits...))
	}
	t := terminal.NewTable("COMMIT", "TIME", "AUTHOR", "GIT", "CHANGES", "MESSAGE")
	for _, c := range commits {
		git := c.GitRevision
		if len(git) > 10 {
			git = git[:10]
		}
		if c.Dirty {
			git += "+"
		}
		t.Row(fmt.Sprint(c.ID), shortTime(c.Time), orDash(c.Author), orDash(git), fmt.Sprint(len(c.Objects)), c.Message)
	}
	return t.Print(a.stdout)
}
