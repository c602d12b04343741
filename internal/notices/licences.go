package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mayShip maps licences, by their names in SPDX if they have one, to a phrase that identifies them. A binary may be shipped under them
// if it includes their texts.
var mayShip = map[string]string{
	"MIT":           "permission is hereby granted, free of charge, to any person obtaining a copy",
	"BSD-2-Clause":  "redistribution and use in source and binary forms, with or without modification",
	"BSD-3-Clause":  "may be used to endorse or promote products",
	"Apache-2.0":    "apache license version 2.0",
	"public domain": "public domain",
}

// mayNotShip are phrases of licences that demand more.
var mayNotShip = []string{
	"general public license", "mozilla public license", "business source license", "server side public license", "commons clause",
	"elastic license", "noncommercial", "non-commercial use",
}

// reviewed are files that quote licences of code that is not linked, or that is a module of its own. The linked part of
// modernc.org/sqlite is BSD, MIT or in the public domain: see section 1 of its file. Go links BoringCrypto only where GOEXPERIMENT asks for it.
var reviewed = []string{"modernc.org/sqlite LICENSE-3RD-PARTY.md", "std src/crypto/internal/boring/LICENSE"}

// check returns an error for every module whose licence is not known to allow shipping.
func check(modules []module) error {
	var wrong []error
	for _, m := range modules {
		if len(m.licences()) == 0 {
			wrong = append(wrong, fmt.Errorf("%s %s has no known licence; see mayShip", m.path, m.version))
		}
		for _, name := range slices.Sorted(maps.Keys(m.texts)) {
			if slices.Contains(reviewed, m.path+" "+name) {
				continue
			}
			for _, phrase := range mayNotShip {
				if strings.Contains(normalized(m.texts[name]), phrase) {
					wrong = append(wrong, fmt.Errorf("%s %s: %s names the %s", m.path, m.version, name, phrase))
				}
			}
		}
	}
	return errors.Join(wrong...)
}

// licences returns the names of the licences that a module has.
func (m module) licences() []string {
	var names []string
	for file, text := range m.texts {
		if !slices.Contains(reviewed, m.path+" "+file) {
			names = append(names, licencesOf(text)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// licencesOf returns the names of the licences in a text. Each text of three clauses has the words of two.
func licencesOf(text string) []string {
	text = normalized(text)
	var names []string
	for name, phrase := range mayShip {
		if strings.Contains(text, phrase) {
			names = append(names, name)
		}
	}
	if slices.Contains(names, "BSD-3-Clause") {
		names = slices.DeleteFunc(names, func(name string) bool { return name == "BSD-2-Clause" })
	}
	return names
}

// normalized returns a text in lower case, on one line, and with licences' versions as mayShip has them.
func normalized(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(strings.ToLower(text)), " "), "license, version", "license version")
}
