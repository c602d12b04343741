package project

import (
	"context"
	"slices"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

// shown is what promotion needs of an online store.
type shown interface {
	Pointers(ctx context.Context, refs []fstore.ViewRef) (map[fstore.ViewRef]fstore.Pointer, error)
	Replicated(ctx context.Context) (warning string, err error)
}

func (p *Project) promote(ctx context.Context, db *registry.Store) ([]registry.Promotion, error) {
	rev, err := db.Revision(ctx, p.Settings.Project)
	if err != nil {
		return nil, err
	}
	store, err := p.openedStore()
	if err != nil {
		return nil, unread{err}
	}
	return p.promoteShown(ctx, db, rev, store)
}

// promoteShown promotes what the store shows. Readers depend on a promotion, and nothing takes it back: so it waits for a
// replica, then looks again. A store that failed over meanwhile may have lost the publication.
func (p *Project) promoteShown(ctx context.Context, db *registry.Store, rev *registry.Revision, store shown) ([]registry.Promotion, error) {
	published, err := publishedInstants(ctx, rev, store)
	if err != nil {
		return nil, unread{err}
	}
	due := rev.Promotions(published)
	if len(due) == 0 {
		return nil, nil
	}
	switch warning, err := store.Replicated(ctx); {
	case err != nil:
		p.warn("cannot tell whether a replica has what is promoted: %v", err)
	case warning != "":
		p.warn("%s: a failover now would lose what is promoted", warning)
	}
	if published, err = publishedInstants(ctx, rev, store); err != nil {
		return nil, unread{err}
	}
	promoted, err := db.Promote(ctx, p.Settings.Project, published, p.now())
	if err != nil {
		return nil, err
	}
	return promoted, lostMeanwhile(due, rev.Promotions(published))
}

// lostMeanwhile returns an error that names what was to be promoted and cannot be any longer.
func lostMeanwhile(due, still []registry.Promotion) error {
	var lost []string
	for _, d := range due {
		if !slices.Contains(still, d) {
			lost = append(lost, fstore.ViewRef{Name: d.Name, Version: d.To}.String())
		}
	}
	if lost == nil {
		return nil
	}
	return fstore.Errorf(fstore.ErrConflict, "%s cannot serve yet: the online store went back in time and no longer shows what was published",
		strings.Join(lost, ", ")).WithHint("run fstore materialize")
}

// publishedInstants returns the published instant of each live view version. It omits versions that are not
// published, and versions that another registry published under the same name.
func publishedInstants(ctx context.Context, rev *registry.Revision, store shown) (map[fstore.ViewRef]time.Time, error) {
	live := rev.Live()
	pointers, err := livePointers(ctx, live, store)
	if err != nil {
		return nil, err
	}
	published := make(map[fstore.ViewRef]time.Time, len(pointers))
	for _, v := range live {
		if pointer := pointers[v.Ref]; pointer.Serves(v) {
			published[v.Ref] = pointer.Published
		}
	}
	return published, nil
}

// livePointers reads the pointers of view versions in one round trip. It omits versions without a pointer.
func livePointers(ctx context.Context, live []*fstore.ViewVersion, store shown) (map[fstore.ViewRef]fstore.Pointer, error) {
	refs := make([]fstore.ViewRef, len(live))
	for i, v := range live {
		refs[i] = v.Ref
	}
	return store.Pointers(ctx, refs)
}
