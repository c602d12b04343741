package materialize

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// Life says whether a view version is live, and since when it is not.
type Life struct {
	Ref         fstore.ViewRef
	Fingerprint string
	Live        bool
	Idle        time.Time // since when it is not live; zero: unknown
}

// Storage is the part of an online store that collection needs.
type Storage interface {
	Pointer(ctx context.Context, ref fstore.ViewRef) (fstore.Pointer, bool, error)
	Header(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) (fstore.Header, bool, error)
	SetHeader(ctx context.Context, was *fstore.Header, is fstore.Header) error
	// Inventory scans the store: first records, then pointers, headers and fences.
	Inventory(ctx context.Context) (*fstore.Inventory, error)
	// Unpublish deletes the pointer of a view version if it names a generation, and returns ErrConflict if it names
	// another.
	Unpublish(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) error
	// BuryFence and BuryHeader delete the fence and the header of a generation, whatever they say. They return ErrConflict
	// if the pointer names the generation.
	BuryFence(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) error
	BuryHeader(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) error
	// DropGenerations deletes all records of generations without fences by a scan, and returns how many it deleted of each.
	// dead has their view versions, if known.
	DropGenerations(ctx context.Context, dead map[fstore.Generation]fstore.ViewRef, progress func(dropped int64)) (map[fstore.Generation]int64, error)
}

// CollectOptions are what Survey and Collect need.
type CollectOptions struct {
	Lives   func(ctx context.Context) ([]Life, error) // of every view version that the registry has, as of now
	Now     time.Time
	Grace   time.Duration // how long the data of a version stays after the version stops being live
	State   string        // folder of the project's state
	Storage Storage
	Leases  Leases
	Clock   Clock

	LeaseTTL time.Duration // default 1 minute
	Progress func(dropped int64)
}

// Garbage lists what can be deleted, and what must stay for now.
type Garbage struct {
	Items []Waste `json:"items"` // by view and generation
	Kept  []Kept  `json:"kept,omitempty"`
}

// Waste is something that can be deleted.
type Waste struct {
	Kind       WasteKind         `json:"kind"`
	View       fstore.ViewRef    `json:"view,omitzero"`
	Generation fstore.Generation `json:"generation,omitempty"`
	Records    int64             `json:"records"` // counted by the scan; after Collect: deleted
	Why        string            `json:"why"`
}

// WasteKind says what kind of thing can be deleted.
type WasteKind string

// The kinds of waste.
const (
	DeadVersion   WasteKind = "version"    // a view version that is not live: its pointer, generation and state
	DeadFolder    WasteKind = "state"      // the state folder of a version without data in the store
	LeftOver      WasteKind = "generation" // a generation of a live version that readers have left or never saw, and that no run will finish
	OrphanRecords WasteKind = "records"    // records of a generation without pointer and header
)

// Kept is something that stays although nothing live uses it.
type Kept struct {
	View       fstore.ViewRef    `json:"view"`
	Generation fstore.Generation `json:"generation,omitempty"`
	Why        string            `json:"why"`
}

// Survey looks for garbage. It changes nothing.
func Survey(ctx context.Context, o CollectOptions) (*Garbage, error) {
	c, err := newCollector(ctx, &o)
	if err != nil {
		return nil, err
	}
	if c.found, err = o.Storage.Inventory(ctx); err != nil {
		return nil, err
	}
	for _, ref := range c.refs() {
		if err := c.view(ctx, ref); err != nil {
			return nil, fmt.Errorf("look at %s: %w", ref, err)
		}
	}
	orphans := c.found.Orphans()
	for _, g := range slices.Sorted(maps.Keys(orphans)) {
		c.waste(Waste{Kind: OrphanRecords, Generation: g, Records: orphans[g], Why: "no header and no pointer names them"})
	}
	return c.garbage, nil
}

// collector examines one view version after another.
type collector struct {
	o       *CollectOptions
	lives   map[fstore.ViewRef]Life
	found   *fstore.Inventory
	garbage *Garbage
}

func newCollector(ctx context.Context, o *CollectOptions) (*collector, error) {
	if o.LeaseTTL == 0 {
		o.LeaseTTL = time.Minute
	}
	if o.Progress == nil {
		o.Progress = func(int64) {}
	}
	c := &collector{o: o, garbage: &Garbage{Items: []Waste{}}}
	return c, c.readLives(ctx)
}

func (c *collector) readLives(ctx context.Context) error {
	lives, err := c.o.Lives(ctx)
	c.lives = make(map[fstore.ViewRef]Life, len(lives))
	for _, l := range lives {
		c.lives[l.Ref] = l
	}
	return err
}

// refs returns every view version in the registry, the store or the state folder.
func (c *collector) refs() []fstore.ViewRef {
	all := map[fstore.ViewRef]bool{}
	for ref := range c.lives {
		all[ref] = true
	}
	for ref := range c.found.Pointers {
		all[ref] = true
	}
	for _, of := range []map[fstore.Generation]fstore.ViewRef{c.found.Headers, c.found.Fences} {
		for _, ref := range of {
			all[ref] = true
		}
	}
	entries, _ := os.ReadDir(c.o.State) // none if it cannot be read
	for _, e := range entries {
		if ref, err := fstore.ParseRef(e.Name()); err == nil && ref.Version > 0 {
			all[ref] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b fstore.ViewRef) int {
		if d := strings.Compare(a.Name, b.Name); d != 0 {
			return d
		}
		return a.Version - b.Version
	})
}

func (c *collector) waste(w Waste) { c.garbage.Items = append(c.garbage.Items, w) }

func (c *collector) keep(ref fstore.ViewRef, g fstore.Generation, format string, args ...any) {
	c.garbage.Kept = append(c.garbage.Kept, Kept{ref, g, fmt.Sprintf(format, args...)})
}

// generations returns the generations of a view version that have a header, fence or pointer in the store.
func (c *collector) generations(ref fstore.ViewRef) []fstore.Generation {
	var out []fstore.Generation
	for _, all := range []map[fstore.Generation]fstore.ViewRef{c.found.Headers, c.found.Fences} {
		for g, of := range all {
			if of == ref {
				out = append(out, g)
			}
		}
	}
	if g, ok := c.found.Pointers[ref]; ok && g != "" {
		out = append(out, g)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// view examines one view version.
func (c *collector) view(ctx context.Context, ref fstore.ViewRef) error {
	life, known := c.lives[ref]
	_, published := c.found.Pointers[ref]
	generations := c.generations(ref)
	dir, err := stateFolder(c.o.State, ref)
	if err != nil {
		c.keep(ref, "", "fstore gives no such name: %q", ref.Name)
		return nil //nolint:nilerr // keep records it
	}
	_, folder := os.Stat(dir)
	nothing := len(generations) == 0 && !published && folder != nil
	switch {
	case nothing:
		return nil
	case !known:
		c.keep(ref, "", "this registry has no such version, but another one may")
		return nil
	case life.Live:
		return c.liveView(ctx, ref, generations)
	case life.Idle.IsZero():
		c.keep(ref, "", "not live since an unknown time: the grace period begins with the first gc")
		return nil
	case !life.due(c.o):
		c.keep(ref, "", "not live since %s, within the grace period", fstore.FormatTime(life.Idle))
		return nil
	}
	read, err := readRuns(dir)
	if err != nil {
		return err
	}
	for _, format := range read.newer {
		c.keep(ref, "", "%s", newerState(format))
		return nil
	}
	why := "not live since " + fstore.FormatTime(life.Idle)
	for _, g := range generations {
		if other, err := c.othersData(ctx, ref, g, life.Fingerprint); err != nil || other {
			if other {
				c.keep(ref, g, "it belongs to another registry: the store has another definition of %s", ref)
			}
			return err
		}
	}
	for _, g := range generations {
		c.waste(Waste{Kind: DeadVersion, View: ref, Generation: g, Records: c.found.Records[g], Why: why})
	}
	if len(generations) == 0 {
		kind := DeadFolder
		if published {
			kind = DeadVersion // the pointer cannot be read
		}
		c.waste(Waste{Kind: kind, View: ref, Why: why})
	}
	return nil
}

// newerState says why data of a newer fstore is left alone.
func newerState(format int) string {
	return fmt.Sprintf("its state has format %d of a newer fstore: run gc with that version", format)
}

// due reports whether the grace period of a version that is not live is over.
func (l Life) due(o *CollectOptions) bool {
	return !l.Idle.IsZero() && !l.Idle.Add(o.Grace).After(o.Now)
}

// othersData reports whether a generation was written for another definition of the view version. Only another
// registry can have one. An abandoned load has no fingerprint.
func (c *collector) othersData(ctx context.Context, ref fstore.ViewRef, g fstore.Generation, fingerprint string) (bool, error) {
	h, ok, err := c.o.Storage.Header(ctx, ref, g)
	switch {
	case errors.Is(err, fstore.ErrCorrupt):
		return false, nil
	case err != nil:
		return false, err
	}
	return ok && h.Fingerprint != "" && h.Fingerprint != fingerprint, nil
}

// liveView looks for obsolete generations of a live view version.
func (c *collector) liveView(ctx context.Context, ref fstore.ViewRef, generations []fstore.Generation) error {
	for _, g := range generations {
		if g == c.found.Pointers[ref] {
			continue
		}
		why, err := c.leftOver(ctx, ref, g)
		switch {
		case err != nil:
			return err
		case why != "":
			c.keep(ref, g, "%s", why)
		default:
			c.waste(Waste{Kind: LeftOver, View: ref, Generation: g, Records: c.found.Records[g], Why: "no pointer names it, and no run will finish it"})
		}
	}
	return nil
}

// leftOver says why a generation that readers do not see must stay. It returns "" if the generation is obsolete.
func (c *collector) leftOver(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) (string, error) {
	p, ok, err := c.o.Storage.Pointer(ctx, ref)
	switch {
	case err != nil:
		return "", err
	case p.Damaged != "":
		return "the pointer cannot be read: run fstore materialize --full " + ref.String(), nil
	case ok && p.Generation == g:
		return "it is published", nil
	}
	h, ok, err := c.o.Storage.Header(ctx, ref, g)
	if errors.Is(err, fstore.ErrCorrupt) || err == nil && !ok {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if h.Complete || !h.Published.IsZero() || h.Fingerprint == "" {
		return "", nil
	}
	_, read, err := runsOf(c.o.State, ref)
	if err != nil {
		return "", err
	}
	if format := read.newer[h.Run]; format > 0 {
		return newerState(format), nil
	}
	if r := read.runs[h.Run]; r != nil && r.isNamedBy(&h) {
		return "a load that is interrupted or in progress: the next run continues it", nil
	}
	return "", nil
}
