package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEveryLicenceMayBeShipped(t *testing.T) {
	_, modules, err := linked("../../cmd/fstore")
	if err != nil {
		t.Fatal(err)
	}
	if err := check(modules); err != nil {
		t.Error(err)
	}
	for _, m := range modules {
		t.Logf("%s %s: %s", m.path, m.version, strings.Join(m.licences(), ", "))
	}
}

func TestLicencesThatMayNotBeShippedAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "no known licence",
		"GNU AFFERO\nGeneral  Public License": "general public license",
		"Mozilla Public License Version 2.0":  "mozilla public license",
		"MIT License, for non-commercial use only":                                     "non-commercial use",
		"Permission is hereby granted, free of charge, to any person obtaining a copy": "",
	} {
		err := check([]module{{path: "example.com/m", version: "v1.0.0", texts: map[string]string{"LICENSE": text}}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// textOf maps the licences that only parts of DuckDB have to a phrase that identifies them.
var textOf = map[string]string{
	"BSL-1.0":                "boost software license - version 1.0",
	"Unicode licence of ICU": "unicode, inc.",
	"Zlib":                   "this software is provided 'as-is', without any express or implied warranty",
}

// What a release prints has the licence of each library that is linked statically: of every part of DuckDB that the SBOM names, with the
// text of the licence that the SBOM names.
func TestEveryStaticLibraryHasItsText(t *testing.T) {
	_, modules, err := linked("../../cmd/fstore")
	if err != nil {
		t.Fatal(err)
	}
	engine, err := duckdb(modules)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkTexts(engine); err != nil {
		t.Error(err)
	}
	var out strings.Builder
	if err := write(&out, modules, engine, nil); err != nil {
		t.Fatal(err)
	}
	if len(engine.parts) < 25 {
		t.Errorf("%d parts", len(engine.parts))
	}
	for _, part := range engine.parts {
		text, err := part.texts()
		if err != nil || strings.TrimSpace(text) == "" || !strings.Contains(out.String(), "\n"+part.name+"\n\n"+strings.TrimSpace(text)) {
			t.Errorf("%s: its licence is not printed (%v)", part.name, err)
		}
		if phrase, ok := textOf[part.licence]; ok && strings.Contains(normalized(text), phrase) {
			continue
		}
		if !slices.Contains(licencesOf(text), part.licence) {
			t.Errorf("%s: the SBOM says %s, and its text is of %v", part.name, part.licence, licencesOf(text))
		}
	}
}

// Licences of another release line, and parts whose licence nobody collected, stop a release.
func TestLicencesAreCollectedAgain(t *testing.T) {
	if err := checkTexts(static{version: "1.99.0"}); err == nil || !strings.Contains(err.Error(), "and 1.99.0 is linked") {
		t.Error(err)
	}
	if err := write(&strings.Builder{}, nil, static{parts: []static{{name: "new", files: []string{"third_party/new/LICENSE"}}}}, nil); err == nil || !strings.Contains(err.Error(), "new: ") {
		t.Error(err)
	}
	sources, to := t.TempDir(), filepath.Join(t.TempDir(), "duckdb")
	for _, parts := range duckdbParts {
		for _, part := range parts {
			for _, name := range part.files {
				path := filepath.Join(sources, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte("/* of "+name+"\n * whom\n */\n#include <x>\n\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := collect(sources, "v9.9.9", to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"VERSION":                 "v9.9.9\n",
		"third_party/fmt/LICENSE": "/* of third_party/fmt/LICENSE\n * whom\n */\n#include <x>\n",
		"third_party/hyperloglog/hyperloglog.cpp": "of third_party/hyperloglog/hyperloglog.cpp\nwhom\n",
	} {
		if got, err := os.ReadFile(filepath.Join(to, filepath.FromSlash(name))); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if err := os.Remove(filepath.Join(sources, "third_party", "fmt", "LICENSE")); err != nil {
		t.Fatal(err)
	}
	if err := collect(sources, "v9.9.9", to); err == nil {
		t.Error("a licence that is missing is no error")
	}
}
