package lock

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/stats"
)

// Schema returns the JSON Schema of locks. It is made from the types that are written and read, so that it cannot
// say anything else.
func Schema() ([]byte, error) {
	w := &lockSchema{defs: map[string]any{}}
	root := w.object(reflect.TypeFor[Lock]())
	root["$schema"], root["title"] = "https://json-schema.org/draft/2020-12/schema", "fstore lock"
	root["description"] = "What a training set was made from and what came out, as fstore training-set create writes it (docs/lock.md)."
	root["properties"].(map[string]any)["format"].(map[string]any)["enum"] = []int{oldestFormat, Format}
	root["$defs"] = w.defs
	b, err := json.MarshalIndent(root, "", "  ")
	return append(b, '\n'), err
}

// lockSchema collects the structs that are met.
type lockSchema struct{ defs map[string]any }

// object describes a struct as encoding/json writes it.
func (w *lockSchema) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	w.fields(t, properties, &required)
	o := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

func (w *lockSchema) fields(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			w.fields(f.Type, properties, required)
			continue
		}
		if name == "-" {
			continue
		}
		p := w.value(f.Type)
		if digits := map[string]string{"sha256": "64", "digest": "64", "content": "64", "fingerprint": "64", "md5": "32"}[name]; digits != "" {
			p["pattern"] = "^[0-9a-f]{" + digits + "}$"
		}
		if doc := f.Tag.Get("doc"); doc != "" {
			p["description"] = doc
		}
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
			if f.Type.Kind() == reflect.Slice && f.Type != reflect.TypeFor[json.RawMessage]() {
				p["type"] = []string{"array", "null"} // null: none
			}
		}
		properties[name] = p
	}
}

func (w *lockSchema) value(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[fstore.Duration]():
		return map[string]any{"type": "string", "pattern": "^([0-9]+(us|ms|s|m|h|d|w))+$"}
	case reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	case reflect.TypeFor[fstore.Type]():
		names := []string{}
		for _, t := range fstore.Scalars() {
			names = append(names, t.String(), fstore.List(t).String())
		}
		return map[string]any{"enum": names}
	case reflect.TypeFor[fstore.Value]():
		return map[string]any{
			"type": "object", "additionalProperties": false, "required": []string{"type", "value"},
			"properties": map[string]any{"type": w.value(reflect.TypeFor[fstore.Type]()), "value": map[string]any{}},
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return w.value(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": w.value(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": w.value(t.Elem())}
	case reflect.Struct:
		name := definitionName(t)
		if w.defs[name] == nil {
			w.defs[name] = map[string]any{} // so that it is not entered twice
			w.defs[name] = w.object(t)
		}
		return map[string]any{"$ref": "#/$defs/" + name}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.String:
		return map[string]any{"type": "string"}
	}
	return map[string]any{"type": "integer"}
}

// definitionName names a struct in the schema. Structs of this package that a definition also has, such as Feature, are
// told apart by the prefix Lock.
func definitionName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[stats.Statistics](), reflect.TypeFor[stats.Bin](), reflect.TypeFor[Sample]():
		return t.Name()
	}
	if t.PkgPath() == reflect.TypeFor[Lock]().PkgPath() {
		return "Lock" + t.Name()
	}
	return t.Name()
}
