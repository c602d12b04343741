package online

import (
	"context"
	"slices"
	"sort"
	"strings"

	"github.com/fstore-dev/fstore"
)

// Prepared is a feature list prepared for look-ups: offsets, key columns and shared fetches are computed once. It is
// safe for concurrent use. It remains valid after publications, because a list's view versions never change.
type Prepared struct {
	store    *Store
	columns  []fstore.Field // the request's columns, in name order
	groups   []keyGroup
	uses     []use
	versions []version
	outputs  []output

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
// ends of the other values. A limit on it bounds memory and message size whatever the values are.
func (p *Prepared) rowBytes(events EventTimes) int {
	if events == WithEventTimes {
		return p.fixed + eventBytes*len(p.outputs)
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
	version int // into Prepared.versions
	group   int // into Prepared.groups
	outputs []int
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

// output is one feature of the answer.
type output struct {
	name  string
	use   int
	field *field
	def   *fstore.Column // one row; nil: no default
}

// Prepare prepares a list for look-ups. It returns ErrInvalid if the list names something that its views do not have,
// and ErrTooLarge if it has more features than the store's limit.
func (s *Store) Prepare(list *fstore.FeatureList) (*Prepared, error) {
	if n := s.Limits.MaxFeatures; n > 0 && len(list.Outputs) > n {
		return nil, fstore.Errorf(fstore.ErrTooLarge, "%d features; the limit is %d", len(list.Outputs), n)
	}
	p := &Prepared{store: s, columns: list.KeyColumns()}
	same := make([]int, len(list.Uses)) // list's use → index in p.uses
	for i := range list.Uses {
		at, err := p.addUse(&list.Uses[i])
		if err != nil {
			return nil, err
		}
		same[i] = at
	}
	for i, o := range list.Outputs {
		var err error
		switch o := o.(type) {
		case fstore.FeatureOutput:
			err = p.addFeature(list, i, o, same)
		case fstore.OnDemandOutput:
			err = fstore.Errorf(fstore.ErrInvalid, "%s is an on-demand feature: to come", o.As)
		}
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

// addFeature adds output i of the list, a feature of a view. same gives for each use of the list the one of p.
func (p *Prepared) addFeature(list *fstore.FeatureList, i int, o fstore.FeatureOutput, same []int) error {
	if o.Use < 0 || o.Use >= len(same) {
		return fstore.Errorf(fstore.ErrInvalid, "feature %s: the list has no use %d", o.As, o.Use)
	}
	u := &p.uses[same[o.Use]]
	l := p.versions[u.version].layout
	at := l.feature(o.Feature)
	if at < 0 {
		return fstore.Errorf(fstore.ErrInvalid, "%s has no feature %s", l.ref, o.Feature)
	}
	out := output{name: o.As, use: same[o.Use], field: &l.features[at]}
	if d := list.Feature(i).Default; d != nil {
		if d.Type != out.field.typ || d.Len != 1 || d.IsNull(0) {
			return fstore.Errorf(fstore.ErrInvalid, "%s: the default of %s is not a single %s", l.ref, o.Feature, out.field.typ)
		}
		out.def = &d.Column
	}
	if w := out.field.width; w > 0 {
		p.fixed += w + statusBytes
		p.perType[out.field.typ]++
	} else {
		p.fixed += variableBytes + statusBytes
	}
	u.outputs = append(u.outputs, i)
	if out.field.tile != nil && !slices.Contains(u.tiles, out.field.tiles) {
		u.tiles = append(u.tiles, out.field.tiles)
	}
	p.outputs = append(p.outputs, out)
	return nil
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
		at := sort.Search(len(p.columns), func(j int) bool { return p.columns[j].Name >= b.Column })
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

// Columns returns the key columns that a request must have, in name order.
func (p *Prepared) Columns() []fstore.Field { return slices.Clone(p.columns) }

// Lookup prepares the list and looks it up once. A server prepares once and calls Prepared.Lookup.
func (s *Store) Lookup(ctx context.Context, list *fstore.FeatureList, req Request) (*Answer, error) {
	p, err := s.Prepare(list)
	if err != nil {
		return nil, err
	}
	return p.Lookup(ctx, req)
}

// bind matches the request's columns with the list's, and returns the number of rows.
func (p *Prepared) bind(req *Request, sc *scratch) (int, error) {
	rows := req.Rows
	sc.columns = append(sc.columns[:0], make([]*fstore.Column, len(p.columns))...)
	for i := range req.Keys {
		c := &req.Keys[i]
		at := slices.IndexFunc(p.columns, func(f fstore.Field) bool { return f.Name == c.Name })
		switch {
		case at < 0 && req.Also[c.Name]:
		case at < 0:
			return 0, p.unknownColumn(c.Name)
		case sc.columns[at] != nil:
			return 0, fstore.Errorf(fstore.ErrInvalid, "key column %s is given twice", c.Name)
		case c.Type != p.columns[at].Type && !(isInt(c.Type) && isInt(p.columns[at].Type)):
			return 0, fstore.Errorf(fstore.ErrInvalid, "key column %s is %s, not %s", c.Name, c.Type, p.columns[at].Type)
		case !whole(c):
			return 0, fstore.Errorf(fstore.ErrInvalid, "key column %s does not hold its %d rows", c.Name, c.Len)
		}
		if i == 0 && rows == 0 {
			rows = c.Len
		}
		if c.Len != rows {
			return 0, fstore.Errorf(fstore.ErrInvalid, "key column %s has %d rows, not %d", c.Name, c.Len, rows)
		}
		if at >= 0 {
			sc.columns[at] = c
		}
	}
	var missing []string
	for i, c := range sc.columns {
		if c == nil {
			missing = append(missing, p.columns[i].Name)
		}
	}
	if missing != nil {
		return 0, fstore.Errorf(fstore.ErrInvalid, "key column %s is missing", strings.Join(missing, ", "))
	}
	if len(p.columns) == 0 && len(req.Keys) == 0 {
		if rows > 1 || rows < 0 {
			return 0, fstore.Errorf(fstore.ErrInvalid, "%d rows of a list without keys, which has one", rows)
		}
		rows = 1
	}
	return rows, p.fits(rows, req.EventTimes)
}

// fits checks what is known about the answer's size before anything is read.
func (p *Prepared) fits(rows int, events EventTimes) error {
	limits := p.store.Limits
	if limits.MaxRows > 0 && rows > limits.MaxRows {
		return fstore.Errorf(fstore.ErrTooLarge, "%d rows of keys; the limit is %d", rows, limits.MaxRows).
			WithHint("ask for fewer rows at a time")
	}
	if size := rows * p.rowBytes(events); limits.MaxAnswerBytes > 0 && size > limits.MaxAnswerBytes {
		return p.answerTooLarge(size)
	}
	return nil
}

func (p *Prepared) answerTooLarge(size int) error {
	return fstore.Errorf(fstore.ErrTooLarge, "an answer of at least %d bytes; the limit is %d", size, p.store.Limits.MaxAnswerBytes).
		WithHint("ask for fewer rows or features")
}

func (p *Prepared) unknownColumn(name string) error {
	err := fstore.Errorf(fstore.ErrInvalid, "unknown key column %s", name)
	if len(p.columns) == 0 {
		return err.WithHint("these features have no keys")
	}
	names := make([]string, len(p.columns))
	for i, f := range p.columns {
		names[i] = f.Name
	}
	return err.WithHint("the key columns are %s", strings.Join(names, ", "))
}

// whole reports whether the values and validity of a key column match its length.
func whole(c *fstore.Column) bool {
	n := 0
	switch c.Type {
	case fstore.Bool:
		n = len(c.Bools)
	case fstore.Int32:
		n = len(c.Int32s)
	case fstore.Int64, fstore.Timestamp:
		n = len(c.Int64s)
	case fstore.String:
		n = len(c.Strings)
	case fstore.Bytes:
		n = len(c.Bytes)
	case fstore.Float32, fstore.Float64: // not a key type
	}
	return c.Len >= 0 && n >= c.Len && (c.Valid == nil || len(c.Valid) >= (c.Len+7)/8)
}
