package main

import (
	"context"
	"fmt"
	"slices"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/verify"
	"github.com/spf13/cobra"
)

type verifyFlags struct {
	service, modelArg string
	model             fstore.ModelRef
	sample            int
}

func (a *app) verifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [VIEW[@VERSION]…]",
		Short: "Compare the online store with the offline result",
		Long: `Read every key of the live view versions (or of those named) from the online store, with the decoder that answers
look-ups, and compare it with the view computed offline at the published instant. While a run is unfinished, that run's
values are accepted too. The exit status is 4 if a key is missing, extra, different or undecodable, or if a view is not
published.

verify computes from the source files as they are now. Rows that arrived since the last run and count for its instant
show as differences; the next materialize fixes them.`,
		Example: `  fstore verify
  fstore verify --service churn --sample 1000
  fstore verify --model fraud@3 --output json`,
		ValidArgsFunction: a.completeViews,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if given(f.service != "", f.modelArg != "", len(args) > 0) > 1 {
				return usagef(cmd, "name views, or --service, or --model")
			}
			if f.sample < 0 || f.sample == 0 && cmd.Flags().Changed("sample") {
				return &usageError{message: fmt.Sprintf("--sample %d is not a number of keys", f.sample), hint: "leave it out to compare all"}
			}
			if f.modelArg != "" {
				if f.model, err = modelNamed("--model", f.modelArg); err != nil {
					return err
				}
			}
			return a.verify(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.service, "service", "s", "", "check only the views of this service")
	flags.StringVarP(&f.modelArg, "model", "m", "", "check only the views of this model: fraud@3, or an alias")
	flags.IntVar(&f.sample, "sample", 0, "check this many keys of each view, chosen at random (default: all)")
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	_ = cmd.RegisterFlagCompletionFunc("model", a.completeModels)
	a.engineFlags(cmd)
	return cmd
}

// verifiable is the reading side of the online store as verify wants it.
type verifiable struct{ *online.Store }

func (s verifiable) Decoder(v *fstore.ViewVersion, p fstore.Pointer) (verify.Decoder, error) {
	return s.Store.Decoder(v, p)
}

func (a *app) verify(ctx context.Context, args []string, f verifyFlags) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	o := verify.Options{Sample: f.sample, TempDir: s.TempDir}
	if err := withSnapshot(ctx, s, func(snap *registry.Snapshot) (err error) {
		o.Views, err = f.views(snap, args)
		return err
	}); err != nil {
		return err
	}
	store, err := openStore(s)
	if err != nil {
		return err
	}
	defer store.Close()
	engine, err := a.openEngine(s)
	if err != nil {
		return err
	}
	defer engine.Close()
	progress := a.progress()
	o.Source, o.Store = engine, verifiable{store}
	o.Progress = func(view fstore.ViewRef, checked int64) { progress.show(view.String()+" verify", checked, 0) }
	views, err := verify.Run(ctx, o)
	progress.clear()
	if err != nil {
		return err
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

// views returns the view versions to verify.
func (f verifyFlags) views(snap *registry.Snapshot, args []string) ([]*fstore.ViewVersion, error) {
	var list *fstore.FeatureList
	var err error
	switch {
	case f.service != "":
		list, err = snap.ServingService(f.service)
	case f.model.Name != "":
		list, err = snap.ModelFeatures(f.model)
	default:
		return viewsNamed(snap, args)
	}
	if err != nil {
		return nil, err
	}
	var out []*fstore.ViewVersion
	for _, u := range list.Uses {
		if !slices.ContainsFunc(out, func(v *fstore.ViewVersion) bool { return v.Ref == u.Version.Ref }) {
			out = append(out, u.Version)
		}
	}
	return out, nil
}

func (a *app) printVerified(views []verify.View) error {
	t := newTable("VIEW", "PUBLISHED", "KEYS", "CHECKED", "MISSING", "EXTRA", "DIFFERING", "UNDECODABLE", "")
	d := newTable("VIEW", "KEY", "WRONG", "FEATURE", "OFFLINE", "ONLINE")
	told, wrong := 0, int64(0)
	for _, v := range views {
		published, note := "-", v.Problem
		if !v.Published.IsZero() {
			published = fstore.FormatTime(v.Published)
		}
		if !v.RunAt.IsZero() {
			note = "behind an unfinished run for " + fstore.FormatTime(v.RunAt)
		}
		if v.Hint != "" {
			note += ": " + v.Hint
		}
		t.row(v.View.String(), published, thousands(v.Keys), thousands(v.Checked), thousands(v.Missing), thousands(v.Extra),
			thousands(v.Differing), thousands(v.Undecodable), note)
		for _, x := range v.Differences {
			online := orDash(x.Online)
			if x.Detail != "" {
				online = x.Detail
			}
			d.row(v.View.String(), x.Key, string(x.Kind), orDash(x.Feature), orDash(x.Offline), online)
		}
		told += len(v.Differences)
		wrong += v.Missing + v.Extra + v.Differing + v.Undecodable
	}
	if err := t.print(a.stdout); err != nil || told == 0 {
		return err
	}
	fmt.Fprintln(a.stdout)
	if err := d.print(a.stdout); err != nil {
		return err
	}
	if wrong > int64(told) {
		fmt.Fprintf(a.stdout, "and %s more\n", thousands(wrong-int64(told)))
	}
	return nil
}
