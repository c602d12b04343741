package main

import (
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
