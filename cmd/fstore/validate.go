package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/project/github"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/spf13/cobra"
)

func (a *app) validateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check the definitions",
		Long: `Check every definition of the repo, and report all mistakes at once: file, line and column, what is wrong and what would
be right. Sources are checked against their files. If a variable in a path is not set, validate warns, because it has no
files to check; plan and apply refuse. The registry and the online store are not needed.

--output github prints mistakes and warnings as annotations of the lines that have them, for GitHub Actions.`,
		Example: "  fstore validate\n  fstore validate --output json\n  fstore validate --output github",
		Args:    usage.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.output == outputGitHub {
				folder, _ := project.Find(a.repo, a.lookup) // with fails if there is none
				annotations := github.NewAnnotations(folder, a.lookup)
				a.annotations = &annotations
			}
			return a.with(cmd.Context(), func(p *project.Project) error { return a.validate(cmd.Context(), p) })
		},
	}
	a.outputFlag(cmd, cmd.Flags(), outputTable, outputJSON, outputGitHub)
	a.engineFlags(cmd)
	return cmd
}

func (a *app) validate(ctx context.Context, p *project.Project) error {
	defs, err := p.Validate(ctx)
	var problems definition.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	if a.json() {
		warnings := []definition.Problem{}
		if defs != nil {
			warnings = a.masked(slices.Concat(defs.Unchecked, defs.Warnings))
		}
		out := struct {
			Valid    bool                 `json:"valid"`
			Problems []definition.Problem `json:"problems"`
			Warnings []definition.Problem `json:"warnings"`
		}{err == nil, a.masked(problems), warnings}
		if printing := a.printJSON(out); printing != nil || err == nil {
			return printing
		}
		return exitCode(statusDefinition)
	}
	if err != nil {
		return err
	}
	a.printWarnings(slices.Concat(defs.Unchecked, defs.Warnings))
	views := english.Count(len(defs.Views), "feature view")
	if len(defs.OnDemand) > 0 {
		views += ", " + english.Count(len(defs.OnDemand), "on-demand view")
	}
	_, err = fmt.Fprintf(a.stdout, "%s, %s, %s and %s are valid.\n", english.Count(len(defs.Entities), "entity"), english.Count(len(defs.Sources), "source"),
		views, english.Count(len(defs.Services), "feature service"))
	return err
}

// masked masks the passwords in problems.
func (a *app) masked(problems []definition.Problem) []definition.Problem {
	out := make([]definition.Problem, len(problems))
	for i, p := range problems {
		p.Message, p.Hint = a.mask(p.Message), a.mask(p.Hint)
		out[i] = p
	}
	return out
}
