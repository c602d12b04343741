package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

// The kinds of list and show, as users type them.
var kinds = []string{"entities", "sources", "views", "services", "models", "commits"}

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [entities|sources|views|services|models|commits]",
		Short: "List registered definitions, models and commits",
		Long: `List what the last apply registered; without a kind, views and services. HEAD is the version in the definitions, and
SERVED is the version that answers look-ups. They differ until the new version has been materialized. "list models" is
the same as "model list".`,
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
		if kind == "" && a.json() {
			return a.printJSON(map[string]any{"views": rev.List("views"), "services": rev.List("services")})
		}
		if a.json() {
			return a.printJSON(rev.List(kind))
		}
		if rev.Number == 0 {
			_, err := fmt.Fprintf(a.stderr, "Nothing has been applied to project %s yet. Run: fstore apply\n", p.Settings.Project)
			return err
		}
		if kind != "" {
			return listTable(rev, kind).Print(a.stdout)
		}
		if err := listTable(rev, "views").Print(a.stdout); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout)
		return listTable(rev, "services").Print(a.stdout)
	})
}

func listTable(rev project.Graph, kind string) *terminal.Table {
	var t *terminal.Table
	switch kind {
	case "entities":
		t = terminal.NewTable("ENTITY", "JOIN KEYS", "DESCRIPTION")
		for _, e := range rev.Entities() {
			t.Row(e.Name, fieldList(e.JoinKeys), e.Description)
		}
	case "sources":
		t = terminal.NewTable("SOURCE", "PATH", "EVENT", "AVAILABLE", "DESCRIPTION")
		for _, s := range rev.Sources() {
			event, available := s.Event, s.Available.String()
			if s.Static() {
				event, available = "-", "always"
			}
			t.Row(s.Name, s.Path, event, available, s.Description)
		}
	case "views":
		t = terminal.NewTable("VIEW", "HEAD", "SERVED", "KEYS", "FEATURES", "PUBLISH", "TTL")
		for _, v := range rev.Views() {
			served := versionText(v.Serving)
			if v.View.Offline {
				served = "offline"
			}
			t.Row(v.Ref.Name, versionText(v.Ref.Version), served, orDash(fieldList(v.View.Keys)), featureNames(&v.View),
				textOr(v.View.Publish), textOr(v.View.TTL))
		}
	default:
		t = terminal.NewTable("SERVICE", "HEAD", "SERVED", "FEATURES", "DESCRIPTION")
		for _, s := range rev.Services() {
			t.Row(s.Ref.Name, versionText(s.Ref.Version), versionText(s.Serving), english.Count(len(s.Outputs), "feature"), s.Service.Description)
		}
	}
	return t
}

func fieldList(fields []fstore.Field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.Name + " " + f.Type.String()
	}
	return strings.Join(parts, ", ")
}

func featureNames(v *fstore.View) string {
	names := make([]string, len(v.Features))
	for i, f := range v.Features {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

func orDash(s string) string { return cmp.Or(s, "-") }

func versionText(v int) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("@%d", v)
}

// textOr writes a value, or a dash if it is absent.
func textOr[T any, P interface {
	*T
	String() string
}](p P) string {
	if p == nil {
		return "-"
	}
	return p.String()
}

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
