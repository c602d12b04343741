package main

import (
	"context"

	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) freshnessCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "freshness",
		Short: "Show how fresh the online store is, and what is late",
		Long: `Show when each live view version was published, how old its newest row is, and whether its next publication is overdue. A view
with "publish" is late once the publication after its last one should be servable: at the next instant of its schedule plus the
delay. A view without "publish" has no schedule and is never late. The newest event tells a run that works from one whose
source has dried up; windowed views and static tables have none.

The exit status is 4 if a view version is late or not published. Targets of "notify" in fstore.yaml are told of it, and again when
it is fresh (docs/notify.md).`,
		Example: "  fstore freshness\n  fstore freshness --output json",
		Args:    usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(p *project.Project) error { return a.freshness(cmd.Context(), p) })
		},
	}
}

func (a *app) freshness(ctx context.Context, p *project.Project) error {
	f, err := p.Freshness(ctx)
	if err != nil {
		return err
	}
	if a.json() {
		err = a.printJSON(f)
	} else {
		err = f.Table().Print(a.stdout)
	}
	if err != nil || f.OK {
		return err
	}
	return exitCode(statusCheck)
}
