package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

// shownModel is a version of a model as model show --output json prints it.
type shownModel struct {
	*registry.ModelVersion
	Views     []fstore.ViewRef `json:"views"`               // each once
	Published []modelView      `json:"published,omitempty"` // absent where the online store cannot be reached
	Ready     *bool            `json:"ready,omitempty"`     // all of them are published, so that the model is served; likewise

	Interface *fstore.Description `json:"interface,omitempty"` // what callers send and get
}

// modelView is a view version of a model as the online store has it.
type modelView struct {
	View fstore.ViewRef `json:"view"`
	At   time.Time      `json:"published,omitzero"` // zero: it is not
}

// missing returns the view versions that are not published.
func (m *shownModel) missing() []fstore.ViewRef {
	var out []fstore.ViewRef
	for _, v := range m.Published {
		if v.At.IsZero() {
			out = append(out, v.View)
		}
	}
	return out
}

// state says in a word or two whether the model is served.
func (m *shownModel) state() string {
	switch {
	case m.Ready == nil:
		return "unknown: the online store cannot be reached"
	case *m.Ready:
		return "served"
	}
	return "not published: run fstore materialize " + joined(m.missing())
}

// modelShown looks up what the online store has for a version of a model.
func (a *app) modelShown(ctx context.Context, s *Settings, snap *registry.Snapshot, m *registry.ModelVersion) (*shownModel, error) {
	all, err := a.modelsShown(ctx, s, snap, []*registry.ModelVersion{m})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// modelsShown looks up what the online store has for versions of models, in one round trip. A store that is away is a
// warning: what is pinned is the registry's to say.
func (a *app) modelsShown(ctx context.Context, s *Settings, snap *registry.Snapshot, models []*registry.ModelVersion) ([]*shownModel, error) {
	var refs []fstore.ViewRef
	out := make([]*shownModel, len(models))
	for i, m := range models {
		out[i] = &shownModel{ModelVersion: m, Views: usedViews(m)}
		if list, err := snap.ModelFeatures(m.Ref); err == nil {
			out[i].Interface = list.Describe()
		}
		refs = append(refs, out[i].Views...)
	}
	pointers, err := modelPointers(ctx, s, refs)
	if errors.Is(err, fstore.ErrUnavailable) {
		a.notLookedAt(err)
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for _, m := range out {
		ready := true
		for _, ref := range m.Views {
			v := modelView{View: ref}
			if p, ok := pointers[ref]; ok && p.Fingerprint == snap.View(ref).Fingerprint {
				v.At = p.Published
			}
			ready = ready && !v.At.IsZero()
			m.Published = append(m.Published, v)
		}
		m.Ready = &ready
	}
	return out, nil
}

func (a *app) listModelsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the pinned model versions",
		Example: "  fstore model list\n  fstore model list --output json",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.settings()
			if err != nil {
				return err
			}
			return withSnapshot(cmd.Context(), s, func(snap *registry.Snapshot) error { return a.listModels(cmd.Context(), s, snap) })
		},
	}
}

func (a *app) listModels(ctx context.Context, s *Settings, snap *registry.Snapshot) error {
	models, err := a.modelsShown(ctx, s, snap, snap.Models())
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(models)
	}
	if len(models) == 0 {
		_, err := fmt.Fprintln(a.stderr, "No model is pinned. fstore model pin does it.")
		return err
	}
	t := newTable("MODEL", "ALIASES", "PINNED", "FEATURES", "FROM", "STATE")
	for _, m := range models {
		t.row(m.Ref.String(), orDash(strings.Join(m.Aliases, ", ")), shortTime(m.Pinned), fmt.Sprint(len(m.Outputs)), m.Origin(), m.state())
	}
	return t.print(a.stdout)
}

func (a *app) showModelCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME[@VERSION]",
		Short:             "Show the pin of a model version, or all versions of a model",
		Example:           "  fstore model show fraud@3\n  fstore model show fraud@champion --output json\n  fstore model show fraud",
		Args:              args(cobra.RangeArgs(1, 2)),
		ValidArgsFunction: a.completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.showModelNamed(cmd.Context(), strings.Join(args, "@"))
		},
	}
}

func (a *app) showModelNamed(ctx context.Context, name string) error {
	ref, err := fstore.ParseModelRef(name)
	if err != nil {
		return usageOf("", err)
	}
	s, err := a.settings()
	if err != nil {
		return err
	}
	return withSnapshot(ctx, s, func(snap *registry.Snapshot) error { return a.showModel(ctx, s, snap, ref) })
}

// showModel shows a version of a model or, of a name alone, the only one or all of them.
func (a *app) showModel(ctx context.Context, s *Settings, snap *registry.Snapshot, ref fstore.ModelRef) error {
	var models []*registry.ModelVersion
	for _, m := range snap.Models() {
		if ref.Version == "" && m.Ref.Name == ref.Name {
			models = append(models, m)
		}
	}
	if len(models) == 0 {
		m, err := snap.Model(ref)
		if err != nil {
			return err
		}
		models = append(models, m)
	}
	shown, err := a.modelsShown(ctx, s, snap, models)
	switch {
	case err != nil:
		return err
	case a.json() && ref.Version == "":
		return a.printJSON(shown)
	case a.json():
		return a.printJSON(shown[0])
	}
	for i, m := range shown {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		if err := a.printModel(m); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printModel(m *shownModel) error {
	facts := newTable("model", m.Ref.String())
	if len(m.Aliases) > 0 {
		facts.row("aliases", strings.Join(m.Aliases, ", "))
	}
	by := ""
	if m.Author != "" {
		by = " by " + m.Author
	}
	facts.row("pinned", shortTime(m.Pinned)+by)
	facts.row("from", m.Origin())
	facts.row("state", m.state())
	if m.Interface != nil {
		facts.row("callers send", orDash(fieldList(m.Interface.KeyColumns)))
	}
	for _, v := range m.Published {
		at := "not published"
		if !v.At.IsZero() {
			at = "published at " + fstore.FormatTime(v.At)
		}
		facts.row("view", v.View.String()+", "+at)
	}
	if err := facts.print(a.stdout); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	return outputTable(m.Uses, m.Outputs, m.Interface).print(a.stdout)
}
