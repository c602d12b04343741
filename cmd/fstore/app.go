package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/project/github"
	"github.com/spf13/cobra"
)

// app is what the commands share: the streams, the environment, the clock and the global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookup         func(string) (string, bool) // of the environment
	environ        func() []string
	now            func() time.Time

	repo   string // --repo
	output string // --output

	progressMode string                              // --progress
	log          atomic.Pointer[project.LogSettings] // nil: the defaults; a signal may read it at any time

	annotations *github.Annotations // how messages about the repo are printed; nil: as text or JSON on stderr

	traced atomic.Pointer[[]any] // attributes of logs: the trace and the span of the run; nil: it is not traced

	batch *batch // metrics that the command writes about its run; nil: none

	given   map[string]project.Setting // flags given on the command line, by the setting that they override
	secrets []string                   // passwords in settings, which are never printed
	watched sync.Once                  // starts the memory watch once, when an engine opens
	drains  atomic.Bool                // a server drains: it ends once it has answered what is in flight
}

const about = `fstore is a feature store: what you trained on is what you serve, and you can prove it.

You define features in YAML and SQL. fstore versions the definitions, builds point-in-time correct training sets from
Parquet, materializes the same features into an online store, and serves them over gRPC and HTTP.`

const firstSteps = `  fstore init shop && cd shop      write an example repo with sample data
  fstore plan                      show what would change
  fstore apply                     register the definitions
  fstore training-set create churn_2025 --service churn --labels data/labels.parquet --out data/churn.parquet
  fstore materialize --to 2025-12-01      update the online store; without --to, as of now
  fstore get --service churn --entity customer_id=12003
  fstore serve                     answer over gRPC and HTTP`

// command builds the tree of commands.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "fstore",
		Short:         "A feature store in one binary",
		Long:          about,
		Example:       firstSteps,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.bindFlags(cmd)
			if err := errors.Join(a.checkOutput(cmd), a.checkProgress()); err != nil {
				return err
			}
			return usage.CheckEmpty(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: usage.NoCommand,
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		a.bindFlags(cmd) // those before the mistake: they say how it is written
		return usage.FlagError(cmd, err)
	})
	root.CompletionOptions.HiddenDefaultCmd = false
	flags := root.PersistentFlags()
	flags.StringVar(&a.repo, "repo", "", "folder of the feature repo (default: the nearest one upward with fstore.yaml)")
	a.outputFlag(root, flags, outputTable, outputJSON)
	flags.StringVar(&a.progressMode, "progress", progressAuto, "auto, none, or json: progress, warnings and errors as JSON lines on stderr")
	flags.String("project", "", "name that scopes registry and store (setting project)")
	flags.String("registry", "", "registry URL (setting registry)")
	flags.String("online", "", "online store URL (setting online)")
	flags.String("log-format", "", "text or json: how logs, warnings and errors are written to stderr (setting log.format)")
	flags.String("log-level", "", "debug, info, warn or error: the lowest level of messages that is written (setting log.level)")
	for _, name := range []string{"project", "registry", "online", "log-format", "log-level"} {
		_ = flags.SetAnnotation(name, usage.SettingOf, []string{strings.ReplaceAll(name, "-", ".")})
	}
	a.given = map[string]project.Setting{}
	_ = root.RegisterFlagCompletionFunc("progress", cobra.FixedCompletions([]string{progressAuto, progressNone, progressJSON}, cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	_ = root.MarkPersistentFlagDirname("repo")
	root.AddCommand(
		a.initCommand(), a.validateCommand(), a.planCommand(), a.applyCommand(), a.listCommand(), a.showCommand(), a.queryCommand(),
		a.trainingSetCommand(), a.modelCommand(), a.measured(a.materializeCommand()), a.getCommand(), a.serveCommand(), a.benchCommand(), a.tokenCommand(), a.measured(a.verifyCommand()),
		a.measured(a.checkCommand()), a.freshnessCommand(), a.notifyCommand(), a.driftCommand(), a.measured(a.monitorCommand()), a.skewCommand(), a.outcomesCommand(), a.measured(a.gcCommand()), a.doctorCommand(), a.versionCommand(),
	)
	return root
}

// json reports whether results are wanted as JSON.
func (a *app) json() bool { return a.output == outputJSON }

// color reports whether results may be colored.
func (a *app) color() bool {
	noColor, _ := a.lookup("NO_COLOR")
	term, _ := a.lookup("TERM")
	return noColor == "" && term != "dumb" && terminal.IsTerminal(a.stdout)
}

// mask replaces every password seen in settings.
func (a *app) mask(s string) string {
	for _, secret := range a.secrets {
		s = strings.ReplaceAll(s, secret, "***")
	}
	return s
}

func (a *app) addSecret(s string) {
	if s != "" && !slices.Contains(a.secrets, s) {
		a.secrets = append(a.secrets, s)
	}
}
