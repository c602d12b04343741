package project

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/mlflow"
)

// modelSync brings one model over.
type modelSync struct {
	p      *Project
	client *mlflow.Client
	r      SyncRequest
	pinned []*Model
	out    SyncedModel
}

func (s *modelSync) run(ctx context.Context) error {
	aliases, err := s.client.Aliases(ctx, s.out.Name)
	if errors.Is(err, fstore.ErrNotFound) && len(s.pinned) > 0 {
		s.out.Unknown = true
		return nil
	}
	if err != nil {
		return err
	}
	versions, err := s.client.Versions(ctx, s.out.Name)
	if err != nil {
		return err
	}
	if err := s.versions(ctx, versions); err != nil {
		return err
	}
	return s.aliases(ctx, aliases)
}

// versions compares the pinned versions with those of MLflow, and writes tags.
func (s *modelSync) versions(ctx context.Context, versions []*mlflow.Version) error {
	theirs := map[string]*mlflow.Version{}
	for _, v := range versions {
		theirs[v.Version] = v
	}
	for _, m := range s.pinned {
		out := SyncedVersion{Version: m.Ref.Version, State: VersionOnlyHere}
		if v := theirs[m.Ref.Version]; v != nil {
			var err error
			if out, err = s.tag(ctx, v, m.Tags, VersionTagged); err != nil {
				return err
			}
		}
		s.out.Versions = append(s.out.Versions, out)
	}
	slices.SortFunc(versions, func(a, b *mlflow.Version) int { // they are numbers
		return cmp.Or(cmp.Compare(len(a.Version), len(b.Version)), cmp.Compare(a.Version, b.Version))
	})
	for _, v := range versions {
		if s.isPinned(v.Version) {
			continue
		}
		out, err := s.tag(ctx, v, nil, VersionUntagged)
		if err != nil {
			return err
		}
		if out.State == VersionSame {
			out.State = VersionNotPinned
		}
		s.out.Versions = append(s.out.Versions, out)
	}
	return nil
}

// tag makes the tags of a version what they should be, unless they belong to another project. State is what to call it
// if they were not.
func (s *modelSync) tag(ctx context.Context, v *mlflow.Version, want map[string]string, state VersionState) (SyncedVersion, error) {
	out := SyncedVersion{Version: v.Version, State: VersionSame, Tags: tagChanges(v, want)}
	switch owner := v.Tags[tagProject]; {
	case len(out.Tags) == 0:
		return out, nil
	case owner != "" && owner != s.p.Settings.Project:
		out.State = VersionElsewhere
		return out, nil
	}
	out.State = state
	if s.r.DryRun {
		return out, nil
	}
	_, err := writeTags(ctx, s.client, v, want)
	return out, err
}

func (s *modelSync) isPinned(version string) bool {
	return slices.ContainsFunc(s.pinned, func(m *Model) bool { return m.Ref.Version == version })
}

// aliases brings MLflow's aliases over, and finds those that MLflow does not have.
func (s *modelSync) aliases(ctx context.Context, theirs map[string]string) error {
	ours := map[string]string{}
	for _, m := range s.pinned {
		for _, alias := range m.Aliases {
			ours[alias] = m.Ref.Version
		}
	}
	all := maps.Clone(ours)
	maps.Copy(all, theirs)
	for _, alias := range slices.Sorted(maps.Keys(all)) {
		out := SyncedAlias{Alias: alias, MLflow: theirs[alias], Was: ours[alias]}
		if err := s.alias(ctx, &out); err != nil {
			return err
		}
		s.out.Aliases = append(s.out.Aliases, out)
	}
	return nil
}

func (s *modelSync) alias(ctx context.Context, a *SyncedAlias) (err error) {
	refused := fstore.CheckModelAlias(a.Alias)
	if refused == nil && s.isPinned(a.Alias) {
		refused = fstore.Errorf(fstore.ErrConflict, "model %s has a version of this name", s.out.Name)
	}
	switch {
	case a.MLflow == a.Was:
		a.State = AliasSame
	case a.MLflow == "" && !s.r.Prune:
		a.State = AliasOnlyHere
	case a.MLflow == "":
		a.State = AliasRemoved
		if !s.r.DryRun {
			_, err = s.p.DropAlias(ctx, s.out.Name, a.Alias)
		}
	case refused != nil:
		a.State, a.Why = AliasRefused, fstore.MessageOf(refused)
	case !s.isPinned(a.MLflow):
		a.State = AliasNotPinned
	default:
		a.State = AliasMoved
		if !s.r.DryRun {
			_, err = s.p.AliasModel(ctx, s.out.Name, a.Alias, a.MLflow)
		}
	}
	return err
}
