package servedlog

import (
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
)

// The columns of a stream that every plan has, in their order. No name of a feature or a column begins with an underscore.
const (
	atColumn = iota
	requestColumn
	rowColumn
	traceColumn
	statusesColumn // a byte for each feature
	fixedColumns
)

// What a stream says of each view version, in columns whose names end with the version.
const (
	publishedColumn = iota
	runColumn       // that published it
	runAtColumn     // of the run in flight: values of the version may be of it
	inFlightColumn  // that run
	generationColumn
	viewColumns
)

var fixedNames = [fixedColumns]fstore.Field{
	{Name: "_at", Type: fstore.Timestamp},
	{Name: "_request", Type: fstore.Int64},
	{Name: "_row", Type: fstore.Int64},
	{Name: "_trace_id", Type: fstore.String},
	{Name: "_statuses", Type: fstore.Bytes},
}

var viewNames = [viewColumns]fstore.Field{
	{Name: "_published", Type: fstore.Timestamp},
	{Name: "_run", Type: fstore.String},
	{Name: "_run_at", Type: fstore.Timestamp},
	{Name: "_run_in_flight", Type: fstore.String},
	{Name: "_generation", Type: fstore.String},
}

// Plan says in which columns answers of a list of features are kept. It is safe for concurrent use.
type Plan struct {
	info   Info
	text   string // info as JSON
	id     string // of all of info, which is the metadata of files
	folder string

	// Derived from info.
	sampled []string         // the key columns
	kept    []fstore.Field   // columns of a request that are kept, as they are sent
	hashed  int              // the first so many of kept are hashed when they are written
	fields  []fstore.Field   // of a stream
	refs    []fstore.ViewRef // the view versions
	varying []int            // the features whose values differ in size
	width   int              // of a row of the others

	entries sync.Pool
	scratch sync.Pool
	open    atomic.Pointer[entry] // that rows may join; it may be closed already
}

// Info is what all rows of a file have in common. It is the file's metadata under the name "fstore", as JSON.
type Info struct {
	Format   int                         `json:"format"`
	Project  string                      `json:"project,omitempty"`
	Server   string                      `json:"server"`
	Build    string                      `json:"build,omitempty"`
	Service  fstore.ViewRef              `json:"service,omitzero"`
	Model    fstore.ModelRef             `json:"model,omitzero"`
	Keys     Keys                        `json:"keys"`
	Columns  []fstore.Field              `json:"key_columns"`     // as callers send them
	Inputs   []fstore.Field              `json:"request_columns"` // that are kept
	Missing  []string                    `json:"request_columns_not_kept,omitempty"`
	Features []fstore.FeatureDescription `json:"features"`
	Views    []fstore.ViewRef            `json:"views"`
	OnDemand []fstore.ViewRef            `json:"on_demand,omitempty"`
	Builds   answers.Builds              `json:"builds,omitzero"`

	Sample float64 `json:"sample,omitempty"`     // share of what was answered, 0 to 1; absent: an earlier version did not say
	By     By      `json:"sampled_by,omitempty"` // what the sample consists of
}

// logFormat is that of files. A reader refuses those of a later one.
const logFormat = 1

// Plan returns the plan of a list. request are the columns besides its keys that on-demand features read.
func (l *Log) Plan(list *fstore.FeatureList, request []fstore.Field, builds answers.Builds) *Plan {
	o := &l.options
	p := &Plan{info: Info{
		Format: logFormat, Project: o.Project, Server: l.server, Build: o.Build, Service: list.Service, Model: list.Model, Keys: o.Keys,
		Columns: list.KeyColumns(), Inputs: []fstore.Field{}, Features: list.Describe().Features, Views: []fstore.ViewRef{},
		Sample: o.Sample, By: o.By,
	}}
	columns := list.RequestColumns()
	for _, f := range request {
		unlogged := slices.ContainsFunc(columns, func(c fstore.RequestColumn) bool { return c.Name == f.Name && c.Unlogged })
		if o.Inputs == WithInputs && !unlogged {
			p.info.Inputs = append(p.info.Inputs, f)
		} else {
			p.info.Missing = append(p.info.Missing, f.Name)
		}
	}
	for _, u := range list.Uses {
		if !slices.Contains(p.info.Views, u.Version.Ref) {
			p.info.Views = append(p.info.Views, u.Version.Ref)
		}
	}
	for _, v := range list.OnDemand {
		p.info.OnDemand = append(p.info.OnDemand, v.Ref)
	}
	if len(p.info.OnDemand) > 0 {
		p.info.Builds = builds
	}
	p.derive()
	return p
}

// derive derives the rest from info.
func (p *Plan) derive() {
	p.refs = p.info.Views
	if p.info.Keys != NoKeys {
		p.kept = slices.Clone(p.info.Columns)
	}
	if p.info.Keys == HashedKeys {
		p.hashed = len(p.kept)
	}
	p.kept = append(p.kept, p.info.Inputs...)
	for _, f := range p.info.Columns {
		p.sampled = append(p.sampled, f.Name)
	}
	p.fields = slices.Clone(fixedNames[:])
	for _, ref := range p.refs {
		for _, f := range viewNames {
			p.fields = append(p.fields, fstore.Field{Name: f.Name + "." + ref.String(), Type: f.Type})
		}
	}
	for i, f := range p.kept {
		if i < p.hashed {
			f.Type = fstore.String
		}
		p.fields = append(p.fields, fstore.Field{Name: p.columnName(f.Name), Type: f.Type})
	}
	for i, f := range p.info.Features {
		p.fields = append(p.fields, fstore.Field{Name: f.Name, Type: f.Type})
		if p.width += f.Type.Width(); f.Type.Width() == 0 {
			p.varying = append(p.varying, i)
		}
	}
	p.text = p.info.text()
	p.id = idOf(p.text)
	p.folder = p.info.folder()
	p.entries.New = func() any { return &entry{plan: p, batch: p.newBatch()} }
	p.scratch.New = func() any { return &scratch{} }
}

// columnName returns what a column of the request is called, beside features.
func (p *Plan) columnName(name string) string {
	if slices.ContainsFunc(p.info.Features, func(f fstore.FeatureDescription) bool { return f.Name == name }) {
		return "_key_" + name
	}
	return name
}

// folder returns where files of a plan are, below the log's folder. Names of services and models were checked when they were
// registered, so none is a path.
func (i *Info) folder() string {
	switch {
	case i.Model.Name != "":
		return "models/" + i.Model.String()
	case i.Service.Name != "":
		return "services/" + i.Service.String()
	}
	return "features/" + i.listID()
}

// listID returns an id of a list without a name: the same on every server, by what callers asked for and what decides the columns.
func (i *Info) listID() string {
	list := Info{
		Format: i.Format, Project: i.Project, Keys: i.Keys, Columns: i.Columns, Inputs: i.Inputs, Missing: i.Missing,
		Features: undescribed(i.Features), Views: i.Views, OnDemand: i.OnDemand,
	}
	return idOf(list.text())
}

// text returns info as JSON.
func (i *Info) text() string {
	text, err := json.Marshal(i)
	if err != nil { // there is no such value
		panic("servedlog: " + err.Error())
	}
	return string(text)
}

func idOf(text string) string {
	h := fnv.New64a()
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// undescribed returns features without their descriptions, which may change.
func undescribed(features []fstore.FeatureDescription) []fstore.FeatureDescription {
	out := slices.Clone(features)
	for i := range out {
		out[i].Description = ""
	}
	return out
}

// named reports whether a plan is of a service or a model, and not of a list that a caller made up.
func (p *Plan) named() bool { return p.info.Model.Name != "" || p.info.Service.Name != "" }

// newBatch returns an empty batch for entries.
func (p *Plan) newBatch() fstore.Batch {
	b := fstore.Batch{Columns: make([]fstore.Column, len(p.fields))}
	first := p.firstKept()
	for i, f := range p.fields {
		t := f.Type
		if at := i - first; at >= 0 && at < len(p.kept) {
			t = p.kept[at].Type
		}
		b.Columns[i] = fstore.NewColumn(f.Name, t, 0)
	}
	return b
}

func (p *Plan) firstKept() int { return fixedColumns + viewColumns*len(p.refs) }
