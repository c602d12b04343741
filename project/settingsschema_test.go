package project

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// settingsSchema is the JSON Schema of fstore.yaml, for editors. A value may always be text, for ${VAR}.
func settingsSchema() ([]byte, error) {
	type schema = map[string]any
	properties := schema{}
	object := func(properties schema) schema {
		return schema{"type": "object", "additionalProperties": false, "properties": properties}
	}
	for _, k := range settingKeys {
		into, name := properties, k.name
		for group, inner, dotted := strings.Cut(name, "."); dotted; group, inner, dotted = strings.Cut(name, ".") {
			if into[group] == nil {
				into[group] = object(schema{})
			}
			into, name = into[group].(schema)["properties"].(schema), inner
		}
		value := schema{"type": []string{"string", "integer"}, "description": k.doc}
		if k.fallback != "" {
			value["default"] = k.fallback
		}
		into[name] = value
	}
	target := schema{}
	for _, k := range notifyKeys {
		value := schema{"type": []string{"string", "integer"}, "description": k.doc}
		if k.fallback != "" {
			value["default"] = k.fallback
		}
		target[k.name] = value
	}
	events := schema{"enum": []string{"check_failed", "drift", "late"}}
	target["on"] = schema{"anyOf": []schema{events, {"type": "array", "items": events, "minItems": 1}}, "description": target["on"].(schema)["description"]}
	target["allow_http"].(schema)["type"] = []string{"string", "boolean"}
	properties[notifyKey] = schema{
		"anyOf":       []schema{object(target), {"type": "array", "items": object(target), "maxItems": maxTargets}},
		"description": "who is told of alerts: one target or a list of them",
	}
	root := object(properties)
	root["$schema"], root["title"] = "https://json-schema.org/draft/2020-12/schema", "fstore settings"
	b, err := json.MarshalIndent(root, "", "  ")
	return append(b, '\n'), err
}

var update = flag.Bool("update", false, "write the schema of the settings anew")

//go:generate go test . -run TestSettingsSchemaIsCurrent -update

func TestSettingsSchemaIsCurrent(t *testing.T) {
	const path = "../docs/schema/settings.json"
	got, err := settingsSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("go test ./project -run SettingsSchema -update writes it anew (-file +settings)\n%s", d)
	}
}
