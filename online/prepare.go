package online

import (
	"context"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
)

// Prepared is a feature list prepared for look-ups: offsets, key columns and shared fetches are computed once. It is
// safe for concurrent use. It remains valid after publications, because a list's view versions never change.
type Prepared struct {
	store    *Store
	columns  []column // the request's, in name order
	groups   []keyGroup
	uses     []use
	versions []version
	outputs  []output // what is looked up, in the order of evaluation.Lookups
	features int      // of the answer

	maxStaleness *fstore.MaxStaleness // of the service, if any

	evaluation *ondemand.Evaluation
	computed   []int            // by on-demand output, in the order in which they are evaluated: its index in the answer
	computedOf []int            // the index in onDemand of the version that each belongs to
	onDemand   []fstore.ViewRef // the versions that are evaluated; answers share it

	fixed   int                  // bytes of a row: see rowBytes
	perType [fstore.NumTypes]int // number of outputs of each fixed-width type
}

// The size of a value in an answer, beside its contents.
const (
	statusBytes   = 1
	eventBytes    = 8  // if requested
	variableBytes = 16 // of a string, bytes or a list: its position and length
)

// rowBytes returns the size of a row in any answer: fixed-width values, statuses, event times if requested, and the
// ends of the other values. It includes what on-demand features are computed from. A limit on it bounds memory and message
// size whatever the values are.
func (p *Prepared) rowBytes(events EventTimes) int {
	if events == WithEventTimes {
		return p.fixed + eventBytes*p.features
	}
	return p.fixed
}

// keyGroup is a way to build keys from the request's columns. Uses with the same key group share their keys.
type keyGroup struct {
	columns []int         // into Prepared.columns, in the order of View.Keys
	types   []fstore.Type // of the join keys
}

// use is a view version looked up by a key group.
type use struct {
	version int   // into Prepared.versions
	group   int   // into Prepared.groups
	outputs []int // into Prepared.outputs
	tiles   []int // of a sawtooth view: those that outputs need, into layout.tiles
	ttl     int64 // microseconds; −1: none
}

// version is a view version of the list. Several uses may share it.
type version struct {
	state       *versionState
	layout      *layout
	fingerprint string
	publish     *fstore.Publish
}

// output is a feature that is looked up, or the event time of a use.
type output struct {
	name  string
	at    int // index into the answer's features. What only on-demand features need comes after those of the list
	use   int
	field *field         // nil: the event time
	def   *fstore.Column // one row; nil: no default
}

// Prepare prepares a list for look-ups. It returns ErrInvalid if the list names something that its views do not have,
// and ErrTooLarge if it has more features than the store's limit.
func (s *Store) Prepare(list *fstore.FeatureList) (*Prepared, error) {
	if n := s.Limits.MaxFeatures; n > 0 && len(list.Outputs) > n {
		return nil, fstore.Errorf(fstore.ErrTooLarge, "%d features; the limit is %d", len(list.Outputs), n)
	}
	evaluation, err := ondemand.NewEvaluation(list)
	if err != nil {
		return nil, err
	}
	p := &Prepared{store: s, evaluation: evaluation, features: len(list.Outputs), maxStaleness: list.MaxStaleness}
	if err := p.addColumns(list); err != nil {
		return nil, err
	}
	lookups := evaluation.Lookups()
	same := make([]int, len(list.Uses)) // list's use → index in p.uses; uses that expressions do not need are not read
	for i := range list.Uses {
		if !slices.ContainsFunc(lookups, func(l ondemand.Lookup) bool { return l.Use == i }) {
			continue
		}
		if same[i], err = p.addUse(&list.Uses[i]); err != nil {
			return nil, err
		}
	}
	for _, l := range lookups {
		if l.Use < 0 || l.Use >= len(same) {
			return nil, fstore.Errorf(fstore.ErrInvalid, "feature %s: the list has no use %d", l.Feature, l.Use)
		}
		if err := p.addLookup(l, same[l.Use], list.Uses[l.Use].Version); err != nil {
			return nil, err
		}
	}
	p.placeOutputs(list)
	return p, nil
}

// addLookup adds what is looked up of a use of p.
func (p *Prepared) addLookup(lookup ondemand.Lookup, of int, v *fstore.ViewVersion) error {
	u := &p.uses[of]
	u.outputs = append(u.outputs, len(p.outputs))
	out := output{name: lookup.Feature, use: of}
	if lookup.Feature == "" {
		p.addType(fstore.Timestamp)
		p.outputs = append(p.outputs, out)
		return nil
	}
	l := p.versions[u.version].layout
	field := l.feature(lookup.Feature)
	if field < 0 {
		return fstore.Errorf(fstore.ErrInvalid, "%s has no feature %s", l.ref, lookup.Feature)
	}
	out.field = &l.features[field]
	if d := v.View.Feature(lookup.Feature).Default; d != nil {
		if d.Type != out.field.typ || d.Len != 1 || d.IsNull(0) {
			return fstore.Errorf(fstore.ErrInvalid, "%s: the default of %s is not a single %s", l.ref, lookup.Feature, out.field.typ)
		}
		out.def = &d.Column
	}
	p.addType(out.field.typ)
	if out.field.tile != nil && !slices.Contains(u.tiles, out.field.tiles) {
		u.tiles = append(u.tiles, out.field.tiles)
	}
	p.outputs = append(p.outputs, out)
	return nil
}

// addType makes room for the values of a feature that is looked up.
func (p *Prepared) addType(t fstore.Type) {
	p.fixed += valueBytes(t)
	if t.Width() > 0 {
		p.perType[t]++
	}
}

// valueBytes returns the size of a value in an answer, without the contents of a string, bytes or list.
func valueBytes(t fstore.Type) int {
	if w := t.Width(); w > 0 {
		return w + statusBytes
	}
	return variableBytes + statusBytes
}

// addUse returns the index of a use. Uses that look up the same version by the same columns share one.
func (p *Prepared) addUse(u *fstore.ViewUse) (int, error) {
	v := u.Version
	if len(u.Keys) != len(v.View.Keys) {
		return 0, fstore.Errorf(fstore.ErrInvalid, "%s has %d join keys, but %d are bound", v.Ref, len(v.View.Keys), len(u.Keys))
	}
	g := keyGroup{}
	for i, b := range u.Keys {
		if b.Key != v.View.Keys[i] || !b.Key.Type.IsKey() {
			return 0, fstore.Errorf(fstore.ErrInvalid, "%s: join key %d is %s, not %s", v.Ref, i+1, v.View.Keys[i].Name, b.Key.Name)
		}
		at := p.column(b.Column)
		if want := p.columns[at].Type; want != b.Key.Type && !(isInt(want) && isInt(b.Key.Type)) {
			return 0, fstore.Errorf(fstore.ErrInvalid, "column %s is a key of type %s and of type %s", b.Column, want, b.Key.Type)
		}
		g.columns, g.types = append(g.columns, at), append(g.types, b.Key.Type)
	}
	ttl := int64(-1)
	if v.View.TTL != nil && !v.View.Static() {
		ttl = v.View.TTL.Micros()
	}
	add := use{version: p.addVersion(v), group: p.addGroup(g), ttl: ttl}
	for i := range p.uses {
		if p.uses[i].version == add.version && p.uses[i].group == add.group {
			return i, nil
		}
	}
	p.uses = append(p.uses, add)
	return len(p.uses) - 1, nil
}

func (p *Prepared) addVersion(v *fstore.ViewVersion) int {
	for i := range p.versions {
		if p.versions[i].state.ref == v.Ref {
			return i
		}
	}
	p.versions = append(p.versions, version{p.store.version(v.Ref), newLayout(v), v.Fingerprint, v.View.Publish})
	return len(p.versions) - 1
}

func (p *Prepared) addGroup(g keyGroup) int {
	for i := range p.groups {
		if slices.Equal(p.groups[i].columns, g.columns) && slices.Equal(p.groups[i].types, g.types) {
			return i
		}
	}
	p.groups = append(p.groups, g)
	return len(p.groups) - 1
}

func isInt(t fstore.Type) bool { return t == fstore.Int32 || t == fstore.Int64 }

// Lookup prepares the list and looks it up once. A server prepares once and calls Prepared.Lookup.
func (s *Store) Lookup(ctx context.Context, list *fstore.FeatureList, req Request) (*Answer, error) {
	p, err := s.Prepare(list)
	if err != nil {
		return nil, err
	}
	return p.Lookup(ctx, req)
}
