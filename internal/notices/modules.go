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
	"runtime"
	"slices"
	"strings"
)

// module is a linked module, with the texts that its licence requires us to include.
type module struct {
	path, version string
	dir           string
	texts         map[string]string // by file name, relative to the module
	imports       []string          // the paths of the modules that its packages import
	libraries     []string          // the names of the libraries that its packages link through cgo
}

// std is the path of Go's standard library, which is linked like a module.
const std = "std"

// goPackage is what go list says of a package.
type goPackage struct {
	ImportPath, Dir     string
	Standard            bool
	Imports, CgoLDFLAGS []string
	Module              *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// module returns the module that a package belongs to, without texts, and its folder.
func (p goPackage) module() (m module, dir string) {
	if p.Module != nil {
		return module{path: p.Module.Path, version: p.Module.Version, dir: p.Module.Dir}, p.Module.Dir
	}
	source := filepath.Clean(strings.TrimSuffix(p.Dir, filepath.FromSlash(p.ImportPath))) // Root is another for what is vendored
	return module{path: std, version: runtime.Version()}, filepath.Dir(source)
}

// linked returns a program's own module, and the others whose packages it links on this platform, by path.
func linked(program string) (own module, others []module, err error) {
	packages, err := dependencies(program)
	if err != nil {
		return module{}, nil, err
	}
	homes := map[string]string{} // the path of each package's module
	for _, p := range packages {
		m, _ := p.module()
		homes[p.ImportPath] = m.path
	}
	found := map[string]module{}
	for _, p := range packages {
		m, dir := p.module()
		if p.Module != nil && p.Module.Main {
			own.path = m.path
			own.imports = merged(own, p.Imports, homes)
			continue
		}
		m.texts = map[string]string{}
		if known, ok := found[m.path]; ok {
			m = known
		}
		if err := m.collect(dir, p.Dir); err != nil {
			return module{}, nil, err
		}
		m.imports = merged(m, p.Imports, homes)
		for _, flag := range p.CgoLDFLAGS {
			if name, ok := strings.CutPrefix(flag, "-l"); ok {
				m.libraries = append(m.libraries, name)
			}
		}
		found[m.path] = m
	}
	return own, slices.SortedFunc(maps.Values(found), func(a, b module) int { return strings.Compare(a.path, b.path) }), nil
}

// dependencies returns what go list says of a program and of all packages that it links.
func dependencies(program string) ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Standard,Imports,CgoLDFLAGS,Module", program) //nolint:gosec // G204: a package of this repo
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list what %s links: %w", program, err)
	}
	var all []goPackage
	for packages := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if p.Standard || p.Module != nil {
			all = append(all, p)
		}
	}
}

// merged returns the modules that m imports already and those of further packages, in order and without m itself.
func merged(m module, packages []string, homes map[string]string) []string {
	all := slices.Clone(m.imports)
	for _, p := range packages {
		if home := homes[p]; home != "" && home != m.path {
			all = append(all, home)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
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
