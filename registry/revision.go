package registry

import (
	"context"
	"maps"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/record"
)

// Revision is a project at one revision, with every name resolved. It never changes and may be shared.
type Revision struct {
	Project string
	Number  int64 // 0 before the first apply; rises with every apply, promotion and change of a model

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

// Revision reads the project as it is now. A project that was never applied is empty.
func (r *Store) Revision(ctx context.Context, project string) (*Revision, error) {
	return readRevision(ctx, project, func(ctx context.Context, do func(record.Tx) error) error {
		return r.backend.Read(ctx, project, do)
	})
}

func readRevision(ctx context.Context, project string, read func(context.Context, func(record.Tx) error) error) (*Revision, error) {
	rev := &Revision{Project: project}
	err := read(ctx, func(tx record.Tx) (err error) {
		rev.state, err = readState(ctx, tx)
		return err
	})
	if err != nil {
		return nil, wrap("read registry", err)
	}
	rev.Number = rev.state.revision
	rev.head, rev.serving = rev.lists(rev.state.head[KindService]), rev.lists(rev.state.serving[KindService])
	return rev, nil
}

// lists resolves versions of services.
func (rev *Revision) lists(versions map[string]int) map[string]*fstore.FeatureList {
	out := make(map[string]*fstore.FeatureList, len(versions))
	for name, version := range versions {
		list := rev.list(fstore.ViewRef{Name: name, Version: version})
		if head := rev.state.headServices[name]; head != nil {
			list.MaxStaleness = head.Service.MaxStaleness
		}
		out[name] = list
	}
	return out
}

// list resolves a service version that is there.
func (rev *Revision) list(ref fstore.ViewRef) *fstore.FeatureList {
	return rev.state.serviceList(rev.state.services[ref])
}

// Entities returns the entities of head, by name.
func (rev *Revision) Entities() []fstore.Entity { return byName(rev.state.entities) }

// Sources returns the sources of head, by name.
func (rev *Revision) Sources() []fstore.Source { return byName(rev.state.sources) }

func byName[V any](m map[string]V) []V {
	out := make([]V, 0, len(m))
	for _, name := range sortedKeys(m) {
		out = append(out, m[name])
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Views returns the views of head, by name, as the definitions write them now.
func (rev *Revision) Views() []ViewStatus {
	var out []ViewStatus
	for _, name := range sortedKeys(rev.state.headViews) {
		out = append(out, ViewStatus{*rev.state.headViews[name], rev.state.serving[KindView][name]})
	}
	return out
}

// OnDemandStatus is an on-demand view of head and what its name answers with.
type OnDemandStatus struct {
	fstore.OnDemandVersion
	Serving int `json:"serving"` // 0: nothing yet
}

// OnDemand returns the on-demand views of head, by name, as the definitions write them now.
func (rev *Revision) OnDemand() []OnDemandStatus {
	var out []OnDemandStatus
	for _, name := range sortedKeys(rev.state.headOnDemand) {
		out = append(out, OnDemandStatus{*rev.state.headOnDemand[name], rev.state.serving[KindOnDemand][name]})
	}
	return out
}

// Services returns the services of head, by name.
func (rev *Revision) Services() []ServiceStatus {
	var out []ServiceStatus
	for _, name := range sortedKeys(rev.state.headServices) {
		out = append(out, ServiceStatus{*rev.state.headServices[name], rev.state.serving[KindService][name]})
	}
	return out
}

// View returns a version of a view, head's for version 0; nil if there is none.
func (rev *Revision) View(ref fstore.ViewRef) *fstore.ViewVersion {
	if ref.Version == 0 {
		ref.Version = rev.state.head[KindView][ref.Name]
	}
	return rev.state.views[ref]
}

// OnDemandView returns a version of an on-demand view, head's for version 0; nil if there is none.
func (rev *Revision) OnDemandView(ref fstore.ViewRef) *fstore.OnDemandVersion {
	if ref.Version == 0 {
		ref.Version = rev.state.head[KindOnDemand][ref.Name]
	}
	return rev.state.onDemand[ref]
}

// Versions returns all versions of a view, the newest first, including those that head no longer has.
func (rev *Revision) Versions(name string) []*fstore.ViewVersion {
	return newest(rev.state.views, name)
}

// OnDemandVersions returns all versions of an on-demand view likewise.
func (rev *Revision) OnDemandVersions(name string) []*fstore.OnDemandVersion {
	return newest(rev.state.onDemand, name)
}

func newest[V any](stored map[fstore.ViewRef]V, name string) (out []V) {
	for _, ref := range versionsOf(stored, name, 0) {
		out = append(out, stored[ref])
	}
	return out
}

// Live returns the view versions that the online store must hold, by name and version: those that head or a serving
// version of a view or service uses, and those pinned to models.
func (rev *Revision) Live() []*fstore.ViewVersion {
	var out []*fstore.ViewVersion
	for _, ref := range slices.SortedFunc(maps.Keys(rev.state.live()), fstore.ViewRef.Compare) {
		v := rev.state.views[ref]
		if v.View.Offline { // online: false is not part of a version, and head may have changed it
			online := *v
			online.View.Offline = false
			v = &online
		}
		out = append(out, v)
	}
	return out
}

// ServiceVersion resolves a version of a service, head's for version 0. The error is ErrNotFound.
func (rev *Revision) ServiceVersion(ref fstore.ViewRef) (*fstore.FeatureList, error) {
	if ref.Version == 0 {
		return rev.HeadService(ref.Name)
	}
	if rev.state.services[ref] == nil {
		return nil, fstore.Errorf(fstore.ErrNotFound, "there is no feature_service %s", ref).WithHint("run fstore show service/%s", ref.Name)
	}
	return rev.list(ref), nil
}

// HeadService resolves a service as head defines it: for training. The error is ErrNotFound.
func (rev *Revision) HeadService(name string) (*fstore.FeatureList, error) {
	if list := rev.head[name]; list != nil {
		return list, nil
	}
	return nil, rev.noService(name)
}

// ServingService resolves a service to the version that answers requests. The error is ErrNotFound for a name that head
// does not have, and ErrNotReady while its data is not published.
func (rev *Revision) ServingService(name string) (*fstore.FeatureList, error) {
	if list := rev.serving[name]; list != nil {
		return list, nil
	}
	if rev.head[name] == nil {
		return nil, rev.noService(name)
	}
	return nil, fstore.Errorf(fstore.ErrNotReady, "feature_service %s is not served yet: not all of its views are published", name).WithHint("run fstore materialize")
}

func (rev *Revision) noService(name string) error {
	return fstore.Errorf(fstore.ErrNotFound, "there is no feature_service %q", name).WithHint("%s", orElse(fstore.DidYouMean(name, sortedKeys(rev.head)), "run fstore apply"))
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
