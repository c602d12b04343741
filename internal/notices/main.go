// Command notices prints the licence of every module that fstore links, for the archives of a release. It fails if we
// may not ship a module under its licence.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	modules, err := linked("./cmd/fstore")
	if err == nil {
		err = errors.Join(write(os.Stdout, modules), check(modules))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

// module is a linked module, with the texts that its licence requires us to include.
type module struct {
	path, version string
	texts         map[string]string // by file name, relative to the module
}

// linked returns the modules whose packages a program links on this platform, by path.
func linked(program string) ([]module, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Module", program) //nolint:gosec // G204: a package of this repo
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list what %s links: %w", program, err)
	}
	found := map[string]module{}
	for packages := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if p.Module == nil || p.Module.Main {
			continue
		}
		m, ok := found[p.Module.Path]
		if !ok {
			m = module{p.Module.Path, p.Module.Version, map[string]string{}}
			found[m.path] = m
		}
		if err := m.collect(p.Module.Dir, p.Dir); err != nil {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b module) int { return strings.Compare(a.path, b.path) }), nil
}

var isNotice = regexp.MustCompile(`(?i)^(licen[sc]e|copying|notice|patents)`)

// collect reads the licences in a package's folder and its parents, up to the module's folder.
func (m module) collect(root, dir string) error {
	for ; ; dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !e.Type().IsRegular() || !isNotice.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
				continue
			}
			path := filepath.Join(dir, e.Name())
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			m.texts[filepath.ToSlash(name)] = string(text)
		}
		if dir == root || len(dir) <= len(root) {
			return nil
		}
	}
}

func write(w io.Writer, modules []module) error {
	_, err := fmt.Fprintln(w, `fstore links the modules below. DuckDB itself contains further libraries under permissive licences; their texts are
in the folder third_party of https://github.com/duckdb/duckdb.`)
	for _, m := range modules {
		for _, name := range slices.Sorted(maps.Keys(m.texts)) {
			_, failed := fmt.Fprintf(w, "\n%s\n%s %s: %s\n\n%s\n", strings.Repeat("=", 80), m.path, m.version, name, strings.TrimSpace(m.texts[name]))
			err = errors.Join(err, failed)
		}
	}
	return err
}

// mayShip maps licences to a phrase that identifies them. A binary may be shipped under them if it includes their
// texts.
var mayShip = map[string]string{
	"MIT":           "permission is hereby granted, free of charge, to any person obtaining a copy",
	"BSD":           "redistribution and use in source and binary forms, with or without modification",
	"Apache-2.0":    "apache license version 2.0",
	"public domain": "public domain",
}

// mayNotShip are phrases of licences that demand more.
var mayNotShip = []string{
	"general public license", "mozilla public license", "business source license", "server side public license", "commons clause",
	"elastic license", "noncommercial", "non-commercial use",
}

// reviewed are files that quote licences of code that is not linked. The linked part of modernc.org/sqlite is BSD,
// MIT or in the public domain: see section 1 of its file.
var reviewed = []string{"modernc.org/sqlite LICENSE-3RD-PARTY.md"}

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
	for _, name := range slices.Sorted(maps.Keys(mayShip)) {
		for _, text := range m.texts {
			if strings.Contains(normalized(text), mayShip[name]) {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

// normalized returns a text in lower case, on one line.
func normalized(text string) string { return strings.Join(strings.Fields(strings.ToLower(text)), " ") }
