package registry

import (
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// named is a version of a view or of an on-demand view.
type named struct {
	ref      fstore.ViewRef
	kind     Kind
	features []fstore.Feature
}

// version returns a version of a view or of an on-demand view.
func (s *state) version(ref fstore.ViewRef) (named, bool) {
	if v := s.views[ref]; v != nil {
		return named{ref, KindView, v.View.Features}, true
	}
	if v := s.onDemand[ref]; v != nil {
		return named{ref, KindOnDemand, v.View.Features}, true
	}
	return named{}, false
}

// HeadFeatures resolves features by name for training: view.feature, view.*, view.feature=output and view@2.feature.
// A name without a version means head's. The error is ErrInvalid or ErrNotFound.
func (rev *Revision) HeadFeatures(refs []string) (*fstore.FeatureList, error) {
	return rev.features(refs, rev.inHead)
}

// inHead returns head's version of a view or an on-demand view.
func (rev *Revision) inHead(name string) (named, error) {
	for _, kind := range []Kind{KindView, KindOnDemand} {
		if version := rev.state.head[kind][name]; version > 0 {
			v, _ := rev.state.version(fstore.ViewRef{Name: name, Version: version})
			return v, nil
		}
	}
	names := append(sortedKeys(rev.state.headViews), sortedKeys(rev.state.headOnDemand)...)
	return named{}, fstore.Errorf(fstore.ErrNotFound, "there is no %s %q", KindView, name).WithHint("%s", orElse(fstore.DidYouMean(name, names), "run fstore apply"))
}

// ServingFeatures resolves features for requests. A name without a version means the version that serves. The error is
// ErrNotFound for what head does not have, and ErrNotReady for what head has and the serving version lacks.
func (rev *Revision) ServingFeatures(refs []string) (*fstore.FeatureList, error) {
	return rev.features(refs, func(name string) (named, error) {
		head, err := rev.inHead(name)
		if err != nil {
			return head, err
		}
		version := rev.state.serving[head.kind][name]
		switch {
		case head.kind == KindView && rev.state.headViews[name].View.Offline:
			return head, fstore.Errorf(fstore.ErrInvalid, "feature_view %s has online: false", name).WithHint("it is for other views to read")
		case version == 0 && head.kind == KindOnDemand:
			return head, fstore.Errorf(fstore.ErrNotReady, "on_demand_view %s is not served yet: not all views that it reads are published", name).
				WithHint("run fstore materialize")
		case version == 0:
			return head, fstore.Errorf(fstore.ErrNotReady, "feature_view %s is not served yet", name).WithHint("run fstore materialize %s", name)
		}
		v, _ := rev.state.version(fstore.ViewRef{Name: name, Version: version})
		return v, nil
	})
}

func (rev *Revision) features(refs []string, current func(string) (named, error)) (*fstore.FeatureList, error) {
	if len(refs) == 0 {
		return nil, fstore.Errorf(fstore.ErrInvalid, "no features are named").WithHint("view.feature, view.* or view@2.feature")
	}
	list := &fstore.FeatureList{}
	names := map[string]string{}
	for _, ref := range refs {
		v, features, as, err := rev.feature(ref, current)
		if err != nil {
			return nil, err
		}
		output := rev.include(list, v)
		for _, feature := range features {
			full, name := v.ref.String()+"."+feature, orElse(as, feature)
			if first, clash := names[name]; clash {
				return nil, fstore.Errorf(fstore.ErrInvalid, "two features are named %s: %s and %s", name, first, full).
					WithHint("%s.%s=%s_%s", v.ref.Name, feature, v.ref.Name, feature)
			}
			names[name] = full
			list.Outputs = append(list.Outputs, output(name, feature))
		}
	}
	return list, checkSent(list, names)
}

// include adds a version to a list, with what it reads. It returns what makes outputs of it.
func (rev *Revision) include(list *fstore.FeatureList, v named) func(as, feature string) fstore.Output {
	if v.kind == KindView {
		view := rev.state.views[v.ref]
		use := includeUse(list, fstore.ViewUse{Version: view, Keys: ownKeys(&view.View)})
		return func(as, feature string) fstore.Output {
			return fstore.FeatureOutput{As: as, Use: use, Feature: feature}
		}
	}
	behind := rev.state.reach(v.ref)
	for _, use := range rev.state.viewUses(behind.uses) {
		includeUse(list, use)
	}
	for _, read := range behind.onDemand {
		if list.OnDemandVersion(read.Ref) == nil {
			list.OnDemand = append(list.OnDemand, read)
		}
	}
	at := slices.IndexFunc(list.OnDemand, func(o *fstore.OnDemandVersion) bool { return o.Ref == v.ref })
	return func(as, feature string) fstore.Output {
		return fstore.OnDemandOutput{As: as, OnDemand: at, Feature: feature}
	}
}

// includeUse adds a look-up to a list unless it is there, and returns its index.
func includeUse(list *fstore.FeatureList, use fstore.ViewUse) int {
	if i := list.Use(use.Version.Ref, use.Keys); i >= 0 {
		return i
	}
	list.Uses = append(list.Uses, use)
	return len(list.Uses) - 1
}

// feature resolves one reference to a version and the names of its features.
func (rev *Revision) feature(ref string, current func(string) (named, error)) (v named, features []string, as string, err error) {
	parsed, feature, as, err := parseReference(ref)
	if err != nil {
		return v, nil, "", err
	}
	if parsed.Version > 0 {
		var ok bool
		if v, ok = rev.state.version(parsed); !ok {
			return v, nil, "", fstore.Errorf(fstore.ErrNotFound, "there is no %s %s", rev.kindOf(parsed.Name), parsed).WithHint("run fstore show %s", parsed.Name)
		}
	} else if v, err = current(parsed.Name); err != nil {
		return v, nil, "", err
	}
	if feature == "*" {
		return v, rev.declared(v), "", nil
	}
	if !hasFeature(v.features, feature) {
		return v, nil, "", rev.noFeature(v, feature)
	}
	return v, []string{feature}, as, nil
}

// kindOf returns the kind that a name of a view has in head.
func (rev *Revision) kindOf(name string) Kind {
	if rev.state.headOnDemand[name] != nil {
		return KindOnDemand
	}
	return KindView
}

func hasFeature(features []fstore.Feature, name string) bool {
	return slices.ContainsFunc(features, func(f fstore.Feature) bool { return f.Name == name })
}

// CheckReference returns ErrInvalid unless a text has the form of a reference to features: view.feature, view.*,
// view.feature=output or view@2.feature.
func CheckReference(ref string) error {
	_, _, _, err := parseReference(ref)
	return err
}

func parseReference(ref string) (view fstore.ViewRef, feature, as string, err error) {
	bad := fstore.Errorf(fstore.ErrInvalid, "%q is not a reference to a feature", ref).
		WithHint("view.feature, view.*, view.feature=name or view@2.feature")
	path, as, renamed := strings.Cut(ref, "=")
	name, feature, found := strings.Cut(path, ".")
	if !found || feature == "" || renamed && (feature == "*" || fstore.CheckName(as) != nil) {
		return view, "", "", bad
	}
	if view, err = fstore.ParseRef(name); err != nil {
		return view, "", "", bad
	}
	return view, feature, as, nil
}

// declared returns the names of a version's features, for head's version in the order that head declares.
func (rev *Revision) declared(v named) []string {
	if head, ok := rev.state.headNamed(v.ref.Name); ok && head.ref == v.ref {
		v = head
	}
	names := make([]string, len(v.features))
	for i, f := range v.features {
		names[i] = f.Name
	}
	return names
}

// headNamed returns a view or an on-demand view as head declares it.
func (s *state) headNamed(name string) (named, bool) {
	if v := s.headViews[name]; v != nil {
		return named{v.Ref, KindView, v.View.Features}, true
	}
	if v := s.headOnDemand[name]; v != nil {
		return named{v.Ref, KindOnDemand, v.View.Features}, true
	}
	return named{}, false
}

func (rev *Revision) noFeature(v named, feature string) error {
	if head, ok := rev.state.headNamed(v.ref.Name); ok && head.ref != v.ref && hasFeature(head.features, feature) {
		e := fstore.Errorf(fstore.ErrNotReady, "%s.%s comes with %s, which is not served yet", v.ref.Name, feature, head.ref)
		if head.kind == KindOnDemand {
			return e.WithHint("run fstore materialize")
		}
		return e.WithHint("run fstore materialize %s", v.ref.Name)
	}
	e := fstore.Errorf(fstore.ErrNotFound, "%s %s has no feature %q", v.kind, v.ref, feature)
	if hint := (&fstore.View{Name: v.ref.Name, Features: v.features}).FeatureHint(feature); hint != "" {
		e = e.WithHint("%s", hint)
	}
	return e
}

// ownKeys returns the keys of a view, each in the column of its own name.
func ownKeys(v *fstore.View) []fstore.KeyBinding {
	out := make([]fstore.KeyBinding, len(v.Keys))
	for i, k := range v.Keys {
		out[i] = fstore.KeyBinding{Key: k, Column: k.Name}
	}
	return out
}
