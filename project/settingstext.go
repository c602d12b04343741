package project

import (
	"cmp"
	"errors"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/goccy/go-yaml/ast"
)

// settingsText is fstore.yaml as written: the expanded values by key, and their positions.
type settingsText struct {
	values map[string]string
	pos    map[string]fstore.Pos
	notify []notifyText
}

// nested returns the values as viper expects them: a map in a map for each dot of a key.
func (t *settingsText) nested() map[string]any {
	out := map[string]any{}
	for key, value := range t.values {
		in, name := out, key
		for group, rest, dotted := strings.Cut(name, "."); dotted; group, rest, dotted = strings.Cut(name, ".") {
			inner, _ := in[group].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
				in[group] = inner
			}
			in, name = inner, rest
		}
		in[name] = value
	}
	return out
}

// parseSettings parses the text of fstore.yaml and expands ${VAR} and ${VAR:-default} in its values. It reports all
// mistakes at once, each with its position: invalid YAML, unknown settings, invalid values.
func parseSettings(file string, text []byte, lookup func(string) (string, bool)) (*settingsText, error) {
	t := &settingsText{values: map[string]string{}, pos: map[string]fstore.Pos{}}
	parsed, problem := definition.ParseYAML(file, text)
	if problem != nil {
		return nil, problemError(problem)
	}
	w := settingsWalk{file: file, lookup: lookup, out: t, keys: map[string]int{}}
	for i, doc := range parsed.Docs {
		if i > 0 && doc.Body != nil {
			w.bad(doc.Body, "a second document: settings must be one document")
			continue
		}
		w.mapping(doc.Body, "")
	}
	if len(w.wrong) > 0 {
		return nil, errors.Join(w.wrong...)
	}
	return t, nil
}

type settingsWalk struct {
	file   string
	lookup func(string) (string, bool)
	out    *settingsText
	keys   map[string]int // the keys seen, with their lines
	wrong  []error
}

// at returns the position of a node. For keys and values, the parser gives that of the first colon.
func (w *settingsWalk) at(n ast.Node) fstore.Pos {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0]
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	p := n.GetToken().Position
	return fstore.Pos{File: w.file, Line: p.Line, Col: p.Column}
}

func (w *settingsWalk) bad(n ast.Node, format string, args ...any) {
	w.wrong = append(w.wrong, fstore.ErrorAt(fstore.ErrDefinition, w.at(n), format, args...))
}

// mapping reads the keys of one level: "" is the file, otherwise a group with its dot, such as "offline.".
func (w *settingsWalk) mapping(n ast.Node, group string) {
	switch n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return
	}
	m, ok := n.(ast.MapNode)
	if !ok {
		w.bad(n, "expected keys and values%s", in(group))
		return
	}
	for it := m.MapRange(); it.Next(); {
		key := group + it.Key().GetToken().Value
		switch {
		case isGroup(key):
			w.isFirst(key, it.Key())
			w.mapping(it.Value(), key+".")
		case key == notifyKey:
			if w.isFirst(key, it.Key()) {
				w.notify(it.Value())
			}
		case isSetting(key):
			if w.isFirst(key, it.Key()) {
				w.value(key, it.Value())
			}
		default:
			w.bad(it.Key(), "%s is not a setting%s", key, suggestion(key))
		}
	}
}

// isFirst reports a duplicate key and returns false for it.
func (w *settingsWalk) isFirst(key string, n ast.Node) bool {
	if first, twice := w.keys[key]; twice {
		w.bad(n, "%s is given twice, first on line %d", key, first)
		return false
	}
	w.keys[key] = w.at(n).Line
	return true
}

func in(group string) string {
	if group == "" {
		return ""
	}
	return " in " + strings.TrimSuffix(group, ".")
}

func (w *settingsWalk) value(key string, n ast.Node) {
	w.out.pos[key] = w.at(n)
	if text, ok := w.scalar(key, n); ok {
		w.out.values[key] = text
	}
}

// scalar returns a single value with its variables replaced, and reports anything else.
func (w *settingsWalk) scalar(key string, n ast.Node) (string, bool) {
	text, ok := scalarText(n)
	if !ok {
		what := "expected one value"
		switch n.Type() {
		case ast.AnchorType, ast.AliasType, ast.TagType:
			what = "YAML anchors, aliases and tags are not supported"
		}
		w.bad(n, "%s: %s", key, what)
		return "", false
	}
	text, err := fstore.Expand(text, w.lookup)
	if err != nil {
		message, hints := fstore.Explain(err)
		w.wrong = append(w.wrong, fstore.ErrorAt(fstore.ErrDefinition, w.at(n), "%s: %s", key, message).WithHint("%s", hints[0]))
	}
	return text, true
}

// scalarText returns a single value as written, or "" for null.
func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.NullNode:
		return "", true
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimSpace(n.Value.Value), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func isSetting(key string) bool {
	for _, k := range settingKeys {
		if k.name == key {
			return true
		}
	}
	return false
}

func isGroup(key string) bool {
	for _, k := range settingKeys {
		if strings.HasPrefix(k.name, key+".") {
			return true
		}
	}
	return false
}

// suggestion names what replaces key, or the setting that is most like it, or says where they all are.
func suggestion(key string) string {
	if instead := removedSettings[key]; instead != "" {
		return " any more (" + instead + ")"
	}
	names := make([]string, len(settingKeys))
	for i, k := range settingKeys {
		names[i] = k.name
	}
	names = append(names, notifyKey)
	return " (" + cmp.Or(fstore.DidYouMean(key, names), "docs/configuration.md lists the settings") + ")"
}
