package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every module that is linked is in the SBOM, and so is DuckDB with what it contains. make release-test holds a release's SBOM against its
// command and against CycloneDX's schema.
func TestTheSBOMNamesModulesAndDuckDB(t *testing.T) {
	own, modules, err := linked("../../cmd/fstore")
	if err != nil {
		t.Fatal(err)
	}
	engine, err := duckdb(modules)
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "fstore_1.0.0.tar.gz")
	if err := os.WriteFile(archive, []byte("archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	text, err := sbom(release{archive, "1.0.0", "2026-01-02T03:04:05Z"}, own, modules, []static{engine})
	if err != nil {
		t.Fatal(err)
	}
	again, err := sbom(release{archive, "1.0.0", "2026-01-02T03:04:05Z"}, own, modules, []static{engine})
	if err != nil || string(again) != string(text) {
		t.Errorf("the same archive has two SBOMs (%v)", err)
	}
	var doc bom
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	const digest = "0eb3e36bfb24dcd9bb1d1bece1531216b59539a8fde17ee80224af0653c92aa3" // of "archive"
	if got := doc.Metadata.Component.References[1].Hashes[0].Content; got != digest {
		t.Errorf("the archive's digest is %q, want %q", got, digest)
	}
	names := map[string]component{}
	for _, c := range doc.Components {
		names[c.Name] = c
		if c.Version == "" || len(c.Licences) == 0 {
			t.Errorf("%s has version %q and licences %v", c.Name, c.Version, c.Licences)
		}
	}
	for _, m := range modules {
		if names[m.path].Version != m.version {
			t.Errorf("%s is %q, want %q", m.path, names[m.path].Version, m.version)
		}
	}
	icu := func(c component) bool { return c.Name == "icu" }
	if c := names["duckdb"]; !strings.HasPrefix(c.PURL, "pkg:github/duckdb/duckdb@v1.") || !slices.ContainsFunc(c.Components, icu) {
		t.Errorf("duckdb: %+v", c)
	}
}

// What the SBOM cannot name stops a release, rather than being left out.
func TestUnknownPartsOfDuckDBAreErrors(t *testing.T) {
	const path = duckdbModules + "linux-amd64"
	for name, try := range map[string]struct {
		modules []module
		want    string
	}{
		"no DuckDB":       {nil, "is gone"},
		"another version": {[]module{{path: path, version: "v1.6.0"}}, "does not name DuckDB's version"},
		"another library": {[]module{{path: path, version: "v0.10506.0", libraries: []string{"duckdb_fmt", "duckdb_new"}}}, "links duckdb_new"},
	} {
		if _, err := duckdb(try.modules); err == nil || !strings.Contains(err.Error(), try.want) {
			t.Errorf("%s: got %v, want %q", name, err, try.want)
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"duckdb_fmt":     "\x00_ZN10duckdb_fmt2v66formatEv\x00__ZNK10duckdb_fmt2v65valueEv\x00_ZN6duckdb4openE13duckdb_string\x00", // as on Linux and on macOS
		"json_extension": "\x00_ZN6duckdb4JSONE\x00__ZNVK14duckdb_newjson5parseEv\x00",
	} {
		if err := os.WriteFile(filepath.Join(dir, "lib"+name+".a"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := duckdb([]module{{path: path, version: "v0.10506.0", dir: dir, libraries: []string{"json_extension"}}}); err == nil || !strings.Contains(err.Error(), "has symbols of duckdb_newjson:") {
		t.Errorf("a namespace that no part has: %v", err)
	}
	got, err := duckdb([]module{{path: path, version: "v0.10506.0", dir: dir, libraries: []string{"duckdb_fmt", "m"}}})
	if err != nil || got.version != "1.5.6" || len(got.parts) != 1 || got.parts[0].name != "fmt" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestLicencesOfTexts(t *testing.T) {
	const two = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted"
	for text, want := range map[string]string{
		two: "BSD-2-Clause",
		two + " … may be used to endorse or promote products derived": "BSD-3-Clause",
		"Licensed under the Apache License, Version 2.0":              "Apache-2.0",
		"Apache License\nVersion 2.0 … public domain":                 "Apache-2.0, public domain",
		"All rights reserved.":                                        "",
	} {
		got := licencesOf(text)
		slices.Sort(got)
		if strings.Join(got, ", ") != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
