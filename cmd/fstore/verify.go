package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/verify"
	"github.com/spf13/cobra"
)

func (a *app) verifyCommand() *cobra.Command {
	var f project.VerifyRequest
	var model, instants string
	var causal bool
	cmd := &cobra.Command{
		Use:   "verify [VIEW[@VERSION]…]",
		Short: "Compare the online store with the offline result",
		Long: `Read every key of the live view versions (or of those named) from the online store, with the decoder that answers
look-ups, and compare it with the view computed offline at the published instant. While a run is unfinished, that run's
values are accepted too. The exit status is 4 if a key is missing, extra, different or undecodable, or if a view is not
published.

verify computes from the source files as they are now. Rows that arrived since the last run and count for its instant
show as differences; the next materialize fixes them.

On-demand features are computed and not stored: verify checks the views that they read.

--causal instead checks on the data that the views do not see the future: at a few instants it compares the rows known
then with those that all data gives. It reads no online store. The exit status is 4 if a view leaks
(docs/causality.md).`,
		Example: `  fstore verify
  fstore verify --service churn --sample 1000
  fstore verify --model fraud@3 --output json
  fstore verify --causal --instants 16`,
		ValidArgsFunction: a.completeViews,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if usage.Given(f.Service != "", model != "", len(args) > 0) > 1 {
				return usage.Errorf(cmd, "name views, or --service, or --model")
			}
			if f.Sample < 0 || f.Sample == 0 && cmd.Flags().Changed("sample") {
				return usage.Errorf(nil, "--sample %d is not a number of keys", f.Sample).WithHint("remove the flag to compare all keys")
			}
			if model != "" {
				if f.Model, err = modelNamed("--model", model); err != nil {
					return err
				}
			}
			if f.Instants, err = project.ParseInstants(instants); err != nil || cmd.Flags().Changed("instants") && !causal {
				return usage.Errorf(nil, "--instants %s: a number or all, beside --causal", instants)
			}
			f.Views = args
			return a.with(cmd.Context(), func(p *project.Project) error {
				if causal {
					return a.verifyCausality(cmd.Context(), p, f)
				}
				return a.verify(cmd.Context(), p, f)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.Service, "service", "s", "", "check only the views of this service")
	flags.StringVarP(&model, "model", "m", "", "check only the views of this model: fraud@3, or an alias")
	flags.IntVar(&f.Sample, "sample", 0, "check this many keys of each view, chosen at random (default: all)")
	flags.BoolVar(&causal, "causal", false, "check that views do not see the future, instead of reading the online store")
	flags.StringVar(&instants, "instants", "4", "with --causal: compare at this many instants, or at all")
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	_ = cmd.RegisterFlagCompletionFunc("model", a.completeModels)
	a.engineFlags(cmd)
	return cmd
}

func (a *app) verify(ctx context.Context, p *project.Project, r project.VerifyRequest) error {
	progress := a.progress()
	r.Progress = func(view fstore.ViewRef, checked int64) { progress.Show(view.String()+" verify", checked, 0) }
	views, err := p.Verify(ctx, r)
	progress.Clear()
	if err != nil {
		return usage.In("verify", err)
	}
	right := !slices.ContainsFunc(views, func(v verify.View) bool { return !v.Right() })
	if a.json() {
		err = a.printJSON(struct {
			OK    bool          `json:"ok"`
			Views []verify.View `json:"views"`
		}{right, append([]verify.View{}, views...)})
	} else {
		err = a.printVerified(views)
	}
	if err == nil && !right {
		return exitCode(statusCheck)
	}
	return err
}

func (a *app) verifyCausality(ctx context.Context, p *project.Project, r project.VerifyRequest) error {
	progress := a.progress()
	r.Progress = func(view fstore.ViewRef, _ int64) { progress.Show(view.String()+" check for leaks", 0, 0) }
	views, err := p.CheckCausality(ctx, r)
	progress.Clear()
	if err != nil {
		return usage.In("verify", err)
	}
	leak := project.LeakError(views)
	if a.json() {
		err = a.printJSON(struct {
			OK        bool                  `json:"ok"`
			Views     []verify.View         `json:"views"`
			Causality []project.CheckedView `json:"causality"`
		}{leak == nil, []verify.View{}, views})
	} else {
		err = a.printChecked(views, false)
	}
	return errors.Join(err, leak)
}

// printChecked shows the verdicts of checks for leaks.
func (a *app) printChecked(views []project.CheckedView, something bool) error {
	t := terminal.NewTable("VIEW", "VERDICT")
	for _, v := range views {
		t.Row(v.View.String(), v.Verdict)
	}
	if err := a.printAfter(something, t); err != nil {
		return err
	}
	return a.printNote(project.CheckedNote(views))
}

// printNote prints a line, if there is one.
func (a *app) printNote(note string) error {
	if note == "" {
		return nil
	}
	_, err := fmt.Fprintln(a.stdout, note)
	return err
}

func (a *app) printVerified(views []verify.View) error {
	t := terminal.NewTable("VIEW", "PUBLISHED", "KEYS", "CHECKED", "MISSING", "EXTRA", "DIFFERING", "UNDECODABLE", "")
	d := terminal.NewTable("VIEW", "KEY", "WRONG", "FEATURE", "OFFLINE", "ONLINE")
	told, wrong := 0, int64(0)
	for _, v := range views {
		published := "-"
		if !v.Published.IsZero() {
			published = fstore.FormatTime(v.Published)
		}
		t.Row(v.View.String(), published, english.Thousands(v.Keys), english.Thousands(v.Checked), english.Thousands(v.Missing), english.Thousands(v.Extra),
			english.Thousands(v.Differing), english.Thousands(v.Undecodable), v.Note())
		for _, x := range v.Differences {
			d.Row(v.View.String(), x.Key, string(x.Kind), orDash(x.Features()), orDash(x.Offline), orDash(x.Stored()))
		}
		told += len(v.Differences)
		wrong += v.Missing + v.Extra + v.Differing + v.Undecodable
	}
	if err := t.Print(a.stdout); err != nil || told == 0 {
		return err
	}
	fmt.Fprintln(a.stdout)
	if err := d.Print(a.stdout); err != nil {
		return err
	}
	if wrong > int64(told) {
		fmt.Fprintf(a.stdout, "and %s more\n", english.Thousands(wrong-int64(told)))
	}
	return nil
}
