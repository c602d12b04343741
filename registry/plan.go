package registry

import (
	"context"
	"maps"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/registry/record"
)

// Action is what an apply does to a definition.
type Action string

// The actions.
const (
	Add    Action = "add"
	Modify Action = "change"
	Remove Action = "remove"
)

// Plan is what an apply would do. It is made from one revision of the registry and applies to that one only.
type Plan struct {
	Project  string   `json:"project"`
	Revision int64    `json:"revision"`
	Changes  []Change `json:"changes"` // entities, sources, views, on-demand views, services; each by name

	Materialize []fstore.ViewRef     `json:"materialize,omitempty"` // view versions that become live
	Retained    []RetainedVersion    `json:"kept,omitempty"`        // older versions that stay live, and why
	Models      []ModelImpact        `json:"models,omitempty"`      // how it changes every pinned model
	Services    []ServiceImpact      `json:"services,omitempty"`    // how it changes serving services for their callers
	Forgotten   []string             `json:"forgotten,omitempty"`   // columns that requests may carry now and, once this serves, may not
	Costs       []Cost               `json:"costs,omitempty"`       // what materializing takes, by view version; the caller of Plan fills it in
	Lineage     []Edge               `json:"lineage,omitempty"`     // what the changed definitions read, and what reads them, also through others
	Notes       []string             `json:"notes,omitempty"`       // what the plan assumes about the views that change
	Warnings    []definition.Problem `json:"warnings,omitempty"`

	target []object // everything that head will have
}

// Views returns the view versions that head will have, and those of them that are new.
func (p *Plan) Views() (added, all []*fstore.ViewVersion) {
	for _, o := range p.target {
		if v, ok := o.definition.(*fstore.ViewVersion); ok {
			all = append(all, v)
			if o.fresh {
				added = append(added, v)
			}
		}
	}
	return added, all
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 }

// Change is what happens to one definition.
type Change struct {
	Kind       Kind                     `json:"kind"`
	Name       string                   `json:"name"`
	Action     Action                   `json:"action"`
	From       int                      `json:"from,omitempty"` // version in head before; 0 where there is none
	To         int                      `json:"to,omitempty"`   // version in head afterwards
	Version    Versioning               `json:"version,omitempty"`
	Fields     []definition.FieldChange `json:"fields,omitempty"`
	Dependents []string                 `json:"dependents,omitempty"`      // what reads or uses the definition, directly or through others
	Request    []fstore.RequestColumn   `json:"request_columns,omitempty"` // of a service: what its callers must send beside the keys afterwards
}

// Versioning says which version a view or service gets.
type Versioning string

// The versionings.
const (
	NewVersion     Versioning = "new"     // something changes that can change a value
	SameVersion    Versioning = "same"    // nothing changes that can change a value
	EarlierVersion Versioning = "earlier" // head moves back to a version it had before
)

// RetainedVersion is a version that stays live although head has another.
type RetainedVersion struct {
	Ref fstore.ViewRef `json:"ref"`
	Why []string       `json:"why"`
}

// Cost is an estimate of what it takes to materialize a view version: what a run reads, and what it writes by the size of
// another version of the view.
type Cost struct {
	View  fstore.ViewRef  `json:"view"`
	Rows  *int64          `json:"rows,omitempty"`  // nil: not known
	Bytes *int64          `json:"bytes,omitempty"` // of keys and records; nil: not known
	From  *fstore.ViewRef `json:"from,omitempty"`  // the version whose size it is

	Scan        []Scan   `json:"scan,omitempty"`         // the files that a run reads, by source; nil: not known
	Windows     []string `json:"windows,omitempty"`      // the lengths and hops of a windowed view: 7d by 6h
	RecordBytes *int64   `json:"record_bytes,omitempty"` // of one record at most; nil: a value has no fixed width
}

// Scan is the files of a source that a run reads.
type Scan struct {
	Source string `json:"source"`
	Files  int    `json:"files"`
	Bytes  int64  `json:"bytes"`
}

// ModelImpact says how a plan changes a pinned model. A model's answers come only from the versions pinned to it, so no
// plan affects them. The cost is that those versions stay live.
type ModelImpact struct {
	Model    fstore.ModelRef  `json:"model"`
	Affected bool             `json:"affected"`
	Keeps    []fstore.ViewRef `json:"keeps,omitempty"` // the versions it uses that head has left
}

// object is one definition of head as the registry keeps it.
type object struct {
	kind        Kind
	name        string
	version     int // 0 for entities and sources
	fresh       bool
	fingerprint string
	definition  any
}

// Plan compares definitions with the registry. It changes nothing.
func (r *Store) Plan(ctx context.Context, project string, d *definition.Definitions) (*Plan, error) {
	var before *state
	err := r.backend.Read(ctx, project, func(tx record.Tx) (err error) {
		before, err = readState(ctx, tx)
		return err
	})
	if err != nil {
		return nil, wrap("plan "+project, err)
	}
	p, err := diff(ctx, project, before, d)
	return p, wrap("plan "+project, err)
}

// diff is a function of the registry's state and the definitions alone.
func diff(ctx context.Context, project string, before *state, d *definition.Definitions) (*Plan, error) {
	n := &numbering{ctx: ctx, before: before, prints: d.Fingerprinter()}
	after, err := n.number(d)
	if err != nil {
		return nil, err
	}
	p := &Plan{Project: project, Revision: before.revision, Warnings: d.Warnings, target: n.target}
	f := &differ{ctx: ctx, before: before, after: after, prints: d.Fingerprinter(), fresh: n.fresh}
	p.Changes = append([]Change{}, f.changes()...)
	live, was := after.live(), before.live()
	for _, ref := range slices.SortedFunc(maps.Keys(live), fstore.ViewRef.Compare) {
		if was[ref] == nil {
			p.Materialize = append(p.Materialize, ref)
		}
		if ref.Version != after.head[KindView][ref.Name] {
			why := live[ref]
			slices.Sort(why)
			p.Retained = append(p.Retained, RetainedVersion{ref, why})
		}
	}
	p.Models = impacts(before, after)
	p.Services, p.Forgotten = serviceImpacts(before, after), forgottenColumns(before, after)
	p.Lineage = lineage(p.Changes, before, after)
	p.Notes = notes(p.Changes, after)
	return p, nil
}

// impacts compares the versions behind each pinned model before and after the plan.
func impacts(before, after *state) []ModelImpact {
	var out []ModelImpact
	for _, ref := range slices.SortedFunc(maps.Keys(after.models), compareModels) {
		m := ModelImpact{Model: ref}
		pinned := after.models[ref]
		for _, u := range pinned.Uses {
			was, is := before.views[u.View], after.views[u.View]
			m.Affected = m.Affected || was == nil || is == nil || was.Fingerprint != is.Fingerprint
			if u.View.Version != after.head[KindView][u.View.Name] && !slices.Contains(m.Keeps, u.View) {
				m.Keeps = append(m.Keeps, u.View)
			}
		}
		for _, v := range pinned.OnDemand {
			was, is := before.onDemand[v], after.onDemand[v]
			m.Affected = m.Affected || was == nil || is == nil || was.Fingerprint != is.Fingerprint
			if v.Version != after.head[KindOnDemand][v.Name] {
				m.Keeps = append(m.Keeps, v)
			}
		}
		out = append(out, m)
	}
	return out
}

// notes says what the plan assumes about views that are new or changed.
func notes(changes []Change, after *state) []string {
	var out []string
	for _, c := range changes {
		if c.Kind != KindView || c.Action == Remove {
			continue
		}
		v := &after.headViews[c.Name].View
		switch {
		case v.Static():
			out = append(out, v.Name+" has no event time: its values hold for all time, and what they were in the past is unknown")
		case v.Sawtooth():
			out = append(out, v.Name+" has windows that end at the clock: training assumes continuous publication")
		case v.Publish == nil && !v.Offline:
			out = append(out, v.Name+" has no publish: training takes its values to be servable the moment they are known")
		}
	}
	return out
}
