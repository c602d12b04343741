package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// release is what an SBOM is of: an archive, the version that it is of, and when its commit was made, in RFC 3339.
type release struct{ archive, version, time string }

// bom is a document of CycloneDX 1.6: https://cyclonedx.org/docs/1.6/json.
type bom struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Authors   []author  `json:"authors"`
	Component component `json:"component"`
}

type author struct {
	Name string `json:"name"`
}

type component struct {
	Type       string      `json:"type"`
	Ref        string      `json:"bom-ref,omitempty"`
	Name       string      `json:"name"`
	Version    string      `json:"version,omitempty"`
	Licences   []licence   `json:"licenses"`
	PURL       string      `json:"purl,omitempty"`
	References []reference `json:"externalReferences,omitempty"`
	Components []component `json:"components,omitempty"`
}

// licence is an SPDX expression, or a single licence.
type licence struct {
	Expression string         `json:"expression,omitempty"`
	Licence    *singleLicence `json:"license,omitempty"`
}

// singleLicence is an SPDX identifier, or another name.
type singleLicence struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

type reference struct {
	Type   string `json:"type"`
	URL    string `json:"url"`
	Hashes []hash `json:"hashes,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// sbom returns the document of an archive: the modules that fstore links, with what they import, and the libraries that are no modules.
// The same archive has the same document.
func sbom(r release, own module, modules []module, libraries []static) ([]byte, error) {
	digest, err := fileDigest(r.archive)
	if err != nil {
		return nil, err
	}
	refs := map[string]string{own.path: "fstore"}
	for _, m := range modules {
		refs[m.path] = m.purl()
	}
	doc := bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: metadata{Timestamp: r.time, Authors: []author{{"fstore"}}, Component: component{
			Type: "application", Ref: refs[own.path], Name: "fstore", Version: r.version, Licences: licences("Apache-2.0"),
			PURL: "pkg:golang/" + own.path + "@" + escaped(r.version) + "?goos=" + runtime.GOOS + "&goarch=" + runtime.GOARCH,
			References: []reference{
				{Type: "vcs", URL: "https://" + own.path},
				{Type: "distribution", URL: filepath.Base(r.archive), Hashes: []hash{{"SHA-256", digest}}},
			},
		}},
	}
	program := dependency{Ref: refs[own.path], DependsOn: references(own, refs)}
	for _, l := range libraries {
		program.DependsOn = append(program.DependsOn, l.purl)
	}
	doc.Dependencies = append(doc.Dependencies, program)
	for _, m := range modules {
		doc.Components = append(doc.Components, component{Type: "library", Ref: m.purl(), Name: m.path, Version: m.version, Licences: licences(m.licences()...), PURL: m.purl()})
		doc.Dependencies = append(doc.Dependencies, dependency{m.purl(), references(m, refs)})
	}
	for _, l := range libraries {
		doc.Components = append(doc.Components, l.component())
		doc.Dependencies = append(doc.Dependencies, dependency{Ref: l.purl})
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	return append(text, '\n'), err
}

func (l static) component() component {
	c := component{Type: "library", Ref: l.purl, Name: l.name, Version: l.version, Licences: licences(l.licence), PURL: l.purl}
	for _, part := range l.parts {
		c.Components = append(c.Components, part.component())
	}
	return c
}

// purl identifies a module; see https://github.com/package-url/purl-spec.
func (m module) purl() string {
	return "pkg:golang/" + m.path + "@" + escaped(strings.TrimPrefix(m.version, "go"))
}

// escaped returns a version as it stands in a purl.
func escaped(version string) string { return strings.ReplaceAll(version, "+", "%2B") }

// references returns the references of the modules that m imports.
func references(m module, refs map[string]string) []string {
	var all []string
	for _, path := range m.imports {
		all = append(all, refs[path])
	}
	slices.Sort(all)
	return all
}

var isSPDX = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)

// licences returns names of licences as CycloneDX writes them.
func licences(names ...string) []licence {
	all := []licence{}
	for _, name := range names {
		switch {
		case isSPDX.MatchString(name):
			all = append(all, licence{Licence: &singleLicence{ID: name}})
		case strings.Contains(name, " WITH "):
			all = append(all, licence{Expression: name})
		default:
			all = append(all, licence{Licence: &singleLicence{Name: name}})
		}
	}
	return all
}

// fileDigest returns the SHA-256 of a file, in hexadecimal.
func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
