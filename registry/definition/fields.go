package definition

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// field is one field of a definition, as plan shows it.
type field struct {
	path, value string
	counts      bool
	why         string
	as          comparison
	added, gone string // why it counts if only one version has it; empty means why
	meaning     string // of asMeaning: fields of one meaning are the same
}

// comparison is how two values of a field are compared.
type comparison int

const (
	asText       comparison = iota
	asSQL                   // as queries: layout does not count
	asExpression            // likewise, as expressions
	asOrder                 // as an order of names: shown only if both have the same names
	asMeaning               // by what they mean: layout and the names of inputs do not count
)

// Fields lists the fields of a definition that have a value.
type Fields []field

func (l *Fields) counts(path, value, why string) {
	l.add(field{path: path, value: value, counts: true, why: why})
}

func (l *Fields) silent(path, value, why string) { l.add(field{path: path, value: value, why: why}) }

// part adds a part of a definition, such as a feature, and why it counts if it is changed, added or removed.
func (l *Fields) part(path, value, changed, added, gone string) {
	l.add(field{path: path, value: value, counts: true, why: changed, added: added, gone: gone})
}

func (l *Fields) add(f field) {
	if f.value != "" {
		*l = append(*l, f)
	}
}

const (
	forPeople = "it is documentation and changes no value"
	tagsWhy   = "tags change no value"
)

func (l *Fields) meta(prefix string, m fstore.Meta) {
	l.silent(prefix+"description", m.Description, forPeople)
	l.silent(prefix+"owner", m.Owner, forPeople)
	for _, k := range slices.Sorted(maps.Keys(m.Tags)) {
		l.silent(prefix+"tags."+k, m.Tags[k], tagsWhy)
	}
}

func fieldTexts(fs []fstore.Field) string {
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = f.Name + " " + f.Type.String()
	}
	return strings.Join(parts, ", ")
}

// EntityFields lists the fields of an entity.
func EntityFields(e *fstore.Entity) Fields {
	var l Fields
	keys := slices.Clone(e.JoinKeys)
	fstore.SortFields(keys)
	l.counts("join_keys", fieldTexts(keys), "it is the key of every view of the entity")
	if order := fieldTexts(e.JoinKeys); order != fieldTexts(keys) {
		l.silent("join_keys order", order, "keys are matched by name")
	}
	l.meta("", e.Meta)
	return l
}

// SourceFields lists the fields of a source.
func SourceFields(s *fstore.Source) Fields { return sourceFields(s, "", true) }

// sourceFields lists the fields of a source. A view's own source is listed without its metadata.
func sourceFields(s *fstore.Source, prefix string, withMeta bool) Fields {
	var l Fields
	l.counts(prefix+"path", s.Path, "different files have different rows")
	for _, from := range slices.Sorted(maps.Keys(s.Rename)) {
		l.counts(prefix+"rename."+from, s.Rename[from], "it counts only where a view uses the column")
	}
	l.counts(prefix+"optional_columns", strings.Join(s.Optional, ", "), "it counts only where a view uses the column")
	l.counts(prefix+"event_timestamp", s.Event, "it decides when a row is true")
	l.counts(prefix+"created_timestamp", s.Created, "it decides when a row is known, and which of two rows wins")
	if !s.Static() {
		l.counts(prefix+"availability", availabilityText(s.Available), availabilityWhy)
	}
	if withMeta {
		l.expect("", s.Expect)
		l.meta("", s.Meta)
	}
	return l
}

const availabilityWhy = "it decides when a row may be used"

// availabilityText distinguishes availabilities exactly as the fingerprint does.
func availabilityText(a fstore.Available) string {
	if a.IsEvent() && !a.Stated {
		return "event (default)"
	}
	return a.String()
}

// ViewFields lists the fields of a version of a view and of its inputs. It returns nil for nil.
func ViewFields(v *fstore.ViewVersion) Fields {
	if v == nil {
		return nil
	}
	l := viewFields(&v.View, "")
	l.schedule(&v.View)
	l.expect("", v.View.Expect)
	l.drift("", v.View.Drift)
	l.meta("", v.View.Meta)
	for i := range v.Sources {
		prefix := v.Sources[i].Name + "."
		if v.Sources[i].Name == v.View.Source {
			prefix = "source." // the source's name does not count
		}
		for _, f := range sourceFields(&v.Sources[i], prefix, false) {
			l.add(f)
		}
	}
	for i := range v.Views {
		for _, f := range viewFields(&v.Views[i], v.Views[i].Name+".") {
			l.add(f)
		}
	}
	return l
}

// schedule lists the fields that affect only look-ups of the view itself.
func (l *Fields) schedule(v *fstore.View) {
	if v.TTL != nil {
		l.counts("ttl", v.TTL.String(), "it decides which values are too old")
	}
	if p := v.Publish; p != nil {
		const why = "it decides which rows training may see"
		l.counts("publish.every", p.Every.String(), why)
		l.counts("publish.offset", p.Offset.String(), why)
		l.counts("publish.delay", p.Delay.String(), why)
	}
	if !v.Static() {
		l.counts("availability", availabilityText(v.Available), availabilityWhy)
	}
	if v.Offline {
		l.silent("online", "false", "it decides where the view is used, not its values")
	}
	for _, f := range v.Features {
		if f.Default != nil {
			l.counts("features."+f.Name+".default", string(f.Default.AppendJSON(nil, 0)), "it replaces missing values")
		}
		l.expect("features."+f.Name+".", f.Expect)
		l.drift("features."+f.Name+".", f.Drift)
		l.meta("features."+f.Name+".", f.Meta)
	}
	names := make([]string, len(v.Features))
	for i, f := range v.Features {
		names[i] = f.Name
	}
	l.add(field{path: "features order", value: strings.Join(names, ", "), why: "records store features by name", as: asOrder})
}

// viewFields lists the fields that the rows of a view depend on.
func viewFields(v *fstore.View, prefix string) Fields {
	var l Fields
	l.silent(prefix+"entities", strings.Join(v.Entities, ", "), "their keys count, not their names")
	l.counts(prefix+"keys", fieldTexts(v.Keys), "they identify the entity of a row")
	l.silent(prefix+"source", v.Source, "its columns count, not its name")
	l.silent(prefix+"sql_file", v.SQLFile, "the text counts, not the file")
	l.add(field{path: prefix + "sql", value: v.SQL, counts: true, why: "a different query has different rows", as: asSQL})
	if v.SQL != "" {
		l.counts(prefix+"event_timestamp", v.Event, "it decides when a row is true")
		l.counts(prefix+"created_timestamp", v.Created, "it decides when a row is known, and which of two rows wins")
	}
	for _, f := range v.ByName() {
		const added, gone = "the view has one more feature", "the view no longer has the feature"
		l.part(prefix+"features."+f.Name+".type", f.Type.String(), "the feature has another type", added, gone)
		l.part(prefix+"features."+f.Name+".column", f.Column, "the feature comes from another column", added, gone)
		if w := f.Window; w != nil {
			l.window(prefix+"features."+f.Name+".", w, added, gone)
		}
	}
	return l
}

// window lists the fields of a windowed feature.
func (l *Fields) window(prefix string, w *fstore.Window, added, gone string) {
	const why = "the feature aggregates other rows, or in another way"
	function := string(w.Function)
	switch w.Function {
	case fstore.Percentile:
		function += fmt.Sprintf(", p %v", w.P)
	case fstore.LastN:
		function += fmt.Sprintf(", n %d", w.N)
	default:
	}
	l.part(prefix+"function", function, why, added, gone)
	l.add(field{path: prefix + "expression", value: w.Expression, counts: true, why: why, as: asExpression, added: added, gone: gone})
	l.add(field{path: prefix + "where", value: w.Where, counts: true, why: why, as: asExpression, added: added, gone: gone})
	l.part(prefix+"window", w.Over(), why, added, gone)
}

// ServiceFields lists the fields of a version of a service. It returns nil for nil.
func ServiceFields(s *ServiceVersion) Fields {
	if s == nil {
		return nil
	}
	var l Fields
	names := make([]string, len(s.Outputs))
	for i, o := range s.Outputs {
		names[i] = o.Name()
		l.part("features."+o.Name(), outputText(s, o), "the output comes from another feature or key", "the service has one more output", "the service no longer has the output")
	}
	for _, u := range s.Uses {
		if !slices.ContainsFunc(l, func(f field) bool { return f.path == "uses."+u.View.Name }) {
			l.part("uses."+u.View.Name, fmt.Sprintf("%s@%d", u.View.Name, u.View.Version), "the service uses another version of the view", "the service uses one more view", "the service no longer uses the view")
		}
	}
	for _, ref := range s.OnDemand {
		l.part("uses."+ref.Name, ref.String(), "the service uses another version of the on-demand view", "the service uses one more on-demand view", "the service no longer uses the on-demand view")
	}
	l.requestMapping(s.Service.Request)
	l.silent("max_staleness", s.Service.MaxStaleness.String(), "it bounds the age of answers and changes no value")
	l.monitor(s.Service.Monitor)
	l.add(field{path: "features order", value: strings.Join(names, ", "), counts: true, why: "a model reads its features in order", as: asOrder})
	l.meta("", s.Service.Meta)
	return l
}

// outputText says where the value of an output comes from.
func outputText(s *ServiceVersion, o fstore.Output) (value string) {
	switch o := o.(type) {
	case fstore.FeatureOutput:
		u := s.Uses[o.Use]
		value = u.View.Name + "." + o.Feature + byColumns(u.Keys)
	case fstore.OnDemandOutput:
		value = s.OnDemand[o.OnDemand].Name + "." + o.Feature
	}
	return value
}
