package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show [KIND/]NAME[@VERSION]",
		Short: "Show one definition, its versions and what uses it",
		Long: `Show one definition as it was applied, its versions and what uses it. If several kinds share a name, write
entity/NAME, source/NAME, view/NAME or service/NAME. "show model/NAME[@VERSION]" is the same as "model show".`,
		Example:           "  fstore show customer_orders\n  fstore show customer_orders@1 --output json\n  fstore show service/churn",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeViews,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.show(cmd.Context(), args[0])
		},
	}
}

// shown is a definition as show --output json prints it. Of the definitions one is set.
type shown struct {
	Kind     registry.Kind            `json:"kind"`
	Name     string                   `json:"name"`
	Version  int                      `json:"version,omitempty"`
	Serving  int                      `json:"serving,omitempty"`  // 0: nothing yet
	Versions []int                    `json:"versions,omitempty"` // of a view, all there ever were
	UsedBy   []string                 `json:"used_by"`
	Entity   *fstore.Entity           `json:"entity,omitempty"`
	Source   *fstore.Source           `json:"source,omitempty"`
	View     *fstore.ViewVersion      `json:"view,omitempty"`
	Service  *registry.ServiceVersion `json:"service,omitempty"`

	Interface *fstore.Description `json:"interface,omitempty"` // of a service: what callers send and get
}

func (a *app) show(ctx context.Context, arg string) error {
	kind, name, qualified := strings.Cut(arg, "/")
	if qualified && (kind == "model" || kind == "models") {
		return a.showModelNamed(ctx, name)
	}
	if !qualified {
		kind, name = "", arg
	}
	if qualified && !slices.ContainsFunc(shownKinds, func(k registry.Kind) bool { return isKind(kind, k) }) {
		return &usageError{message: fmt.Sprintf("show %s: there is no kind %q", arg, kind), hint: "entity, source, view or service"}
	}
	ref, err := fstore.ParseRef(name)
	if err != nil {
		return usageOf("show: ", err)
	}
	s, err := a.settings()
	if err != nil {
		return err
	}
	return withSnapshot(ctx, s, func(snap *registry.Snapshot) error {
		found := find(snap, kind, ref)
		switch {
		case len(found) == 0:
			return fstore.Errorf(fstore.ErrNotFound, "there is no definition %s", arg).WithHint("%s", nearest(snap, kind, ref))
		case len(found) > 1:
			var names []string
			for _, f := range found {
				names = append(names, strings.TrimPrefix(string(f.Kind), "feature_")+"/"+f.Name)
			}
			return &usageError{message: "several definitions are called " + name, hint: "write " + strings.Join(names, " or ")}
		case a.json():
			return a.printJSON(found[0])
		}
		return a.printShown(found[0])
	})
}

var shownKinds = []registry.Kind{registry.KindEntity, registry.KindSource, registry.KindView, registry.KindService}

// isKind reports whether a kind is meant by what is typed for it: view, views or feature_view.
func isKind(typed string, k registry.Kind) bool {
	typed = strings.TrimSuffix(typed, "s")
	if typed == "entitie" {
		typed = "entity"
	}
	return strings.TrimPrefix(string(k), "feature_") == strings.TrimPrefix(typed, "feature_")
}

// nearest says what could be meant by a name, or by a version of one, that is not there.
func nearest(snap *registry.Snapshot, kind string, ref fstore.ViewRef) string {
	if found := find(snap, kind, fstore.ViewRef{Name: ref.Name}); len(found) > 0 {
		f := found[0]
		switch {
		case len(f.Versions) > 0:
			return fmt.Sprintf("its versions are %s", strings.Trim(fmt.Sprint(f.Versions), "[]"))
		case f.Version > 0:
			return fmt.Sprintf("head has %s@%d; of services only that one is shown", f.Name, f.Version)
		}
		return "an " + string(f.Kind) + " has no versions: fstore show " + f.Name
	}
	if found := find(snap, "", fstore.ViewRef{Name: ref.Name}); len(found) > 0 {
		kind := string(found[0].Kind)
		return fmt.Sprintf("%s is a %s: fstore show %s/%[1]s", ref.Name, kind, strings.TrimPrefix(kind, "feature_"))
	}
	var names []string
	for _, kind := range kinds {
		for _, l := range listJSON(snap, kind) {
			names = append(names, l.Name)
		}
	}
	slices.Sort(names)
	if hint := registry.DidYouMean(ref.Name, slices.Compact(names)); strings.HasPrefix(hint, "did you mean") {
		return hint
	}
	return "fstore list shows those there are"
}

// find returns the definitions of a name, of one kind where it is given.
func find(snap *registry.Snapshot, kind string, ref fstore.ViewRef) []shown {
	var out []shown
	wanted := func(k registry.Kind) bool { return kind == "" || isKind(kind, k) }
	if wanted(registry.KindEntity) && ref.Version == 0 {
		for _, e := range snap.Entities() {
			if e.Name == ref.Name {
				out = append(out, shown{Kind: registry.KindEntity, Name: e.Name, Entity: &e, UsedBy: usersOfEntity(snap, e.Name)})
			}
		}
	}
	if wanted(registry.KindSource) && ref.Version == 0 {
		for _, s := range snap.Sources() {
			if s.Name == ref.Name {
				out = append(out, shown{Kind: registry.KindSource, Name: s.Name, Source: &s, UsedBy: usersOfInput(snap, s.Name)})
			}
		}
	}
	if wanted(registry.KindView) {
		if v := findView(snap, ref); v != nil {
			out = append(out, *v)
		}
	}
	if wanted(registry.KindService) {
		for _, s := range snap.Services() {
			if s.Ref.Name == ref.Name && (ref.Version == 0 || ref.Version == s.Ref.Version) {
				found := shown{Kind: registry.KindService, Name: ref.Name, Version: s.Ref.Version, Serving: s.Serving, Service: &s.ServiceVersion, UsedBy: []string{}}
				if list, err := snap.ServiceVersion(s.Ref); err == nil {
					found.Interface = list.Describe()
				}
				out = append(out, found)
			}
		}
	}
	return out
}

func findView(snap *registry.Snapshot, ref fstore.ViewRef) *shown {
	view := snap.View(ref)
	if view == nil {
		return nil
	}
	out := &shown{Kind: registry.KindView, Name: ref.Name, Version: view.Ref.Version, View: view, UsedBy: usersOfInput(snap, ref.Name)}
	for _, v := range snap.Versions(ref.Name) {
		out.Versions = append(out.Versions, v.Ref.Version)
	}
	for _, head := range snap.Views() {
		if head.Ref.Name != ref.Name {
			continue
		}
		out.Serving = head.Serving
		if head.Ref == view.Ref {
			out.View = &head.ViewVersion // with what it says to people now
		}
	}
	for _, s := range snap.Services() {
		for _, u := range s.Uses {
			if u.View == view.Ref {
				out.UsedBy = append(out.UsedBy, "feature_service "+s.Ref.String())
				break
			}
		}
	}
	for _, m := range snap.Models() {
		if slices.Contains(usedViews(m), view.Ref) {
			out.UsedBy = append(out.UsedBy, "model "+m.Ref.String())
		}
	}
	return out
}

func usersOfEntity(snap *registry.Snapshot, name string) []string {
	users := []string{}
	for _, v := range snap.Views() {
		for _, e := range v.View.Entities {
			if e == name {
				users = append(users, "feature_view "+v.Ref.String())
			}
		}
	}
	return users
}

// usersOfInput returns the views that read a source or a view themselves.
func usersOfInput(snap *registry.Snapshot, name string) []string {
	users := []string{}
	for _, v := range snap.Views() {
		for _, input := range v.View.Inputs {
			if input == name {
				users = append(users, "feature_view "+v.Ref.String())
			}
		}
	}
	return users
}

func (a *app) printShown(s shown) error {
	facts := newTable(string(s.Kind), s.Name)
	fact := func(name, value string) {
		if value != "" {
			facts.row(name, value)
		}
	}
	switch {
	case s.Entity != nil:
		fact("join keys", fieldList(s.Entity.JoinKeys))
		metaFacts(fact, s.Entity.Meta)
	case s.Source != nil:
		fact("path", s.Source.Path)
		fact("event", orDash(s.Source.Event))
		fact("created", s.Source.Created)
		if !s.Source.Static() {
			fact("available", s.Source.Available.String())
		}
		for from, to := range s.Source.Rename {
			fact("rename", from+" → "+to)
		}
		fact("optional", strings.Join(s.Source.Optional, ", "))
		metaFacts(fact, s.Source.Meta)
	case s.View != nil:
		viewFacts(fact, s)
	case s.Service != nil:
		fact("version", fmt.Sprintf("@%d, served %s", s.Version, versionText(s.Serving)))
		if s.Interface != nil {
			fact("callers send", orDash(fieldList(s.Interface.KeyColumns)))
		}
		metaFacts(fact, s.Service.Service.Meta)
	}
	if len(s.UsedBy) > 0 {
		fact("used by", strings.Join(s.UsedBy, ", "))
	}
	if len(facts.rows) == 0 {
		fact("", "-")
	}
	if err := facts.print(a.stdout); err != nil {
		return err
	}
	return a.printFeatures(s)
}

func metaFacts(fact func(name, value string), m fstore.Meta) {
	fact("description", m.Description)
	fact("owner", m.Owner)
	for _, k := range sortedKeys(m.Tags) {
		fact("tag "+k, m.Tags[k])
	}
}

func viewFacts(fact func(name, value string), s shown) {
	v := &s.View.View
	versions := make([]string, len(s.Versions))
	for i, n := range s.Versions {
		versions[i] = versionText(n)
	}
	fact("version", fmt.Sprintf("@%d of %s, served %s", s.Version, strings.Join(versions, " "), versionText(s.Serving)))
	fact("fingerprint", s.View.Fingerprint)
	fact("keys", orDash(fieldList(v.Keys)))
	fact("reads", strings.Join(v.Inputs, ", "))
	if v.Static() {
		fact("event", "- (static)")
	} else {
		fact("event", v.Event)
		fact("created", v.Created)
		fact("available", v.Available.String())
	}
	fact("publish", publishText(v.Publish))
	fact("ttl", ttlText(v.TTL))
	metaFacts(fact, v.Meta)
}

// outputTable lists the features of a service or model: their types, where they come from, and by which key columns.
func outputTable(uses []registry.ServiceUse, outputs []fstore.FeatureOutput, d *fstore.Description) *table {
	t := newTable("FEATURE", "TYPE", "VIEW", "FEATURE IN VIEW", "KEYS")
	for i, o := range outputs {
		use, typ := uses[o.Use], ""
		if d != nil {
			typ = d.Features[i].Type.String()
		}
		keys := make([]string, len(use.Keys))
		for j, k := range use.Keys {
			keys[j] = k.Column
		}
		t.row(o.Name, orDash(typ), use.View.String(), o.Feature, orDash(strings.Join(keys, ", ")))
	}
	return t
}

func (a *app) printFeatures(s shown) error {
	var t *table
	switch {
	case s.View != nil:
		t = newTable("FEATURE", "TYPE", "DEFAULT", "DESCRIPTION")
		for _, f := range s.View.View.Features {
			value := "-"
			if f.Default != nil {
				value = cell(&f.Default.Column, 0)
			}
			t.row(f.Name, f.Type.String(), value, f.Description)
		}
	case s.Service != nil:
		t = outputTable(s.Service.Uses, s.Service.Outputs, s.Interface)
	default:
		return nil
	}
	fmt.Fprintln(a.stdout)
	if err := t.print(a.stdout); err != nil {
		return err
	}
	if s.View != nil && s.View.View.SQL != "" {
		fmt.Fprintf(a.stdout, "\n-- %s\n%s\n", s.View.View.SQLFile, strings.TrimSpace(s.View.View.SQL))
	}
	return nil
}
