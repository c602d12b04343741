package main

import (
	"context"
	"fmt"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

// The kinds that list and show know, as they are typed.
var kinds = []string{"entities", "sources", "views", "services", "models", "commits"}

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [entities|sources|views|services|models|commits]",
		Short: "List registered definitions, models and commits",
		Long: `List what the last apply registered; without a kind, views and services. HEAD is the version in the definitions, and
SERVED is the version that answers look-ups. They differ until the new version has been materialized. "list models" is
the same as "model list".`,
		Example:   "  fstore list\n  fstore list views --output json\n  fstore list commits",
		Args:      args(cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)),
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
	return a.withGraph(ctx, func(p *project.Project, snap project.Graph) error {
		if kind == "" && a.json() {
			return a.printJSON(map[string]any{"views": listJSON(snap, "views"), "services": listJSON(snap, "services")})
		}
		if a.json() {
			return a.printJSON(listJSON(snap, kind))
		}
		if snap.Revision == 0 {
			_, err := fmt.Fprintf(a.stderr, "Nothing was applied to project %s yet. fstore apply does it.\n", p.Settings.Project)
			return err
		}
		if kind != "" {
			return listTable(snap, kind).print(a.stdout)
		}
		if err := listTable(snap, "views").print(a.stdout); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout)
		return listTable(snap, "services").print(a.stdout)
	})
}

// listed is a definition as list --output json shows it.
type listed struct {
	Name    string `json:"name"`
	Version int    `json:"version,omitempty"` // in head
	Serving *int   `json:"serving,omitempty"` // 0: nothing yet; absent where the kind has none
	fstore.Meta
	Entities []string       `json:"entities,omitempty"`
	Keys     []fstore.Field `json:"keys,omitempty"`
	Features []string       `json:"features,omitempty"`
	Path     string         `json:"path,omitempty"`

	Event     string            `json:"event_timestamp,omitempty"` // of a source: absent, it is static
	Created   string            `json:"created_timestamp,omitempty"`
	Available *fstore.Available `json:"available,omitempty"`
	TTL       *fstore.Duration  `json:"ttl,omitempty"` // of a view
	Publish   *fstore.Publish   `json:"publish,omitempty"`
	Offline   bool              `json:"offline,omitempty"`
}

func listJSON(snap project.Graph, kind string) []listed {
	out := []listed{}
	switch kind {
	case "entities":
		for _, e := range snap.Entities() {
			out = append(out, listed{Name: e.Name, Meta: e.Meta, Keys: e.JoinKeys})
		}
	case "sources":
		for _, s := range snap.Sources() {
			l := listed{Name: s.Name, Meta: s.Meta, Path: s.Path, Event: s.Event, Created: s.Created}
			if !s.Static() {
				l.Available = &s.Available
			}
			out = append(out, l)
		}
	case "views":
		for _, v := range snap.Views() {
			l := listed{
				Name: v.Ref.Name, Version: v.Ref.Version, Serving: &v.Serving, Meta: v.View.Meta, Entities: v.View.Entities, Keys: v.View.Keys,
				TTL: v.View.TTL, Publish: v.View.Publish, Offline: v.View.Offline,
			}
			for _, f := range v.View.Features {
				l.Features = append(l.Features, f.Name)
			}
			out = append(out, l)
		}
	case "services":
		for _, s := range snap.Services() {
			l := listed{Name: s.Ref.Name, Version: s.Ref.Version, Serving: &s.Serving, Meta: s.Service.Meta}
			for _, o := range s.Outputs {
				l.Features = append(l.Features, o.Name)
			}
			out = append(out, l)
		}
	}
	return out
}

func listTable(snap project.Graph, kind string) *table {
	var t *table
	switch kind {
	case "entities":
		t = newTable("ENTITY", "JOIN KEYS", "DESCRIPTION")
		for _, e := range snap.Entities() {
			t.row(e.Name, fieldList(e.JoinKeys), e.Description)
		}
	case "sources":
		t = newTable("SOURCE", "PATH", "EVENT", "AVAILABLE", "DESCRIPTION")
		for _, s := range snap.Sources() {
			event, available := s.Event, s.Available.String()
			if s.Static() {
				event, available = "-", "always"
			}
			t.row(s.Name, s.Path, event, available, s.Description)
		}
	case "views":
		t = newTable("VIEW", "HEAD", "SERVED", "KEYS", "FEATURES", "PUBLISH", "TTL")
		for _, v := range snap.Views() {
			served := versionText(v.Serving)
			if v.View.Offline {
				served = "offline"
			}
			t.row(v.Ref.Name, versionText(v.Ref.Version), served, orDash(fieldList(v.View.Keys)), featureNames(&v.View),
				publishText(v.View.Publish), ttlText(v.View.TTL))
		}
	default:
		t = newTable("SERVICE", "HEAD", "SERVED", "FEATURES", "DESCRIPTION")
		for _, s := range snap.Services() {
			t.row(s.Ref.Name, versionText(s.Ref.Version), versionText(s.Serving), english.Count(len(s.Outputs), "feature"), s.Service.Description)
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

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func versionText(v int) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("@%d", v)
}

func publishText(p *fstore.Publish) string {
	if p == nil {
		return "-"
	}
	s := "every " + p.Every.String()
	if p.Offset > 0 {
		s += " at " + p.Offset.String()
	}
	if p.Delay > 0 {
		s += " + " + p.Delay.String()
	}
	return s
}

func ttlText(d *fstore.Duration) string {
	if d == nil {
		return "-"
	}
	return d.String()
}

func (a *app) listCommits(ctx context.Context, p *project.Project) error {
	commits, err := p.Commits(ctx)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(append([]registry.Commit{}, commits...))
	}
	t := newTable("COMMIT", "TIME", "AUTHOR", "GIT", "CHANGES", "MESSAGE")
	for _, c := range commits {
		git := c.GitRevision
		if len(git) > 10 {
			git = git[:10]
		}
		if c.Dirty {
			git += "+"
		}
		t.row(fmt.Sprint(c.ID), shortTime(c.Time), orDash(c.Author), orDash(git), fmt.Sprint(len(c.Objects)), c.Message)
	}
	return t.print(a.stdout)
}
