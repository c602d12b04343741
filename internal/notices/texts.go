package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// duckdbTexts has the licences of what DuckDB contains, by their paths in DuckDB's sources, and the version of these. Its module has
// only the libraries. To take those of another version:
//
//	go run ./internal/notices -collect DUCKDB_SOURCES -collected v1.5.5
//
//go:embed all:duckdb
var duckdbTexts embed.FS

const (
	duckdbFolder  = "duckdb"
	duckdbVersion = duckdbFolder + "/VERSION"
)

// collect copies the licences of what DuckDB contains from its sources into a folder. Of a source file it takes the comment at its
// beginning.
func collect(sources, version, folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	put := func(name, text string) error {
		to := filepath.Join(folder, filepath.FromSlash(name))
		return errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, []byte(strings.TrimRight(text, "\n")+"\n"), 0o644))
	}
	if err := put("VERSION", version); err != nil {
		return err
	}
	for _, parts := range duckdbParts {
		for _, part := range parts {
			for _, name := range part.files {
				text, err := os.ReadFile(filepath.Join(sources, filepath.FromSlash(name)))
				if err != nil {
					return err
				}
				shown := string(text)
				if path.Ext(name) != "" {
					if shown, err = comment(shown); err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
				}
				if err := put(name, shown); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// comment returns the text of the comment with which a source file begins.
func comment(source string) (string, error) {
	text, _, ended := strings.Cut(source, "*/")
	text, begun := strings.CutPrefix(text, "/*")
	if !begun || !ended {
		return "", errors.New("it does not begin with a comment")
	}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, strings.TrimPrefix(strings.TrimPrefix(strings.TrimRight(line, " "), " *"), " "))
	}
	return strings.Join(lines, "\n"), nil
}

// texts returns the texts of a part's licence.
func (l static) texts() (string, error) {
	text := l.text
	for i, name := range l.files {
		one, err := fs.ReadFile(duckdbTexts, duckdbFolder+"/"+name)
		if err != nil {
			return "", fmt.Errorf("%s: %w: collect the licences again (texts.go)", l.name, err)
		}
		if i > 0 {
			text += "\n"
		}
		text += string(one)
	}
	return text, nil
}

// checkTexts returns an error unless the texts are those of DuckDB's release line: M.N of M.N.P.
func checkTexts(engine static) error {
	text, err := fs.ReadFile(duckdbTexts, duckdbVersion)
	if err != nil {
		return err
	}
	line := func(version string) string {
		return path.Dir(strings.ReplaceAll(strings.TrimPrefix(version, "v"), ".", "/"))
	}
	if has := strings.TrimSpace(string(text)); line(has) != line(engine.version) {
		return fmt.Errorf("the licences are those of DuckDB %s, and %s is linked: collect them again (texts.go)", has, engine.version)
	}
	return nil
}
