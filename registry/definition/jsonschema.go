package definition

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/fstore-dev/fstore"
)

// JSONSchema returns the JSON Schema of definition files, for editors. It is generated from the types that the loader
// reads, so the two cannot disagree.
func JSONSchema() ([]byte, error) {
	g := &schemaWriter{defs: map[string]*jsonSchema{}}
	root := &jsonSchema{
		Schema: "https://json-schema.org/draft/2020-12/schema",
		Title:  "fstore definitions",
		Description: "A document of a feature repo: an entity, a source, a feature_view, an on_demand_view or a feature_service. " +
			"${VAR:-default} works in every value.",
		Type:       "object",
		Required:   []string{"kind"},
		Properties: map[string]*jsonSchema{"kind": {Enum: kinds, Description: "What the document defines."}},
	}
	for i, spec := range []any{EntitySpec{}, SourceSpec{}, FeatureViewSpec{}, OnDemandViewSpec{}, FeatureServiceSpec{}} {
		root.AllOf = append(root.AllOf, &jsonSchema{
			If:   &jsonSchema{Properties: map[string]*jsonSchema{"kind": {Const: kinds[i]}}, Required: []string{"kind"}},
			Then: g.object(reflect.TypeOf(spec)),
		})
	}
	root.Defs = g.defs
	b, err := json.MarshalIndent(root, "", "  ")
	return append(b, '\n'), err
}

// jsonSchema is the part of the vocabulary that definitions need.
type jsonSchema struct {
	Schema               string                 `json:"$schema,omitempty"`
	Ref                  string                 `json:"$ref,omitempty"`
	Title                string                 `json:"title,omitempty"`
	Description          string                 `json:"description,omitempty"`
	Type                 string                 `json:"type,omitempty"`
	Const                string                 `json:"const,omitempty"`
	Enum                 []string               `json:"enum,omitempty"`
	Pattern              string                 `json:"pattern,omitempty"`
	Examples             []string               `json:"examples,omitempty"`
	Properties           map[string]*jsonSchema `json:"properties,omitempty"`
	AdditionalProperties any                    `json:"additionalProperties,omitempty"` // false, or a *jsonSchema
	Required             []string               `json:"required,omitempty"`
	Items                *jsonSchema            `json:"items,omitempty"`
	AnyOf                []*jsonSchema          `json:"anyOf,omitempty"`
	OneOf                []*jsonSchema          `json:"oneOf,omitempty"`
	AllOf                []*jsonSchema          `json:"allOf,omitempty"`
	If                   *jsonSchema            `json:"if,omitempty"`
	Then                 *jsonSchema            `json:"then,omitempty"`
	Defs                 map[string]*jsonSchema `json:"$defs,omitempty"`
}

type schemaWriter struct{ defs map[string]*jsonSchema }

// object describes a spec type. Nested types become definitions of the schema.
func (g *schemaWriter) object(t reflect.Type) *jsonSchema {
	s := &jsonSchema{Type: "object", Properties: map[string]*jsonSchema{}, AdditionalProperties: false}
	for _, k := range keysOf(t) {
		p := g.value(k.typ, k)
		if k.form == "not_null" { // the text stands alone
			p = &jsonSchema{Type: "boolean"}
		}
		p.Description = k.doc
		s.Properties[k.name] = p
		if k.required {
			s.Required = append(s.Required, k.name)
		}
	}
	if t == reflect.TypeFor[FeatureViewSpec]() {
		s.OneOf = []*jsonSchema{{Required: []string{"source"}}, {Required: []string{"sql"}}}
		s.AnyOf = []*jsonSchema{{Required: []string{"features"}}, {Required: []string{"aggregations"}}}
	}
	return s
}

func (g *schemaWriter) value(t reflect.Type, k key) *jsonSchema {
	switch t {
	case reflect.TypeFor[Text]():
		return text(k.form)
	case reflect.TypeFor[Flag]():
		return &jsonSchema{Type: "boolean"}
	case reflect.TypeFor[Literal]():
		if k.form != "" { // a list
			return &jsonSchema{Type: "array", Items: &jsonSchema{}}
		}
		return &jsonSchema{}
	case reflect.TypeFor[[]Pair]():
		return &jsonSchema{Type: "object", AdditionalProperties: &jsonSchema{}}
	}
	switch t.Kind() {
	case reflect.Slice:
		return &jsonSchema{Type: "array", Items: g.value(t.Elem(), k)}
	case reflect.Pointer:
		return g.value(t.Elem(), k)
	}
	return g.ref(t)
}

// ref describes a nested mapping. If the mapping has a short form, it may also be the text of that key.
func (g *schemaWriter) ref(t reflect.Type) *jsonSchema {
	name := strings.TrimSuffix(t.Name(), "Spec")
	if g.defs[name] == nil {
		g.defs[name] = g.object(t)
	}
	ref := &jsonSchema{Ref: "#/$defs/" + name}
	for _, k := range keysOf(t) {
		if k.short {
			return &jsonSchema{AnyOf: []*jsonSchema{text(k.form), ref}}
		}
	}
	return ref
}

// variable matches a value given by ${VAR}, where the value otherwise has a fixed form.
const variable = `.*\$\{.*\}.*`

// text describes a text by its form.
func text(form string) *jsonSchema {
	const name, duration = "[a-z][a-z0-9_]{0,127}", "([0-9]+(us|ms|s|m|h|d|w))+"
	s := &jsonSchema{Type: "string"}
	pattern := func(p string, examples ...string) {
		s.Pattern, s.Examples = "^("+p+"|"+variable+")$", examples
	}
	if value, ok := strings.CutPrefix(form, "const "); ok {
		return &jsonSchema{Const: value}
	}
	switch form {
	case "beyond":
		pattern(string(fstore.BeyondFlag)+"|"+string(fstore.BeyondRefuse), string(fstore.BeyondRefuse))
	case "current":
		pattern(fstore.MonitorStore+"|"+fstore.MonitorServed, fstore.MonitorServed)
	case "period":
		pattern(strings.Join(periods, "|"), "day")
	case "not_null":
		return &jsonSchema{Const: form}
	case "severity":
		pattern(string(fstore.SeverityError)+"|"+string(fstore.SeverityWarn), string(fstore.SeverityWarn))
	case "share":
		return &jsonSchema{AnyOf: []*jsonSchema{{Type: "number"}, {Type: "string", Pattern: "^([0-9.]+ *%|" + variable + ")$"}}}
	case "driftmode":
		return &jsonSchema{Type: "string", Pattern: "^(off|auto|" + variable + ")$", Examples: []string{"auto", "off"}}
	case "threshold", "sharethreshold":
		written := "off|auto"
		if form == "sharethreshold" {
			written = "off|[0-9.]+ *%"
		}
		return &jsonSchema{AnyOf: []*jsonSchema{{Type: "number"}, {Type: "string", Pattern: "^(" + written + "|" + variable + ")$"}}}
	case "count":
		return &jsonSchema{AnyOf: []*jsonSchema{{Type: "integer"}, {Type: "string", Pattern: "^" + variable + "$"}}}
	case "name":
		pattern(name)
	case "duration":
		pattern(duration, "90d", "12h", "1h30m")
	case "window":
		pattern("lifetime|"+duration, "7d", "12h", "lifetime")
	case "function":
		for _, f := range fstore.Functions() {
			s.Enum = append(s.Enum, string(f))
		}
	case "availability":
		pattern("created|event|event *\\+ *"+duration, "created", "event", "event + 2h")
	case "ref":
		pattern(name+`\.(`+name+`|\*)`, "customer_orders.order_value", "customer_orders.*")
	case "sqlfile":
		pattern(`.*\.sql`, "customer_orders.sql")
	case "path":
		s.Examples = []string{"${DATA:-data}/lines/*.parquet"}
	case "type":
		for _, t := range fstore.Scalars() {
			s.Enum = append(s.Enum, t.String())
		}
		for _, t := range fstore.Scalars() {
			s.Enum = append(s.Enum, fstore.List(t).String())
		}
	case "keytype":
		for _, t := range fstore.Scalars() {
			if t.IsKey() {
				s.Enum = append(s.Enum, t.String())
			}
		}
	default:
		s.Type = "" // numbers and booleans are valid texts too
	}
	return s
}
