package schematest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestViolations(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"types.json": `{"$defs": {"ref": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
			"name": {"type": "string", "pattern": "^[a-z]+$"}, "version": {"type": "integer"}}}}}`,
		"list.json": `{"type": "array", "items": {"anyOf": [{"$ref": "types.json#/$defs/ref"}, {"type": "null"}, {"enum": ["none"]}]}}`,
		"odd.json":  `{"minimum": 3}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := New()
	for value, valid := range map[string]bool{
		`[]`:                              true,
		`[{"name": "a", "version": 1}]`:   true,
		`[null, "none", {"name": "b"}]`:   true,
		`{}`:                              false,
		`["some"]`:                        false,
		`[{"version": 1}]`:                false,
		`[{"name": "A"}]`:                 false,
		`[{"name": "a", "more": 1}]`:      false,
		`[{"name": "a", "version": 1.5}]`: false,
	} {
		var v any
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			t.Fatal(err)
		}
		if wrong := s.Violations(filepath.Join(dir, "list.json"), v); (len(wrong) == 0) != valid {
			t.Errorf("%s: %q", value, wrong)
		}
	}
	if wrong := s.Violations(filepath.Join(dir, "odd.json"), 1.0); len(wrong) != 1 {
		t.Errorf("an unknown keyword: %q", wrong)
	}
	if unmet := s.Unmet(filepath.Join(dir, "types.json")); len(unmet) != 0 {
		t.Errorf("unmet: %q", unmet)
	}
	if unmet := New().Unmet(filepath.Join(dir, "types.json")); len(unmet) != 2 {
		t.Errorf("unmet before any value: %q", unmet)
	}
}
