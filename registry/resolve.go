package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// HeadFeatures resolves features by name for training: view.feature, view.*, view.feature=output and view@2.feature.
// A name without a version means head's. The error is ErrInvalid or ErrNotFound.
func (rev *Revision) HeadFeatures(refs []string) (*fstore.FeatureList, error) {
	return rev.features(refs, func(name string) (*fstore.ViewVersion, error) {
		head := rev.state.headViews[name]
		if head == nil {
			return nil, rev.noView(name)
		}
		return rev.state.views[head.Ref], nil
	})
}

// ServingFeatures resolves features for requests. A name without a version means the version that serves. The error is
// ErrNotFound for what head does not have, and ErrNotReady for what head has and the serving version lacks.
func (rev *Revision) ServingFeatures(refs []string) (*fstore.FeatureList, error) {
	return rev.features(refs, func(name string) (*fstore.ViewVersion, error) {
		head := rev.state.headViews[name]
		switch version := rev.state.serving[KindView][name]; {
		case head == nil:
			return nil, rev.noView(name)
		case head.View.Offline:
			return nil, fstore.Errorf(fstore.ErrInvalid, "feature_view %s has online: false", name).WithHint("it is for other views to read")
		case version == 0:
			return nil, fstore.Errorf(fstore.ErrNotReady, "feature_view %s is not served yet", name).WithHint("run fstore materialize %s", name)
		default:
			return rev.state.views[fstore.ViewRef{Name: name, Version: version}], nil
		}
	})
}

func (rev *Revision) noView(name string) error {
	return fstore.Errorf(fstore.ErrNotFound, "there is no feature_view %q", name).
		WithHint("%s", orElse(fstore.DidYouMean(name, sortedKeys(rev.state.headViews)), "run fstore apply"))
}

func (rev *Revision) features(refs []string, current func(string) (*fstore.ViewVersion, error)) (*fstore.FeatureList, error) {
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
		use := slices.IndexFunc(list.Uses, func(u fstore.ViewUse) bool { return u.Version.Ref == v.Ref })
		if use < 0 {
			use = len(list.Uses)
			list.Uses = append(list.Uses, fstore.ViewUse{Version: v, Keys: ownKeys(&v.View)})
		}
		for _, feature := range features {
			full, name := v.Ref.String()+"."+feature, orElse(as, feature)
			if first, clash := names[name]; clash {
				return nil, fstore.Errorf(fstore.ErrInvalid, "two features are named %s: %s and %s", name, first, full).
					WithHint("%s.%s=%s_%s", v.Ref.Name, feature, v.Ref.Name, feature)
			}
			names[name] = full
			list.Outputs = append(list.Outputs, fstore.FeatureOutput{As: name, Use: use, Feature: feature})
		}
	}
	if err := checkKeyTypes(list); err != nil {
		return nil, err
	}
	for _, k := range list.KeyColumns() {
		if full, clash := names[k.Name]; clash {
			return nil, fstore.Errorf(fstore.ErrInvalid, "feature %s has the name of key column %s", full, k.Name).
				WithHint("%s=%s_value", full, k.Name)
		}
	}
	return list, nil
}

// feature resolves one reference to a view version and the names of its features.
func (rev *Revision) feature(ref string, current func(string) (*fstore.ViewVersion, error)) (*fstore.ViewVersion, []string, string, error) {
	parsed, feature, as, err := parseReference(ref)
	if err != nil {
		return nil, nil, "", err
	}
	var v *fstore.ViewVersion
	if parsed.Version > 0 {
		if v = rev.state.views[parsed]; v == nil {
			return nil, nil, "", fstore.Errorf(fstore.ErrNotFound, "there is no feature_view %s", parsed).WithHint("run fstore show %s", parsed.Name)
		}
	} else if v, err = current(parsed.Name); err != nil {
		return nil, nil, "", err
	}
	if feature == "*" {
		return v, rev.declared(v), "", nil
	}
	if v.View.Feature(feature) == nil {
		return nil, nil, "", rev.noFeature(v, feature)
	}
	return v, []string{feature}, as, nil
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
func (rev *Revision) declared(v *fstore.ViewVersion) []string {
	features := v.View.Features
	if head := rev.state.headViews[v.Ref.Name]; head != nil && head.Ref == v.Ref {
		features = head.View.Features
	}
	names := make([]string, len(features))
	for i, f := range features {
		names[i] = f.Name
	}
	return names
}

func (rev *Revision) noFeature(v *fstore.ViewVersion, feature string) error {
	if head := rev.state.headViews[v.Ref.Name]; head != nil && head.Ref != v.Ref && head.View.Feature(feature) != nil {
		return fstore.Errorf(fstore.ErrNotReady, "%s.%s comes with %s, which is not served yet", v.Ref.Name, feature, head.Ref).
			WithHint("run fstore materialize %s", v.Ref.Name)
	}
	e := fstore.Errorf(fstore.ErrNotFound, "feature_view %s has no feature %q", v.Ref, feature)
	if hint := v.View.FeatureHint(feature); hint != "" {
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

// keyColumn is a column that holds a key.
type keyColumn struct {
	typ  fstore.Type
	view string
}

// checkKeyTypes refuses a list in which one column would be keys of two types.
func checkKeyTypes(list *fstore.FeatureList) error {
	seen := map[string]keyColumn{}
	for _, u := range list.Uses {
		for _, k := range u.Keys {
			have, ok := seen[k.Column]
			if ok && have.typ != k.Key.Type {
				return fstore.Errorf(fstore.ErrInvalid, "column %s is the %s key of %s and the %s key of %s", k.Column, have.typ, have.view, k.Key.Type, u.Version.Ref).
					WithHint("%s", fmt.Sprintf("define a feature_service with keys: {%s: …}", k.Key.Name))
			}
			seen[k.Column] = keyColumn{k.Key.Type, u.Version.Ref.String()}
		}
	}
	return nil
}
