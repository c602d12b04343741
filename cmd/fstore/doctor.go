package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check the set-up, and say what to run",
		Long: `Check the settings, the environment, the definitions, the registry, the state and temporary folders, and the online
store with what is published in it. For each problem, doctor says what to run. The exit status is 4 if something needs
repair; warnings alone do not count.`,
		Example: "  fstore doctor\n  fstore doctor --output json",
		Args:    usage.Args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context()) },
	}
}

func (a *app) doctor(ctx context.Context) error {
	d := project.Doctor(ctx, a.repo, a.options())
	for i := range d.Checks {
		c := &d.Checks[i]
		c.Message, c.Hint = a.mask(strings.Replace(c.Message, "repo "+a.repo+":", "--repo "+a.repo+":", 1)), a.mask(c.Hint)
	}
	if err := a.printDiagnosis(d); err != nil || d.OK {
		return err
	}
	return exitCode(statusCheck)
}

func (a *app) printDiagnosis(d *project.Diagnosis) error {
	if a.json() {
		return a.printJSON(d)
	}
	for _, c := range d.Checks {
		color := map[string]string{"ok": green, "warning": yellow, "failed": red}[c.Status]
		a.paint(color, fmt.Sprintf("%-7s", c.Status))
		fmt.Fprintf(a.stdout, "  %-16s  %s\n", c.Name, c.Message)
		if c.Hint != "" {
			fmt.Fprintf(a.stdout, "%27s%s\n", "", c.Hint)
		}
	}
	return nil
}
