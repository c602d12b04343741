package main

import (
	"errors"
	"fmt"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// settingsText is fstore.yaml as it was written: the values by key, expanded, and where they stand.
type settingsText struct {
	values map[string]string
	pos    map[string]fstore.Pos
}

// nested returns the values as viper wants them: a map in a map for a key with a dot.
func (t *settingsText) nested() map[string]any {
	out := map[string]any{}
	for key, value := range t.values {
		group, name, dotted := strings.Cut(key, ".")
		if !dotted {
			out[key] = value
			continue
		}
		inner, _ := out[group].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
			out[group] = inner
		}
		inner[name] = value
	}
	return out
}

// parseSettings reads the text of fstore.yaml and replaces ${VAR} and ${VAR:-default} in its values. All mistakes
// are reported at once, each with its position: not YAML, a key that is not a setting, a value that is not one.
func parseSettings(file string, text []byte, lookup func(string) (string, bool)) (*settingsText, error) {
	t := &settingsText{values: map[string]string{}, pos: map[string]fstore.Pos{}}
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) && syntax.GetToken() != nil {
			p := syntax.GetToken().Position
			return nil, fstore.Errorf(fstore.ErrDefinition, "%s: %s", fstore.Pos{File: file, Line: p.Line, Col: p.Column}, syntax.GetMessage())
		}
		return nil, fstore.Errorf(fstore.ErrDefinition, "%s: %v", file, err)
	}
	w := settingsWalk{file: file, lookup: lookup, out: t}
	for i, doc := range parsed.Docs {
		if i > 0 && doc.Body != nil {
			w.bad(doc.Body, "a second document: settings are one")
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
	wrong  []error
}

func (w *settingsWalk) at(n ast.Node) fstore.Pos {
	p := n.GetToken().Position
	return fstore.Pos{File: w.file, Line: p.Line, Col: p.Column}
}

func (w *settingsWalk) bad(n ast.Node, format string, args ...any) {
	w.wrong = append(w.wrong, fstore.Errorf(fstore.ErrDefinition, "%s: %s", w.at(n), fmt.Sprintf(format, args...)))
}

// mapping reads the keys of one level: "" is the file, else the name of a group such as offline.
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
		case group == "" && isGroup(key):
			w.mapping(it.Value(), key+".")
		case isSetting(key):
			w.value(key, it.Value())
		default:
			w.bad(it.Key(), "%s is not a setting%s", key, suggestion(key))
		}
	}
}

func in(group string) string {
	if group == "" {
		return ""
	}
	return " in " + strings.TrimSuffix(group, ".")
}

func (w *settingsWalk) value(key string, n ast.Node) {
	if _, twice := w.out.pos[key]; twice {
		w.bad(n, "%s is given twice", key)
		return
	}
	scalar, ok := n.(ast.ScalarNode)
	if !ok {
		w.bad(n, "%s: expected one value", key)
		return
	}
	w.out.pos[key] = w.at(n)
	text := ""
	if _, null := n.(*ast.NullNode); !null {
		text = fmt.Sprint(scalar.GetValue())
	}
	text, err := fstore.Expand(text, w.lookup)
	if err != nil {
		message, hints := explain(err)
		w.wrong = append(w.wrong, fstore.Errorf(fstore.ErrDefinition, "%s: %s: %s", w.at(n), key, message).WithHint("%s", hints[0]))
	}
	w.out.values[key] = text
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

// suggestion names the setting that key is most like, or all of them.
func suggestion(key string) string {
	names := make([]string, len(settingKeys))
	for i, k := range settingKeys {
		names[i] = k.name
	}
	return " (" + registry.DidYouMean(key, names) + ")"
}
