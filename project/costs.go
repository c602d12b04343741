package project

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/materialize"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/registry"
)

// costSample is the number of records from which their size is estimated.
const costSample = 1000

// estimate fills in what materializing a plan's new versions takes: the files that a run reads, and as many rows and bytes
// as the version that is published now. What cannot be found out stays unknown.
func (p *Project) estimate(ctx context.Context, db *registry.Store, plan *registry.Plan) {
	if len(plan.Materialize) == 0 {
		return
	}
	rev, err := db.Revision(ctx, p.Settings.Project)
	if err != nil {
		return
	}
	engine, err := p.openedEngine()
	if err != nil {
		return
	}
	store, storeErr := p.openedStore()
	_, views := plan.Views()
	for _, ref := range plan.Materialize {
		c := registry.Cost{View: ref}
		if i := slices.IndexFunc(views, func(v *fstore.ViewVersion) bool { return v.Ref == ref }); i >= 0 {
			c.Scan, c.Windows = scan(ctx, engine, views[i]), windowsOf(&views[i].View)
			c.RecordBytes = online.MostBytes(views[i])
		}
		if storeErr == nil {
			p.estimateRows(ctx, store, rev, &c)
		}
		plan.Costs = append(plan.Costs, c)
	}
}

// estimateRows takes the size of the newest published version of a view.
func (p *Project) estimateRows(ctx context.Context, store *online.Store, rev *registry.Revision, c *registry.Cost) {
	for _, v := range rev.Versions(c.View.Name) {
		if rows, bytes, ok := p.holding(ctx, store, v); ok {
			c.Rows, c.Bytes, c.From = &rows, bytes, &v.Ref
			return
		}
	}
}

// scan returns the files that computing a view reads, nil if they cannot be told.
func scan(ctx context.Context, engine *offline.Engine, v *fstore.ViewVersion) []registry.Scan {
	var out []registry.Scan
	for i := range v.Sources {
		files, err := engine.Files(ctx, v.Sources[i].Path)
		if err != nil {
			return nil
		}
		s := registry.Scan{Source: v.Sources[i].Name, Files: len(files)}
		for _, f := range files {
			info, err := os.Stat(f)
			if err != nil {
				return nil
			}
			s.Bytes += info.Size()
		}
		out = append(out, s)
	}
	return out
}

// windowsOf lists the windows of a view, each once: the shortest first, lifetimes last.
func windowsOf(v *fstore.View) []string {
	var windows []*fstore.Window
	for i := range v.Features {
		if w := v.Features[i].Window; w != nil {
			windows = append(windows, w)
		}
	}
	slices.SortStableFunc(windows, func(a, b *fstore.Window) int {
		return cmp.Or(cmp.Compare(uint64(a.Length)-1, uint64(b.Length)-1), cmp.Compare(a.Hop, b.Hop))
	})
	var out []string
	for _, w := range windows {
		if form := w.Over(); !slices.Contains(out, form) {
			out = append(out, form)
		}
	}
	return out
}

// CostNote says what it takes to materialize the view version of a cost, as far as it is known: a comment on its line, and
// lines below it for a windowed view.
func CostNote(costs []registry.Cost, i int) string {
	if i >= len(costs) {
		return ""
	}
	c, note := &costs[i], ""
	if c.Rows != nil {
		size := english.Thousands(*c.Rows) + " rows"
		if c.Bytes != nil {
			size += " and " + english.Thousands(*c.Bytes) + " bytes"
		}
		note = fmt.Sprintf("   # about %s, as %s has", size, c.From)
	}
	if len(c.Windows) == 0 {
		return note
	}
	for _, s := range c.Scan {
		note += fmt.Sprintf("\n      each run reads %s: %s, %s bytes", s.Source, english.Count(s.Files, "file"), english.Thousands(s.Bytes))
	}
	note += "\n      windows: " + strings.Join(c.Windows, ", ")
	if c.RecordBytes != nil {
		note += "\n      a record has at most " + english.Thousands(*c.RecordBytes) + " bytes"
	}
	return note
}

// holding returns the number of rows of a view version in the online store, and an estimate of their bytes.
func (p *Project) holding(ctx context.Context, store *online.Store, v *fstore.ViewVersion) (rows int64, bytes *int64, ok bool) {
	pointer, ok, err := store.Pointer(ctx, v.Ref)
	if err != nil || !ok || !pointer.Serves(v) {
		return 0, nil, false
	}
	h, ok, err := store.Header(ctx, v.Ref, pointer.Generation)
	if err != nil || !ok {
		return 0, nil, false
	}
	rows, keys, ok, err := materialize.Holds(p.stateDir(), h, costSample)
	if err != nil || !ok {
		return 0, nil, false
	}
	records, err := store.Records(ctx, pointer.Generation, keys)
	if err != nil {
		return rows, nil, true
	}
	size := int64(0)
	for i := range records {
		size += int64(len(keys[i]) + len(records[i]))
	}
	if len(keys) > 0 {
		size = size * rows / int64(len(keys))
	}
	return rows, &size, true
}
