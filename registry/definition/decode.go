package definition

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/fstore-dev/fstore"
)

// decoder fills spec types from the syntax tree of one file and collects what does not fit.
type decoder struct {
	file     string
	lookup   func(string) (string, bool)
	problems *Problems
}

// nouns are the names of mappings in messages.
var nouns = map[string]string{
	"EntitySpec": "an entity", "JoinKeySpec": "a join key", "SourceSpec": "a source", "FeatureViewSpec": "a feature_view",
	"PublishSpec": "publish", "MaxStalenessSpec": "max_staleness", "MonitorSpec": "monitor", "FeatureSpec": "a feature", "AggregationSpec": "an aggregation", "FeatureServiceSpec": "a feature_service",
	"OnDemandViewSpec": "an on_demand_view", "RequestSpec": "a request column", "UseSpec": "an entry of uses", "OnDemandFeatureSpec": "a feature",
	"RefSpec": "an entry of a feature_service", "ExpectSpec": "an expectation", "AtMostSpec": "the bound of a share", "MeanSpec": "mean",
	"RowsSpec": "rows", "FreshnessSpec": "freshness", "DriftSpec": "drift",
}

// key is a field of a spec type as its tags describe it.
type key struct {
	name, form, doc string
	required, short bool
	index           []int
	typ             reflect.Type
}

// keysOf returns the keys of a spec type in order, with those of MetaSpec last.
func keysOf(t reflect.Type) []key {
	var keys []key
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		keys = append(keys, key{
			name: name, form: f.Tag.Get("form"), doc: f.Tag.Get("doc"), index: f.Index, typ: f.Type,
			required: strings.Contains(options, "required"), short: strings.Contains(options, "short"),
		})
	}
	return keys
}

func (d *decoder) pos(n ast.Node) fstore.Pos {
	p := fstore.Pos{File: d.file, Line: 1, Col: 1}
	switch n := n.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 && !n.IsFlowStyle {
			return d.pos(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return d.pos(n.Key)
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		p.Line, p.Col = max(1, t.Position.Line), max(1, t.Position.Column)
	}
	return p
}

// mapping decodes a mapping into the spec that into points to.
func (d *decoder) mapping(n ast.Node, into reflect.Value) {
	t := into.Type()
	noun, keys := nouns[t.Name()], keysOf(t)
	at := d.pos(n)
	into.FieldByName("Pos").Set(reflect.ValueOf(at))
	for _, k := range keys {
		if s, ok := scalar(n); ok && k.short {
			d.text(s, into.FieldByIndex(k.index), k)
			return
		}
	}
	m, ok := n.(ast.MapNode)
	if !ok {
		d.problems.add(at, "write its keys: "+keyNames(keys), "%s must be a mapping, not %s", noun, describe(n))
		markUnknown(into)
		return
	}
	seen := map[string]fstore.Pos{}
	for it := m.MapRange(); it.Next(); {
		name, at := keyText(it.Key()), d.pos(it.Key())
		if first, ok := seen[name]; ok {
			d.problems.add(at, "remove one of them", "%s is given twice, first on line %d", name, first.Line)
			continue
		}
		seen[name] = at
		k := find(keys, name)
		if k == nil {
			hint := fstore.DidYouMean(name, strings.Split(keyNames(keys), ", "))
			if known := otherChecks(name); known != "" && t == reflect.TypeFor[ExpectSpec]() {
				hint = known
			}
			if flow, _ := n.(*ast.MappingNode); flow != nil && flow.IsFlowStyle && it.Value().Type() == ast.NullType {
				hint = "inside { } a comma ends a value: quote text that contains a comma"
			}
			d.problems.add(at, hint, "unknown key %q in %s", name, noun)
			markUnknown(into)
			continue
		}
		d.value(it.Value(), into.FieldByIndex(k.index), *k)
	}
	for _, k := range keys {
		if _, ok := seen[k.name]; k.required && !ok {
			d.problems.add(at, k.doc, "%s has no %s", noun, k.name)
		}
	}
}

// markUnknown notes that what was written could not be read, so that nothing reports it as missing.
func markUnknown(into reflect.Value) {
	if unknown := into.FieldByName("Unknown"); unknown.IsValid() {
		unknown.SetBool(true)
	}
}

func find(keys []key, name string) *key {
	for i := range keys {
		if keys[i].name == name {
			return &keys[i]
		}
	}
	return nil
}

func keyNames(keys []key) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return strings.Join(names, ", ")
}

// value decodes the value of a key by the type of its field.
func (d *decoder) value(n ast.Node, into reflect.Value, k key) {
	switch n.Type() {
	case ast.AnchorType, ast.AliasType, ast.TagType, ast.MergeKeyType:
		d.problems.add(d.pos(n), "write the value out", "%s: YAML anchors, aliases and tags are not supported", k.name)
		d.reported(n, into)
		return
	case ast.NullType:
		if into.Type() != reflect.TypeFor[Literal]() {
			d.problems.add(d.pos(n), "give a value, or remove the key", "%s is empty", k.name)
			d.reported(n, into)
			return
		}
	}
	switch into.Addr().Interface().(type) {
	case *Text:
		d.text(n, into, k)
	case *Flag:
		d.flag(n, into.Addr().Interface().(*Flag), k)
	case *Literal:
		d.literal(n, into.Addr().Interface().(*Literal), k)
	case *[]Pair:
		d.pairs(n, into.Addr().Interface().(*[]Pair), k)
	default:
		d.compound(n, into, k)
	}
}

// compound decodes a nested mapping, or a sequence of mappings or texts.
func (d *decoder) compound(n ast.Node, into reflect.Value, k key) {
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.mapping(n, into.Elem())
	case reflect.Slice:
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			example := " … "
			if s, ok := scalar(n); ok {
				example = scalarText(s)
			}
			d.problems.add(d.pos(n), fmt.Sprintf("%s: [%s]", k.name, example), "%s must be a list, not %s", k.name, describe(n))
			return
		}
		into.Set(reflect.MakeSlice(into.Type(), len(list.Values), len(list.Values)))
		for i, e := range list.Values {
			if into.Type().Elem() == reflect.TypeFor[Text]() {
				d.value(e, into.Index(i), k)
			} else {
				d.mapping(e, into.Index(i))
			}
		}
	}
}

// reported remembers that a text was given but is wrong, so that nothing reports it as missing.
func (d *decoder) reported(n ast.Node, into reflect.Value) {
	if t, ok := into.Addr().Interface().(*Text); ok {
		*t = Text{Pos: d.pos(n)}
	}
}

func (d *decoder) text(n ast.Node, into reflect.Value, k key) {
	s, ok := scalar(n)
	if !ok {
		d.problems.add(d.pos(n), "", "%s must be text, not %s", k.name, describe(n))
		d.reported(n, into)
		return
	}
	t := Text{Value: scalarText(s), Pos: d.pos(n), written: scalarText(s)}
	lookup := d.lookup
	if k.form == "path" { // path variables are replaced when the files are read: here they only have to be well formed
		lookup = func(string) (string, bool) { return "x", true }
	}
	expanded, err := fstore.Expand(t.Value, lookup)
	if err != nil {
		d.problems.addError(t.Pos, err)
		d.reported(n, into)
		return
	}
	if k.form != "path" { // a path keeps its variables, so that data can move under old versions
		t.Value = expanded
	}
	if t.Value == "" {
		d.problems.add(t.Pos, "give a value, or remove the key", "%s is empty", k.name)
	}
	into.Set(reflect.ValueOf(t))
}

func (d *decoder) flag(n ast.Node, into *Flag, k key) {
	var t Text
	d.text(n, reflect.ValueOf(&t).Elem(), k)
	switch t.Value {
	case "true", "false":
		*into = Flag{Value: t.Value == "true", Pos: t.Pos}
	default:
		if t.Value != "" {
			d.problems.add(t.Pos, "", "%s must be true or false, not %q", k.name, t.Value)
		}
	}
}

func (d *decoder) pairs(n ast.Node, into *[]Pair, k key) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.problems.add(d.pos(n), fmt.Sprintf("%s: {name: value}", k.name), "%s must be a mapping, not %s", k.name, describe(n))
		return
	}
	*into = []Pair{}
	seen := map[string]bool{}
	for it := m.MapRange(); it.Next(); {
		p := Pair{Key: Text{Value: keyText(it.Key()), Pos: d.pos(it.Key())}}
		if seen[p.Key.Value] {
			d.problems.add(p.Key.Pos, "", "%s: %s is given twice", k.name, p.Key.Value)
			continue
		}
		seen[p.Key.Value] = true
		d.value(it.Value(), reflect.ValueOf(&p.Value).Elem(), key{name: k.name + "." + p.Key.Value})
		*into = append(*into, p)
	}
}

func (d *decoder) literal(n ast.Node, into *Literal, k key) {
	into.Pos = d.pos(n)
	raw, err := d.json(n, into, k.name)
	if err != nil {
		d.problems.addError(into.Pos, err)
		into.Pos = fstore.Pos{}
		return
	}
	into.JSON = raw
	if n, ok := scalar(n); ok {
		into.Written = scalarText(n)
	}
}

// octal matches integers that YAML 1.1 reads as octal, and YAML 1.2 and people read as decimal.
var octal = regexp.MustCompile(`^[+-]?0[0-7_]+$`)

// json writes a scalar or a list of scalars as JSON.
func (d *decoder) json(n ast.Node, into *Literal, name string) (json.RawMessage, error) {
	switch n := n.(type) {
	case *ast.SequenceNode:
		parts := make([]json.RawMessage, len(n.Values))
		for i, e := range n.Values {
			var err error
			if parts[i], err = d.json(e, &Literal{}, name); err != nil {
				return nil, err
			}
		}
		return json.Marshal(parts)
	case *ast.NullNode:
		return json.RawMessage("null"), nil
	case *ast.BoolNode:
		return json.Marshal(n.Value)
	case *ast.InfinityNode:
		if n.Value < 0 {
			return json.RawMessage(`"-Infinity"`), nil
		}
		return json.RawMessage(`"Infinity"`), nil
	case *ast.NanNode:
		return json.RawMessage(`"NaN"`), nil
	case *ast.IntegerNode:
		if written := scalarText(n); octal.MatchString(written) {
			return nil, fstore.Errorf(fstore.ErrDefinition, "%s %s is %v to some YAML parsers and another number to others", name, written, n.Value).
				WithHint("quote it: \"%s\"; or write the number without the leading 0", written)
		}
		return json.RawMessage(fmt.Sprint(n.Value)), nil
	case *ast.FloatNode:
		return number(scalarText(n), n.Value)
	}
	s, ok := scalar(n)
	if !ok {
		return nil, fstore.Errorf(fstore.ErrDefinition, "%s must be a value or a list of values, not %s", name, describe(n))
	}
	text := scalarText(s)
	expanded, err := fstore.Expand(text, d.lookup)
	if err == nil && expanded != text {
		into.Expanded = expanded
	}
	raw, _ := json.Marshal(expanded) // a string always encodes
	return raw, err
}

// number keeps the digits as written if they are valid JSON.
func number(text string, value float64) (json.RawMessage, error) {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text), nil
	}
	return json.Marshal(value)
}

// scalar returns a node if it is one text: not an anchor, an alias or a null.
func scalar(n ast.Node) (ast.ScalarNode, bool) {
	switch n := n.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.(ast.ScalarNode), true
	}
	return nil, false
}

func scalarText(n ast.ScalarNode) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return n.GetToken().Value
}

func keyText(k ast.MapKeyNode) string {
	if s, ok := k.(ast.ScalarNode); ok {
		if s, ok := scalar(s); ok {
			return scalarText(s)
		}
	}
	return k.String()
}

// describe names the shape of a node for messages.
func describe(n ast.Node) string {
	switch n.Type() {
	case ast.SequenceType:
		return "a list"
	case ast.MappingType, ast.MappingValueType:
		return "a mapping"
	case ast.NullType:
		return "nothing"
	case ast.AnchorType, ast.AliasType, ast.TagType:
		return "an anchor, alias or tag"
	case ast.DirectiveType:
		return "a % directive"
	}
	if s, ok := scalar(n); ok {
		return fmt.Sprintf("%q", scalarText(s))
	}
	return "this"
}
