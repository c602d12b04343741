package definition_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore/registry/definition"
)

const schemaFile = "../../docs/schema/definitions.json"

//go:generate go test . -run TestSchemaIsCurrent -update

// The schema that the docs ship is the one of the types.
func TestSchemaIsCurrent(t *testing.T) {
	got, err := definition.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run go test ./registry/definition -run TestSchemaIsCurrent -update (-file +types)\n%s", diff)
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	raw, err := definition.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	var root any
	if err := json.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	count := 0
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(path, e)
			}
		case map[string]any:
			properties, _ := v["properties"].(map[string]any)
			for name, p := range properties {
				count++
				if d, _ := p.(map[string]any)["description"].(string); d == "" && name != "kind" || strings.Contains(d, "\n") {
					t.Errorf("%s.%s has description %q", path, name, d)
				}
			}
			for name, e := range v {
				walk(path+"."+name, e)
			}
		}
	}
	walk("", root)
	if count < 40 {
		t.Errorf("the schema has %d keys", count)
	}
}
