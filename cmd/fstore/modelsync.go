package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

// syncFlags are the flags of model sync.
type syncFlags struct {
	project.SyncRequest
	check, watch bool
	every        string
}

func (a *app) syncModelsCommand() *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:   "sync [MODEL...]",
		Short: "Bring the aliases of models over from MLflow",
		Long: `Bring the aliases of models over from MLflow, so that champion stands for the same version in both. Without MODEL, every
model that has a pin. The server is that of the variables MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN and so on
(docs/mlflow.md).

An alias of a version that is not pinned stays as it was: pin that version first. An alias that MLflow does not have stays
unless --prune is given. The registry decides what a version is pinned to: where MLflow's tags say something else, they are
shown and written again. Tags of other projects stay.

--watch does this again and again, and prints what it changes. --check changes nothing; its exit status is 4 if anything
differs.`,
		Example: "  fstore model sync --dry-run\n  fstore model sync fraud --watch --every 10s",
		Args:    usage.Args(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			every := time.Duration(0)
			switch err := usage.Duration("--every", f.every, &every); {
			case err != nil:
				return err
			case every < time.Second:
				return usage.Errorf(cmd, "--every %s: it must be at least 1s", f.every)
			case f.watch && (f.check || f.DryRun):
				return usage.Errorf(cmd, "--watch makes changes: it does not go with --check or --dry-run")
			case cmd.Flags().Changed("every") && !f.watch:
				return usage.Errorf(cmd, "--every goes with --watch")
			}
			f.Models, f.DryRun = args, f.DryRun || f.check
			return a.with(cmd.Context(), func(p *project.Project) error {
				if f.watch {
					return a.watchModels(cmd.Context(), p, f.SyncRequest, every)
				}
				return a.syncModels(cmd.Context(), p, f)
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.DryRun, "dry-run", false, "show what would change, and change nothing")
	flags.BoolVar(&f.check, "check", false, "change nothing, and exit with status 4 if anything differs")
	flags.BoolVar(&f.Prune, "prune", false, "remove aliases that MLflow does not have")
	flags.BoolVar(&f.watch, "watch", false, "follow MLflow until interrupted")
	flags.StringVar(&f.every, "every", "10s", "with --watch: how often to ask MLflow")
	return cmd
}

func (a *app) syncModels(ctx context.Context, p *project.Project, f syncFlags) error {
	done, err := p.Sync(ctx, f.SyncRequest)
	if err != nil {
		return err
	}
	if err := a.printSynced(done); err != nil {
		return err
	}
	if f.check && done.Differs() {
		return exitCode(statusCheck)
	}
	return nil
}

// watchModels syncs until it is interrupted. A server that is away is only a warning, once.
func (a *app) watchModels(ctx context.Context, p *project.Project, r project.SyncRequest, every time.Duration) error {
	warned, first := "", true
	for ; ctx.Err() == nil; _ = fstore.Sleep(ctx, every) {
		done, err := p.Sync(ctx, r)
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, fstore.ErrUnavailable):
			if text := fstore.MessageOf(err); text != warned {
				a.warn(text)
				warned = text
			}
		case err != nil:
			return err
		case first || done.Changed():
			if err := a.printSynced(done); err != nil {
				return err
			}
			warned, first = "", false
		default:
			warned = ""
		}
	}
	return nil
}

func (a *app) printSynced(s *project.Synced) error {
	if a.json() {
		return a.printJSON(s)
	}
	if len(s.Models) == 0 {
		a.remark("No model is pinned. Pin one with fstore model pin.")
	}
	for _, m := range s.Models {
		if err := a.printSyncedModel(m, s.DryRun); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printSyncedModel(m project.SyncedModel, dry bool) error {
	if m.Unknown {
		_, err := fmt.Fprintf(a.stdout, "model %s: MLflow does not have it\n", m.Name)
		return err
	}
	t := terminal.NewTable("MODEL", "ALIAS", "MLFLOW", "FSTORE", "")
	for _, s := range m.Aliases {
		now := s.Was
		if s.State == project.AliasMoved || s.State == project.AliasRemoved {
			now = s.MLflow
		}
		t.Row(m.Name, s.Alias, orDash(s.MLflow), orDash(now), aliasText(m.Name, s, dry))
	}
	if err := t.Print(a.stdout); err != nil {
		return err
	}
	var unpinned []string
	for _, v := range m.Versions {
		if v.State == project.VersionNotPinned {
			unpinned = append(unpinned, v.Version)
			continue
		}
		if text := versionText(v, dry); text != "" {
			fmt.Fprintf(a.stdout, "models:/%s/%s: %s\n", m.Name, v.Version, text)
		}
	}
	if n := len(unpinned); n > 0 {
		fmt.Fprintf(a.stdout, "Not pinned: %s of %s in MLflow: %s\n", english.Count(n, "version"), m.Name, strings.Join(lastOf(unpinned, 10), ", "))
	}
	return nil
}

// lastOf returns the last n of a list, after "…" if there are more.
func lastOf(list []string, n int) []string {
	if len(list) <= n {
		return list
	}
	return append([]string{"…"}, list[len(list)-n:]...)
}

// would says that a dry run has not done something.
func would(dry bool, done, not string) string {
	if dry {
		return not
	}
	return done
}

func aliasText(model string, s project.SyncedAlias, dry bool) string {
	switch s.State {
	case project.AliasSame:
		return "same"
	case project.AliasMoved:
		return would(dry, "moved", "would move") + " from " + orDash(s.Was)
	case project.AliasNotPinned:
		return fmt.Sprintf("stays: version %s is not pinned; run fstore model pin models:/%s/%s --training-set NAME", s.MLflow, model, s.MLflow)
	case project.AliasRefused:
		return "refused: " + s.Why
	case project.AliasOnlyHere:
		return "stays: MLflow does not have it; --prune removes it"
	case project.AliasRemoved:
		return would(dry, "removed", "would be removed") + ", was " + s.Was
	}
	return string(s.State)
}

// versionText says what is to be known of a version; nothing if it is as it should be.
func versionText(v project.SyncedVersion, dry bool) string {
	switch v.State {
	case project.VersionSame, project.VersionNotPinned:
		return ""
	case project.VersionTagged:
		return would(dry, "tagged", "would be tagged") + ": " + changesText(v.Tags)
	case project.VersionUntagged:
		return "not pinned; its tags " + would(dry, "were deleted", "would be deleted") + ": " + changesText(v.Tags)
	case project.VersionElsewhere:
		return "its tags are of another project, and stay: " + changesText(v.Tags)
	case project.VersionOnlyHere:
		return "MLflow does not have it"
	}
	return string(v.State)
}

// changesText writes tags that differed.
func changesText(changes []project.TagChange) string {
	texts := make([]string, len(changes))
	for i, c := range changes {
		texts[i] = fmt.Sprintf("%s is %s in MLflow and %s here", c.Tag, orDash(c.MLflow), orDash(c.Is))
	}
	return strings.Join(texts, "; ")
}

// tagsText writes tags by name.
func tagsText(tags map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, key+"="+tags[key])
	}
	return strings.Join(out, " ")
}
