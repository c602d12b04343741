package main

import (
	"slices"
	"strings"

	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The values of --output.
const (
	outputTable    = "table"
	outputJSON     = "json"
	outputGitHub   = "github"
	outputMarkdown = "markdown"
)

// outputForms is the annotation of --output with the forms that a command prints.
const outputForms = "fstore_output"

// outputFlag adds --output with the forms that commands print. A command that prints more than others has a flag of its
// own, which hides the one of all commands.
func (a *app) outputFlag(cmd *cobra.Command, flags *pflag.FlagSet, forms ...string) {
	last := len(forms) - 1
	flags.StringVarP(&a.output, "output", "o", outputTable, strings.Join(forms[:last], ", ")+" or "+forms[last])
	_ = flags.SetAnnotation("output", outputForms, forms)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp))
}

func (a *app) checkOutput(cmd *cobra.Command) error {
	flag := cmd.Flags().Lookup("output")
	if !slices.Contains(flag.Annotations[outputForms], a.output) {
		return usage.Errorf(nil, "--output %q: %s", a.output, flag.Usage)
	}
	return nil
}
