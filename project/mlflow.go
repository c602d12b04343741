package project

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/mlflow"
)

// IsModelURI reports whether a text is the URI of a model in MLflow, such as models:/fraud/7.
func IsModelURI(text string) bool { return mlflow.IsURI(text) }

// mlflow returns a client of the MLflow server that the environment names.
func (p *Project) mlflow() (*mlflow.Client, error) {
	return mlflow.New(mlflow.Options{Lookup: p.options.Lookup, Secret: p.options.Secret})
}

// PinURI pins features to the version that MLflow has under a URI, and tags that version with what it is pinned to. The
// request's Model is ignored. The pin comes first: if tagging fails, the pin stands, and the error says so. PinURI is
// idempotent.
func (p *Project) PinURI(ctx context.Context, uri string, r PinRequest) (*Pinned, error) {
	u, err := mlflow.ParseURI(uri)
	if err != nil {
		return nil, err
	}
	if err := fstore.CheckModelName(u.Name); err != nil {
		return nil, fmt.Errorf("%s: %w", uri, err)
	}
	client, err := p.mlflow()
	if err != nil {
		return nil, err
	}
	v, err := client.Version(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", uri, err)
	}
	r.Model = fstore.ModelRef{Name: v.Name, Version: v.Version}
	pinned, err := p.Pin(ctx, r)
	if err != nil {
		return nil, err
	}
	if _, err := writeTags(ctx, client, v, pinned.Tags); err != nil {
		message, hints := fstore.Explain(err)
		return nil, fstore.Errorf(err, "model %s is pinned, but not tagged in MLflow: %s", r.Model, message).
			WithHint("%s", strings.Join(append(hints, "the pin stands; run the same command again to tag the version"), "; "))
	}
	return pinned, nil
}

// TagChange is a tag of a version in MLflow that is not as the registry says. Empty means that there is none.
type TagChange struct {
	Tag    string `json:"tag"`
	MLflow string `json:"mlflow,omitempty"`
	Is     string `json:"registry,omitempty"`
}

// tagChanges compares the tags of fstore on a version with those that it should have.
func tagChanges(v *mlflow.Version, want map[string]string) []TagChange {
	var out []TagChange
	for _, key := range tagKeys {
		if v.Tags[key] != want[key] {
			out = append(out, TagChange{key, v.Tags[key], want[key]})
		}
	}
	return out
}

// writeTags makes the tags of fstore on a version what they should be, and returns what it changed.
func writeTags(ctx context.Context, client *mlflow.Client, v *mlflow.Version, want map[string]string) ([]TagChange, error) {
	changes := tagChanges(v, want)
	for _, c := range changes {
		var err error
		if c.Is == "" {
			err = client.DeleteTag(ctx, v, c.Tag)
		} else {
			err = client.SetTag(ctx, v, c.Tag, c.Is)
		}
		if err != nil {
			return nil, fmt.Errorf("tag %s of models:/%s/%s: %w", c.Tag, v.Name, v.Version, err)
		}
	}
	return changes, nil
}

// SyncRequest says what to bring over from MLflow.
type SyncRequest struct {
	Models []string // none: every model that has a pin
	DryRun bool     // change nothing
	Prune  bool     // remove aliases that MLflow does not have
}

// Synced is what a sync did or, of a dry run, would do.
type Synced struct {
	Server string        `json:"server"`
	DryRun bool          `json:"dry_run,omitempty"`
	Models []SyncedModel `json:"models"`
}

// SyncedModel is a model in MLflow and in the registry.
type SyncedModel struct {
	Name     string          `json:"model_name"`
	Unknown  bool            `json:"not_in_mlflow,omitempty"` // nothing was compared
	Aliases  []SyncedAlias   `json:"aliases"`                 // by name
	Versions []SyncedVersion `json:"versions"`                // those pinned, in their order, then those that MLflow has beside them
}

// AliasState says how an alias in MLflow and one in the registry relate.
type AliasState string

// The states.
const (
	AliasSame      AliasState = "same"
	AliasMoved     AliasState = "moved"       // to MLflow's version
	AliasNotPinned AliasState = "not_pinned"  // MLflow's version has no pin, so the alias stays as it was
	AliasRefused   AliasState = "refused"     // the registry cannot have an alias of this name
	AliasOnlyHere  AliasState = "only_fstore" // MLflow has no such alias
	AliasRemoved   AliasState = "removed"     // MLflow has no such alias, and it was pruned
)

// SyncedAlias is an alias and the versions that it stands for.
type SyncedAlias struct {
	Alias  string     `json:"alias"`
	MLflow string     `json:"mlflow,omitempty"` // empty: none
	Was    string     `json:"was,omitempty"`    // in the registry, before; empty: none
	State  AliasState `json:"state"`
	Why    string     `json:"why,omitempty"` // why it was refused
}

// VersionState says how a version in MLflow and one in the registry relate.
type VersionState string

// The states.
const (
	VersionSame      VersionState = "same"          // the tags are as the registry says
	VersionTagged    VersionState = "tagged"        // the tags were made so
	VersionNotPinned VersionState = "not_pinned"    // MLflow has the version, and no model is pinned to it
	VersionUntagged  VersionState = "untagged"      // no model is pinned to it, and tags that said so were deleted
	VersionElsewhere VersionState = "other_project" // the tags are of another project; they stay
	VersionOnlyHere  VersionState = "only_fstore"   // MLflow does not have the version
)

// SyncedVersion is a version of a model.
type SyncedVersion struct {
	Version string       `json:"version"`
	State   VersionState `json:"state"`
	Tags    []TagChange  `json:"tags,omitempty"` // that differed
}

// Changed reports whether anything was changed or, in a dry run, would be.
func (s *Synced) Changed() bool {
	return s.any(func(a AliasState) bool { return a == AliasMoved || a == AliasRemoved },
		func(v VersionState) bool { return v == VersionTagged || v == VersionUntagged })
}

// Differs reports whether MLflow and the registry disagree, or did before the sync.
func (s *Synced) Differs() bool {
	return slices.ContainsFunc(s.Models, func(m SyncedModel) bool { return m.Unknown }) ||
		s.any(func(a AliasState) bool { return a != AliasSame },
			func(v VersionState) bool { return v != VersionSame && v != VersionNotPinned })
}

func (s *Synced) any(alias func(AliasState) bool, version func(VersionState) bool) bool {
	return slices.ContainsFunc(s.Models, func(m SyncedModel) bool {
		return slices.ContainsFunc(m.Aliases, func(a SyncedAlias) bool { return alias(a.State) }) ||
			slices.ContainsFunc(m.Versions, func(v SyncedVersion) bool { return version(v.State) })
	})
}

// Sync brings the aliases of models over from MLflow, and makes the tags of their versions there what the registry says.
// An alias for a version that is not pinned stays as it was.
func (p *Project) Sync(ctx context.Context, r SyncRequest) (*Synced, error) {
	client, err := p.mlflow()
	if err != nil {
		return nil, err
	}
	pinned, err := p.pinnedModels(ctx)
	if err != nil {
		return nil, err
	}
	names := r.Models
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(pinned))
	}
	out := &Synced{Server: client.Server(), DryRun: r.DryRun, Models: []SyncedModel{}}
	for _, name := range names {
		name = strings.TrimPrefix(name, "models:/")
		if err := fstore.CheckModelName(name); err != nil {
			return nil, usage(err)
		}
		s := &modelSync{p: p, client: client, r: r, pinned: pinned[name], out: SyncedModel{Name: name, Aliases: []SyncedAlias{}, Versions: []SyncedVersion{}}}
		if err := s.run(ctx); err != nil {
			return nil, fmt.Errorf("model %s: %w", name, err)
		}
		out.Models = append(out.Models, s.out)
	}
	return out, nil
}

// pinnedModels returns the pinned versions with their tags, by the model's name.
func (p *Project) pinnedModels(ctx context.Context) (map[string][]*Model, error) {
	db, rev, err := p.openRevision(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	out := map[string][]*Model{}
	for _, m := range rev.Models() {
		tags, err := p.tags(ctx, db, rev, m)
		if err != nil {
			return nil, err
		}
		out[m.Ref.Name] = append(out[m.Ref.Name], &Model{ModelVersion: m, Tags: tags})
	}
	return out, nil
}
