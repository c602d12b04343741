package definition

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/sqlgate"
)

// Algorithm identifies the encoding below and is stored with every version. It changes when the encoding changes. The
// registry then recomputes the fingerprints of stored versions, so a new encoding alone creates no new versions.
const Algorithm = "fstore-2"

// Fingerprinter computes the fingerprints of definitions.
type Fingerprinter struct{ gate *sqlgate.Gate }

// NewFingerprinter returns a fingerprinter for the SQL of an engine.
func NewFingerprinter(engine sqlgate.Parser) *Fingerprinter {
	return &Fingerprinter{sqlgate.New(engine)}
}

// viewPrint encodes a view: everything that can change one of its values, and nothing else.
type viewPrint struct {
	Algorithm string            `json:"algorithm"`
	Keys      []fstore.Field    `json:"keys"`
	Features  []featurePrint    `json:"features"` // by name
	TTL       *fstore.Duration  `json:"ttl,omitempty"`
	Publish   *fstore.Publish   `json:"publish,omitempty"`
	Available *fstore.Available `json:"available,omitempty"` // absent for a static view
	Rows      rowsPrint         `json:"rows"`
}

type featurePrint struct {
	Name    string        `json:"name"`
	Type    fstore.Type   `json:"type"`
	Column  string        `json:"column"`
	Window  *windowPrint  `json:"window,omitempty"`
	Default *fstore.Value `json:"default,omitempty"`
}

// windowPrint encodes what a windowed feature aggregates.
type windowPrint struct {
	Function   fstore.Function `json:"function"`
	Expression any             `json:"expression,omitempty"`
	Where      any             `json:"where,omitempty"`
	Length     fstore.Duration `json:"length,omitzero"`
	Hop        fstore.Duration `json:"hop,omitzero"`
	P          float64         `json:"p,omitzero"`
	N          int             `json:"n,omitzero"`
}

// rowsPrint encodes where the rows of a view come from: a source, with the columns' names in its files, or SQL and
// the inputs that it names.
type rowsPrint struct {
	Event   string        `json:"event,omitempty"`
	Created string        `json:"created,omitempty"`
	Path    string        `json:"path,omitempty"`
	Columns []renamed     `json:"columns,omitempty"`  // the key columns' names in the files, if renamed
	Nulls   []string      `json:"optional,omitempty"` // the names in the files of the columns that it uses and that files may lack
	SQL     any           `json:"sql,omitempty"`
	Sources []sourcePrint `json:"sources,omitempty"`
	Views   []inputPrint  `json:"views,omitempty"`
}

type renamed struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type sourcePrint struct {
	Name      string            `json:"name"`
	Path      string            `json:"path"`
	Rename    []renamed         `json:"rename,omitempty"`
	Optional  []string          `json:"optional,omitempty"`
	Event     string            `json:"event,omitempty"`
	Created   string            `json:"created,omitempty"`
	Available *fstore.Available `json:"available,omitempty"`
}

// inputPrint encodes what affects the rows of an upstream view: not its ttl, publish, defaults or availability.
type inputPrint struct {
	Name     string         `json:"name"`
	Keys     []fstore.Field `json:"keys"`
	Features []featurePrint `json:"features"`
	Stated   bool           `json:"stated,omitempty"` // event availability is written out: see printAvailable
	Rows     rowsPrint      `json:"rows"`
}

// View returns the fingerprint of a view version: 64 hex digits.
func (p *Fingerprinter) View(ctx context.Context, v *fstore.ViewVersion) (string, error) {
	rows, columnOf, err := p.rows(ctx, v, &v.View)
	if err != nil {
		return "", err
	}
	print := viewPrint{
		Algorithm: Algorithm, Keys: v.View.Keys, Features: featurePrints(&v.View, columnOf), TTL: v.View.TTL,
		Publish: v.View.Publish, Rows: rows,
	}
	if !v.View.Static() {
		print.Available = printAvailable(v.View.Available)
	}
	for i := range print.Features {
		f := v.View.Feature(print.Features[i].Name)
		print.Features[i].Default = f.Default
		if print.Features[i].Window, err = p.window(ctx, f.Window); err != nil {
			return "", err
		}
	}
	return digest(print)
}

func (p *Fingerprinter) window(ctx context.Context, w *fstore.Window) (*windowPrint, error) {
	if w == nil {
		return nil, nil
	}
	print := &windowPrint{Function: w.Function, Length: w.Length, Hop: w.Hop, P: w.P, N: w.N}
	var err error
	if print.Expression, err = p.gate.CanonicalExpression(ctx, w.Expression); err != nil {
		return nil, err
	}
	print.Where, err = p.gate.CanonicalExpression(ctx, w.Where)
	return print, err
}

// printAvailable encodes an availability. Whether it is stated counts only for the event time itself: a file whose
// event times are days is refused if it is not stated. So a definition that states the default is a new version.
func printAvailable(a fstore.Available) *fstore.Available {
	a.Stated = a.Stated && a.IsEvent()
	return &a
}

func digest(print any) (string, error) {
	b, err := json.Marshal(print)
	if err != nil {
		return "", fstore.Errorf(fstore.ErrCorrupt, "encode a definition: %s", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

func featurePrints(v *fstore.View, columnOf func(string) string) []featurePrint {
	out := []featurePrint{}
	for _, f := range v.ByName() {
		out = append(out, featurePrint{Name: f.Name, Type: f.Type, Column: columnOf(f.Column)})
	}
	return out
}

// rows encodes where the rows of a view come from, using the definitions in the version. It also returns a function
// that maps a column to its name there.
func (p *Fingerprinter) rows(ctx context.Context, in *fstore.ViewVersion, v *fstore.View) (rowsPrint, func(string) string, error) {
	if v.Source != "" {
		s := in.Source(v.Source)
		if s == nil {
			return rowsPrint{}, nil, fstore.Errorf(fstore.ErrCorrupt, "%s has no definition of %s, which it reads", in.Ref, v.Source)
		}
		if v.Windowed() { // its expressions read the source as SQL does, but do not name it
			source := printSource(s)
			source.Name = ""
			return rowsPrint{Event: source.Event, Created: source.Created, Sources: []sourcePrint{source}}, sqlgate.Fold, nil
		}
		r, columnOf := sourceRows(s, v)
		return r, columnOf, nil
	}
	tree, err := p.gate.Parse(ctx, v.SQL)
	if err != nil {
		return rowsPrint{}, nil, err
	}
	r := rowsPrint{Event: sqlgate.Fold(v.Event), Created: sqlgate.Fold(v.Created), SQL: tree.Canonical()}
	for _, name := range v.Inputs {
		if s := in.Source(name); s != nil {
			r.Sources = append(r.Sources, printSource(s))
			continue
		}
		i := slices.IndexFunc(in.Views, func(u fstore.View) bool { return u.Name == name })
		if i < 0 {
			return r, nil, fstore.Errorf(fstore.ErrCorrupt, "%s has no definition of %s, which it reads", in.Ref, name)
		}
		up := &in.Views[i]
		rows, columnOf, err := p.rows(ctx, in, up)
		if err != nil {
			return r, nil, err
		}
		r.Views = append(r.Views, inputPrint{Name: name, Keys: up.Keys, Features: featurePrints(up, columnOf), Stated: printAvailable(up.Available).Stated, Rows: rows})
	}
	return r, sqlgate.Fold, nil
}

// sourceRows encodes a view that takes a source's columns as they are. Only the renames that it uses count.
func sourceRows(s *fstore.Source, v *fstore.View) (rowsPrint, func(string) string) {
	original := func(name string) string {
		for from, to := range s.Rename {
			if strings.EqualFold(to, name) {
				return sqlgate.Fold(from)
			}
		}
		return sqlgate.Fold(name)
	}
	r := rowsPrint{Path: s.Path}
	if s.Event != "" {
		r.Event = original(s.Event)
	}
	if s.Created != "" {
		r.Created = original(s.Created)
	}
	for _, k := range v.Keys {
		if from := original(k.Name); from != k.Name {
			r.Columns = append(r.Columns, renamed{from, k.Name})
		}
	}
	for _, name := range s.Optional {
		if usesColumn(v, name) {
			r.Nulls = append(r.Nulls, original(name))
		}
	}
	slices.Sort(r.Nulls)
	return r, original
}

// usesColumn reports whether a view uses a column of its source.
func usesColumn(v *fstore.View, name string) bool {
	return name == v.Event || name == v.Created || slices.ContainsFunc(v.Keys, func(k fstore.Field) bool { return k.Name == name }) ||
		slices.ContainsFunc(v.Features, func(f fstore.Feature) bool { return f.Column == name })
}

func printSource(s *fstore.Source) sourcePrint {
	p := sourcePrint{Name: s.Name, Path: s.Path, Event: sqlgate.Fold(s.Event), Created: sqlgate.Fold(s.Created)}
	for _, name := range s.Optional {
		p.Optional = append(p.Optional, sqlgate.Fold(name))
	}
	for from, to := range s.Rename {
		p.Rename = append(p.Rename, renamed{sqlgate.Fold(from), sqlgate.Fold(to)})
	}
	slices.SortFunc(p.Rename, func(a, b renamed) int { return strings.Compare(a.From, b.From) })
	if !s.Static() {
		p.Available = printAvailable(s.Available)
	}
	return p
}

// ServiceFingerprint covers the ordered outputs (name, fingerprint of the view, feature, key columns) and the names under
// which callers send request columns.
func ServiceFingerprint(s *ServiceVersion, in Versions) string {
	type output struct {
		Name     string              `json:"name"`
		View     string              `json:"view,omitempty"`
		OnDemand string              `json:"on_demand,omitempty"`
		Feature  string              `json:"feature"`
		Keys     []fstore.KeyBinding `json:"keys"`
	}
	print := struct {
		Algorithm string            `json:"algorithm"`
		Outputs   []output          `json:"outputs"`
		Request   map[string]string `json:"request,omitempty"`
	}{Algorithm: Algorithm, Request: s.Service.Request}
	for _, o := range s.Outputs {
		switch o := o.(type) {
		case fstore.FeatureOutput:
			u := s.Uses[o.Use]
			print.Outputs = append(print.Outputs, output{Name: o.As, View: in.viewPrint(u.View), Feature: o.Feature, Keys: u.Keys})
		case fstore.OnDemandOutput:
			print.Outputs = append(print.Outputs, output{Name: o.As, OnDemand: in.onDemandPrint(s.OnDemand[o.OnDemand]), Feature: o.Feature})
		}
	}
	sum, _ := digest(print) // checked definitions always encode
	return sum
}

// FirstMismatch returns the first view version whose definition does not match its fingerprint, or nil. Fingerprints
// made by another build may use another algorithm.
func FirstMismatch(ctx context.Context, parser sqlgate.Parser, versions []*fstore.ViewVersion) (*fstore.ViewVersion, error) {
	prints := NewFingerprinter(parser)
	for _, v := range versions {
		print, err := prints.View(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("view %s: %w", v.Ref, err)
		}
		if print != v.Fingerprint {
			return v, nil
		}
	}
	return nil, nil
}
