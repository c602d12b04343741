// Package schematest checks JSON values against JSON Schemas in tests. It supports the keywords that the schemas of
// this repo use, and reports any other keyword as a violation. A $ref may name a definition in another file.
package schematest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Schemas caches schema files, and records which of their members have occurred in a value.
type Schemas struct {
	files map[string]map[string]any
	met   map[string]bool // file#Definition.member
}

// New returns an empty set.
func New() *Schemas {
	return &Schemas{files: map[string]map[string]any{}, met: map[string]bool{}}
}

// File returns the root schema of a file.
func (s *Schemas) File(path string) (map[string]any, error) {
	path = filepath.Clean(path)
	if s.files[path] == nil {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var root map[string]any
		if err := json.Unmarshal(text, &root); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		s.files[path] = root
	}
	return s.files[path], nil
}

// Ref returns the schema that a $ref in a file names, and the file that it is in.
func (s *Schemas) Ref(file, ref string) (map[string]any, string, error) {
	path, name, inner := strings.Cut(ref, "#/$defs/")
	if path != "" {
		file = filepath.Join(filepath.Dir(file), path)
	}
	root, err := s.File(file)
	if err != nil || !inner {
		return root, file, err
	}
	defs, _ := root["$defs"].(map[string]any)
	def, ok := defs[name].(map[string]any)
	if !ok {
		return nil, file, fmt.Errorf("%s has no definition %s", file, name)
	}
	return def, file, nil
}

// Violations returns how a value violates the schema of a file: nothing if it is valid.
func (s *Schemas) Violations(file string, value any) []string {
	root, err := s.File(file)
	if err != nil {
		return []string{err.Error()}
	}
	c := check{Schemas: s}
	c.value(filepath.Clean(file), root, value, "")
	return c.wrong
}

// Unmet returns the members of a file's objects that no value has had yet, in order: "definition.member". It omits
// the members of an unmet member.
func (s *Schemas) Unmet(file string) []string {
	file = filepath.Clean(file)
	var unmet []string
	var walk func(schema any, at string)
	walk = func(schema any, at string) {
		switch schema := schema.(type) {
		case []any:
			for _, e := range schema {
				walk(e, at)
			}
		case map[string]any:
			properties, _ := schema["properties"].(map[string]any)
			for name, p := range properties {
				if s.met[s.key(file, schema, name)] {
					walk(p, at+"."+name)
				} else {
					unmet = append(unmet, at+"."+name)
				}
			}
			defs, _ := schema["$defs"].(map[string]any)
			for name, d := range defs {
				walk(d, name)
			}
			walk(schema["items"], at)
			walk(schema["anyOf"], at)
		}
	}
	root, _ := s.File(file)
	walk(root, strings.TrimSuffix(filepath.Base(file), ".json"))
	slices.Sort(unmet)
	return slices.Compact(unmet)
}

// key identifies a member of an object schema.
func (s *Schemas) key(file string, schema map[string]any, member string) string {
	return fmt.Sprintf("%s#%p.%s", file, schema, member)
}

type check struct {
	*Schemas
	wrong []string
}

func (c *check) bad(at, format string, args ...any) {
	c.wrong = append(c.wrong, at+": "+fmt.Sprintf(format, args...))
}

func (c *check) value(file string, schema map[string]any, v any, at string) {
	for keyword, want := range schema {
		switch keyword {
		case "$schema", "$defs", "title", "description", "format", "default", "properties", "additionalProperties":
		case "$ref":
			def, in, err := c.Ref(file, want.(string))
			if err != nil {
				c.bad(at, "%v", err)
				continue
			}
			c.value(in, def, v, at)
		case "type":
			if !hasType(v, want) {
				c.bad(at, "%v is not %v", v, want)
			}
		case "const":
			if v != want {
				c.bad(at, "%v is not %v", v, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), v) {
				c.bad(at, "%v is not one of %v", v, want)
			}
		case "pattern":
			if text, ok := v.(string); !ok || !regexp.MustCompile(want.(string)).MatchString(text) {
				c.bad(at, "%v does not match %v", v, want)
			}
		case "required":
			c.required(want.([]any), v, at)
		case "items":
			list, _ := v.([]any)
			for i, e := range list {
				c.value(file, want.(map[string]any), e, fmt.Sprintf("%s[%d]", at, i))
			}
		case "anyOf":
			c.anyOf(file, want.([]any), v, at)
		default:
			c.bad(at, "schematest does not know %s", keyword)
		}
	}
	c.members(file, schema, v, at)
}

func (c *check) required(names []any, v any, at string) {
	o, ok := v.(map[string]any)
	for _, name := range names {
		if _, has := o[name.(string)]; ok && !has {
			c.bad(at, "it has no %v", name)
		}
	}
}

func (c *check) anyOf(file string, options []any, v any, at string) {
	var wrong []string
	for _, option := range options {
		one := check{Schemas: c.Schemas}
		one.value(file, option.(map[string]any), v, at)
		if len(one.wrong) == 0 {
			return
		}
		wrong = append(wrong, one.wrong...)
	}
	c.wrong = append(c.wrong, wrong...)
}

func (c *check) members(file string, schema map[string]any, v any, at string) {
	o, _ := v.(map[string]any)
	properties, _ := schema["properties"].(map[string]any)
	for name, e := range o {
		if p, ok := properties[name].(map[string]any); ok {
			c.met[c.key(file, schema, name)] = true
			c.value(file, p, e, at+"."+name)
		} else if more, ok := schema["additionalProperties"].(map[string]any); ok {
			c.value(file, more, e, at+"."+name)
		} else if schema["additionalProperties"] == false {
			c.bad(at, "%s is unknown", name)
		}
	}
}

// hasType reports whether a value has one of the types that a schema allows. An integer is also a number.
func hasType(v, want any) bool {
	types, many := want.([]any)
	if !many {
		types = []any{want}
	}
	is := typeOf(v)
	return slices.Contains(types, any(is)) || is == "integer" && slices.Contains(types, any("number"))
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	}
	return "object"
}
