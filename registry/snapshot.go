package registry

import (
	"context"
	"maps"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/record"
)

// Snapshot is one revision of a project, with every name resolved. It never changes and may be shared.
type Snapshot struct {
	Project  string
	Revision int64

	state   *state
	head    map[string]*fstore.FeatureList // by service
	serving map[string]*fstore.FeatureList
}

// ViewStatus is a view of head and what its name answers with.
type ViewStatus struct {
	fstore.ViewVersion
	Serving int `json:"serving"` // 0: nothing yet
}

// ServiceStatus is a service of head and what its name answers with.
type ServiceStatus struct {
	definition.ServiceVersion
	Serving int `json:"serving"`
}

// Snapshot reads the project as it is now. A project that was never applied is empty.
func (r *Store) Snapshot(ctx context.Context, project string) (*Snapshot, error) {
	return readSnapshot(ctx, project, func(ctx context.Context, do func(record.Tx) error) error {
		return r.backend.Read(ctx, project, do)
	})
}

func readSnapshot(ctx context.Context, project string, read func(context.Context, func(record.Tx) error) error) (*Snapshot, error) {
	s := &Snapshot{Project: project}
	err := read(ctx, func(tx record.Tx) (err error) {
		s.state, err = readState(ctx, tx)
		return err
	})
	if err != nil {
		return nil, wrap("read registry", err)
	}
	s.Revision = s.state.revision
	s.head, s.serving = s.lists(s.state.head[KindService]), s.lists(s.state.serving[KindService])
	return s, nil
}

// lists resolves versions of services.
func (s *Snapshot) lists(versions map[string]int) map[string]*fstore.FeatureList {
	out := make(map[string]*fstore.FeatureList, len(versions))
	for name, version := range versions {
		out[name] = s.list(fstore.ViewRef{Name: name, Version: version})
	}
	return out
}

// list resolves a service version that is there.
func (s *Snapshot) list(ref fstore.ViewRef) *fstore.FeatureList {
	v := s.state.services[ref]
	return &fstore.FeatureList{Service: ref, Uses: s.uses(v.Uses), Outputs: v.Outputs}
}

// uses resolves view versions.
func (s *Snapshot) uses(of []definition.ServiceUse) []fstore.ViewUse {
	var out []fstore.ViewUse
	for _, u := range of {
		out = append(out, fstore.ViewUse{Version: s.state.views[u.View], Keys: u.Keys})
	}
	return out
}

// Entities returns the entities of head, by name.
func (s *Snapshot) Entities() []fstore.Entity { return byName(s.state.entities) }

// Sources returns the sources of head, by name.
func (s *Snapshot) Sources() []fstore.Source { return byName(s.state.sources) }

func byName[V any](m map[string]V) []V {
	out := make([]V, 0, len(m))
	for _, name := range sortedKeys(m) {
		out = append(out, m[name])
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Views returns the views of head, by name, as the definitions write them now.
func (s *Snapshot) Views() []ViewStatus {
	var out []ViewStatus
	for _, name := range sortedKeys(s.state.headViews) {
		out = append(out, ViewStatus{*s.state.headViews[name], s.state.serving[KindView][name]})
	}
	return out
}

// Services returns the services of head, by name.
func (s *Snapshot) Services() []ServiceStatus {
	var out []ServiceStatus
	for _, name := range sortedKeys(s.state.headServices) {
		out = append(out, ServiceStatus{*s.state.headServices[name], s.state.serving[KindService][name]})
	}
	return out
}

// View returns a version of a view, head's for version 0; nil if there is none.
func (s *Snapshot) View(ref fstore.ViewRef) *fstore.ViewVersion {
	if ref.Version == 0 {
		ref.Version = s.state.head[KindView][ref.Name]
	}
	return s.state.views[ref]
}

// Versions returns all versions of a view, the newest first, those that left head included.
func (s *Snapshot) Versions(name string) []*fstore.ViewVersion {
	var out []*fstore.ViewVersion
	for ref, v := range s.state.views {
		if ref.Name == name {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b *fstore.ViewVersion) int { return b.Ref.Version - a.Ref.Version })
	return out
}

// Live returns the view versions that the online store has to hold, by name and version: those of head and those
// that serve, of views and of services, and those pinned to models.
func (s *Snapshot) Live() []*fstore.ViewVersion {
	var out []*fstore.ViewVersion
	for _, ref := range slices.SortedFunc(maps.Keys(s.state.live()), fstore.ViewRef.Compare) {
		v := s.state.views[ref]
		if v.View.Offline { // it was when the version was made, and has no say in what a version is
			online := *v
			online.View.Offline = false
			v = &online
		}
		out = append(out, v)
	}
	return out
}

// ServiceVersion resolves a version of a service, head's for version 0. The error is ErrNotFound.
func (s *Snapshot) ServiceVersion(ref fstore.ViewRef) (*fstore.FeatureList, error) {
	if ref.Version == 0 {
		return s.HeadService(ref.Name)
	}
	if s.state.services[ref] == nil {
		return nil, fstore.Errorf(fstore.ErrNotFound, "there is no feature_service %s", ref).WithHint("run fstore show service/%s", ref.Name)
	}
	return s.list(ref), nil
}

// HeadService resolves a service as head defines it: for training. The error is ErrNotFound.
func (s *Snapshot) HeadService(name string) (*fstore.FeatureList, error) {
	if list := s.head[name]; list != nil {
		return list, nil
	}
	return nil, s.noService(name)
}

// ServingService resolves a service to the version that answers requests. The error is ErrNotFound for a name
// that head does not have, and ErrNotReady for one whose data is not there yet.
func (s *Snapshot) ServingService(name string) (*fstore.FeatureList, error) {
	if list := s.serving[name]; list != nil {
		return list, nil
	}
	if s.head[name] == nil {
		return nil, s.noService(name)
	}
	return nil, fstore.Errorf(fstore.ErrNotReady, "feature_service %s is not served yet: not all of its views are published", name).WithHint("run fstore materialize")
}

func (s *Snapshot) noService(name string) error {
	return fstore.Errorf(fstore.ErrNotFound, "there is no feature_service %q", name).WithHint("%s", orElse(fstore.DidYouMean(name, sortedKeys(s.head)), "run fstore apply"))
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
