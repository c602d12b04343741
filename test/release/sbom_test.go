package release

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bill is what the tests read of an SBOM.
type bill struct {
	Metadata struct {
		Timestamp string
		Component component
	}
	Components   []component
	Dependencies []struct {
		Ref       string
		DependsOn []string
	}
}

type component struct {
	Ref                string `json:"bom-ref"`
	Name, Version      string
	Licenses           []any
	ExternalReferences []struct {
		Type, URL string
		Hashes    []struct{ Alg, Content string }
	}
	Components []component
}

func (d dist) bill(t *testing.T) bill {
	t.Helper()
	text, err := os.ReadFile(d.archive + ".cdx.json")
	if err != nil {
		t.Fatal(err)
	}
	var b bill
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// The SBOM names the modules that are in the command, by what the command itself says, each with its version; and the libraries that
// are no modules. Each has a licence.
func TestTheSBOMNamesAllThatTheCommandContains(t *testing.T) {
	d := built(t)
	info, err := buildinfo.ReadFile(d.command())
	if err != nil {
		t.Fatal(err)
	}
	var version struct{ Fstore, DuckDB string }
	if err := json.Unmarshal([]byte(run(t, t.TempDir(), d.command(), "version", "--output", "json")), &version); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"std": info.GoVersion, "duckdb": strings.TrimPrefix(version.DuckDB, "v")}
	for _, m := range info.Deps {
		want[m.Path] = m.Version
	}
	if runtime.GOOS == "linux" {
		zig := strings.TrimSpace(run(t, ".", "python", "-m", "ziglang", "version"))
		gcc := strings.TrimSpace(run(t, ".", "g++", "-dumpfullversion"))
		maps.Copy(want, map[string]string{"libstdc++": gcc, "libunwind of LLVM": zig, "compiler-rt of Zig": zig, "start files of glibc": oldest(t)})
	}
	got := map[string]string{}
	b := d.bill(t)
	for _, c := range b.Components {
		got[c.Name] = c.Version
		for _, each := range append(c.Components, c) {
			if len(each.Licenses) == 0 {
				t.Errorf("%s has no licence", each.Name)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	if strings.TrimPrefix(version.Fstore, "v") != b.Metadata.Component.Version {
		t.Errorf("the SBOM is of %s, the command is %s", b.Metadata.Component.Version, version.Fstore)
	}
}

// The SBOM is of this archive, and its graph reaches every component from the command.
func TestTheSBOMIsOfTheArchive(t *testing.T) {
	d := built(t)
	b := d.bill(t)
	var archive string
	for _, r := range b.Metadata.Component.ExternalReferences {
		if r.Type == "distribution" && len(r.Hashes) == 1 {
			archive = r.Hashes[0].Content + "  " + r.URL
		}
	}
	if want := digest(t, d.archive) + "  " + filepath.Base(d.archive); archive != want {
		t.Errorf("the SBOM is of %q, want %q", archive, want)
	}
	edges := map[string][]string{}
	for _, e := range b.Dependencies {
		edges[e.Ref] = e.DependsOn
	}
	reached := map[string]bool{}
	for next := []string{b.Metadata.Component.Ref}; len(next) > 0; {
		ref := next[0]
		next = next[1:]
		if !reached[ref] {
			reached[ref] = true
			next = append(next, edges[ref]...)
		}
	}
	for _, c := range b.Components {
		if !reached[c.Ref] {
			t.Errorf("nothing depends on %s", c.Ref)
		}
	}
}

// CycloneDX's own schema, as its library for Python has it, takes the SBOM, and refuses it with another format, licence or field.
func TestTheSBOMFollowsItsSchema(t *testing.T) {
	d := built(t)
	text, err := os.ReadFile(d.archive + ".cdx.json")
	if err != nil {
		t.Fatal(err)
	}
	documents := []string{string(text)}
	for _, wrong := range [][2]string{{`"bomFormat": "CycloneDX"`, `"bomFormat": "SPDX"`}, {`"id": "MIT"`, `"id": "MIT-like"`}, {`"authors"`, `"writers"`}} {
		documents = append(documents, strings.Replace(string(text), wrong[0], wrong[1], 1))
	}
	const program = `
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
validator = JsonStrictValidator(SchemaVersion.V1_6)
json.dump([str(validator.validate_str(document) or "") for document in json.load(sys.stdin)], sys.stdout)`
	in, err := json.Marshal(documents)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python", "-c", program)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var faults []string
	if err := json.Unmarshal(out, &faults); err != nil || len(faults) != len(documents) {
		t.Fatalf("%v: %s", err, out)
	}
	if faults[0] != "" {
		t.Error(faults[0])
	}
	for i, fault := range faults[1:] {
		if fault == "" {
			t.Errorf("the schema takes document %d, which is wrong", i+1)
		}
	}
}
