package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

// isDigest matches what --accept takes.
var isDigest = regexp.MustCompile(`^[0-9a-f]{32}$`)

type materializeFlags struct {
	to, wait, storeWait, leakCheck string
	accept                         []string
	full, rewind                   bool
	failing                        string
}

func (a *app) materializeCommand() *cobra.Command {
	var f materializeFlags
	cmd := &cobra.Command{
		Use:   "materialize [VIEW[@VERSION]…]",
		Short: "Update the online store",
		Long: `Update the online store to an instant: compute each live view version (or those named), compare it with what the
store holds, write the differences, and publish. Running it again writes nothing. If files, definition and build have
not changed since the last publication, it does not even compute. Serving is never interrupted. Services switch to new
versions once all their views are published.

A run that would delete more than half of 100 or more published keys, or turn a feature from under 1 % to over 50 % null,
writes nothing of that view and exits with status 4. The error has the command that publishes exactly this result. Targets of
"notify" in fstore.yaml are told of a refused view, and again when it is published (docs/notify.md).

A view with a publish schedule is published at the last instant of its schedule up to --to, any other view at --to. Before
its first run, SQL is checked on the data: a view that sees the future is not written, the status is 4 (docs/causality.md).

A run is a trace if OTEL_EXPORTER_OTLP_ENDPOINT names an OpenTelemetry collector (docs/operations.md).`,
		Example: `  fstore materialize customer_orders --to 2025-12-01
  fstore materialize
  fstore materialize --wait 10m --output json      from a scheduler; one line of JSON per view
  fstore materialize --metrics-file materialize.prom`,
		ValidArgsFunction: a.completeViews,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.materialize(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "instant to update to (default: now)")
	flags.BoolVar(&f.full, "full", false, "write everything to a new generation, whatever the store holds; replaces an unreadable pointer")
	flags.BoolVar(&f.rewind, "rewind", false, "allow an instant before the published one")
	flags.StringVar(&f.wait, "wait", "", "wait this long for another run of the same view, such as 10m (default: do not wait)")
	flags.StringVar(&f.storeWait, "store-wait", "", "wait this long for an online store that stops answering, as in a failover; 0s: do not wait (default: 1m)")
	flags.StringArrayVar(&f.accept, "accept", nil, "publish the refused result with this digest, which the run printed; repeatable")
	leakCheckFlag(cmd, &f.leakCheck)
	failingFlag(cmd, &f.failing)
	a.engineFlags(cmd)
	return cmd
}

// materialize runs the views, prints a summary of each, and prints promotions.
func (a *app) materialize(ctx context.Context, views []string, f materializeFlags) error {
	r := project.MaterializeRequest{Views: views, LeakCheck: f.leakCheck, Accept: f.accept, Keep: keepRows(f.failing)}
	if err := f.options(&r); err != nil {
		return err
	}
	return a.with(ctx, func(p *project.Project) error {
		progress := a.progress()
		r.Progress = func(p materialize.Progress) { progress.Show(p.View.String()+" "+string(p.Stage), p.Done, p.Total) }
		r.Ran = func(views []materialize.Summary) error {
			progress.Clear()
			a.batch.materialized(views)
			return a.printSummaries(views)
		}
		done, err := p.Materialize(ctx, r)
		a.batch.checked(done.Checks)
		if !a.json() {
			a.printPromotions(done.Promotions)
			a.printSamples(done.Checks, f.failing)
		}
		err = errors.Join(err, writeFailing(f.failing, done.Checks))
		return usage.In("materialize", asFlags(err))
	})
}

// options fills in the request from the flags.
func (f materializeFlags) options(r *project.MaterializeRequest) error {
	if f.to != "" {
		to, err := instant("--to", f.to)
		if err != nil {
			return err
		}
		r.To = to
	}
	if f.full {
		r.Mode |= materialize.Full
	}
	if f.rewind {
		r.Mode |= materialize.Rewind
	}
	for _, digest := range f.accept {
		if !isDigest.MatchString(digest) {
			return usage.Errorf(nil, "--accept %q is not a digest", digest).WithHint("a run that refuses its result prints the command with the digest, 32 hexadecimal digits")
		}
	}
	err := errors.Join(usage.Duration("--wait", f.wait, &r.Wait), usage.Duration("--store-wait", f.storeWait, &r.StoreWait))
	if f.storeWait != "" && r.StoreWait == 0 {
		r.StoreWait = -1
	}
	return err
}

func (a *app) printSummaries(summaries []materialize.Summary) error {
	if a.json() {
		for _, s := range summaries {
			s.Error = a.mask(s.Error)
			line, err := json.Marshal(s)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(a.stdout, "%s\n", line); err != nil {
				return err
			}
		}
		return nil
	}
	t := terminal.NewTable("VIEW", "PUBLISHED", "KEYS", "WRITTEN", "DELETED", "UNCHANGED", "BYTES", "SECONDS", "")
	for _, s := range summaries {
		published, keys := fstore.FormatTime(s.Published), english.Thousands(s.Keys)
		if s.Published.IsZero() {
			published, keys = "-", "-"
		}
		t.Row(s.View.String(), published, keys, english.Thousands(s.Written), english.Thousands(s.Deleted), english.Thousands(s.Unchanged),
			english.Thousands(s.Bytes), fmt.Sprintf("%.2f", s.Seconds.Total()), project.RunNote(s))
	}
	if err := t.Print(a.stdout); err != nil {
		return err
	}
	return a.printNote(project.RunsNote(summaries))
}
