package materialize

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// Collect deletes what Survey found. It deletes each thing under the lease of its view version, and only if it still
// is garbage then, so that no run works on it. It returns what it deleted, and what it left and why.
//
// The order makes it safe to stop anywhere, and safe for readers. First the headers lose their fingerprint and get a
// token that no run has, so that no run continues their generations. Then the pointer goes, so that look-ups are
// refused and never find half of the records. Then the fences go, so that nobody reads or writes the records, then the
// records, and finally the headers. The next collection finds what a stopped one has left.
func Collect(ctx context.Context, o CollectOptions, found *Garbage) (*Garbage, error) {
	c, err := newCollector(ctx, &o)
	if err != nil {
		return nil, err
	}
	c.garbage.Kept = append(c.garbage.Kept, found.Kept...)
	dead := map[fstore.Generation]fstore.ViewRef{}
	var condemned []Waste
	for from := 0; from < len(found.Items); {
		to := from + 1
		for to < len(found.Items) && found.Items[to].View == found.Items[from].View && found.Items[from].Kind != OrphanRecords {
			to++
		}
		items, err := c.condemn(ctx, found.Items[from:to])
		if err != nil {
			return nil, err
		}
		condemned = append(condemned, items...)
		from = to
	}
	for _, w := range condemned {
		if w.Generation != "" {
			dead[w.Generation] = w.View
		}
	}
	if err := c.sweep(ctx, condemned, dead); err != nil {
		return nil, err
	}
	return c.garbage, nil
}

// condemn takes the garbage of one view version out of use, under its lease, and returns it.
func (c *collector) condemn(ctx context.Context, items []Waste) ([]Waste, error) {
	ref := items[0].View
	if items[0].Kind == OrphanRecords {
		return items, nil
	}
	token, err := c.o.Leases.Acquire(ctx, ref, c.o.LeaseTTL, c.o.Clock.Now())
	if errors.Is(err, fstore.ErrConflict) {
		c.keep(ref, "", "a run is under way: %s", strings.TrimPrefix(fstore.MessageOf(err), "lease "+ref.String()+": "))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out, err := c.condemnHeld(ctx, items, token)
	return out, errors.Join(err, c.o.Leases.Release(context.WithoutCancel(ctx), ref, token))
}

func (c *collector) condemnHeld(ctx context.Context, items []Waste, token string) ([]Waste, error) {
	if items[0].Kind == LeftOver {
		return c.condemnLeftOvers(ctx, items, token)
	}
	ref := items[0].View
	pointer, err := c.pointer(ctx, ref)
	if err != nil {
		return nil, err
	}
	headers := map[fstore.Generation]*fstore.Header{}
	for _, w := range items {
		if headers[w.Generation], err = c.header(ctx, ref, w.Generation); err != nil {
			return nil, err
		}
	}
	// Confirming the lease after reading proves that nobody has changed what was read. Each header must still be the
	// one that was read. So a collection that slept past its lease takes nothing from a later run.
	if err := c.confirm(ctx, ref, token); err != nil {
		return nil, err
	}
	if err := c.readLives(ctx); err != nil {
		return nil, err
	}
	if life := c.lives[ref]; life.Live || !life.due(c.o) {
		c.keep(ref, "", "live again")
		return nil, nil
	}
	for _, w := range items {
		if err := c.disown(ctx, headers[w.Generation], token); err != nil {
			return nil, err
		}
	}
	if pointer != nil && (*pointer == "" || slices.ContainsFunc(items, func(w Waste) bool { return w.Generation == *pointer })) {
		if err := c.o.Storage.Unpublish(ctx, ref, *pointer); err != nil {
			return nil, err
		}
	}
	if err := c.confirm(ctx, ref, token); err != nil {
		return nil, err
	}
	dir, err := stateFolder(c.o.State, ref)
	if err != nil {
		return nil, err
	}
	return items, os.RemoveAll(dir)
}

func (c *collector) condemnLeftOvers(ctx context.Context, items []Waste, token string) (out []Waste, err error) {
	for _, w := range items {
		why, err := c.leftOver(ctx, w.View, w.Generation)
		switch {
		case err != nil:
			return nil, err
		case why != "":
			c.keep(w.View, w.Generation, "%s", why)
			continue
		}
		h, err := c.header(ctx, w.View, w.Generation)
		if err != nil {
			return nil, err
		}
		if err := c.disown(ctx, h, token); err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

func (c *collector) confirm(ctx context.Context, ref fstore.ViewRef, token string) error {
	return c.o.Leases.Renew(ctx, ref, token, c.o.LeaseTTL, c.o.Clock.Now())
}

// pointer returns the generation that a pointer names: empty if the pointer cannot be read, nil if there is none.
func (c *collector) pointer(ctx context.Context, ref fstore.ViewRef) (*fstore.Generation, error) {
	p, ok, err := c.o.Storage.Pointer(ctx, ref)
	switch {
	case err == nil && p.Damaged != "":
		return new(fstore.Generation), nil
	case err != nil || !ok:
		return nil, err
	}
	return &p.Generation, nil
}

// header returns the header of a generation, or nil if there is none that can be read.
func (c *collector) header(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) (*fstore.Header, error) {
	if g == "" {
		return nil, nil
	}
	h, ok, err := c.o.Storage.Header(ctx, ref, g)
	if errors.Is(err, fstore.ErrCorrupt) || err == nil && !ok {
		return nil, nil
	}
	return &h, err
}

// disown makes sure that no run ever writes to a generation again. A generation whose header cannot be read needs
// nothing.
func (c *collector) disown(ctx context.Context, h *fstore.Header, token string) error {
	if h == nil {
		return nil
	}
	is := *h
	is.Token, is.Fingerprint = token, ""
	return c.o.Storage.SetHeader(ctx, h, is)
}

// sweep deletes the fences of dead generations, then their records, then their headers.
func (c *collector) sweep(ctx context.Context, condemned []Waste, dead map[fstore.Generation]fstore.ViewRef) error {
	dropped := map[fstore.Generation]int64{}
	for g, ref := range dead {
		if ref == (fstore.ViewRef{}) {
			continue
		}
		err := c.o.Storage.BuryFence(ctx, ref, g)
		if errors.Is(err, fstore.ErrConflict) {
			c.keep(ref, g, "%s", fstore.MessageOf(err))
			delete(dead, g)
			continue
		}
		if err != nil {
			return err
		}
	}
	if len(dead) > 0 {
		var err error
		if dropped, err = c.o.Storage.DropGenerations(ctx, dead, c.o.Progress); err != nil {
			return err
		}
	}
	for _, w := range condemned {
		if _, ok := dead[w.Generation]; !ok && w.Generation != "" {
			continue
		}
		if w.Generation != "" && w.Kind != OrphanRecords {
			err := c.o.Storage.BuryHeader(ctx, w.View, w.Generation)
			if errors.Is(err, fstore.ErrConflict) {
				c.keep(w.View, w.Generation, "a run changed its header concurrently: the next gc finds what is left")
				continue
			}
			if err != nil {
				return err
			}
		}
		w.Records = dropped[w.Generation]
		c.waste(w)
	}
	return nil
}
