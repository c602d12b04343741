// Package scaffold starts feature repos: an example, an empty one, or one whose definitions are proposed from files.
package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/docs/schema"
	featurerepo "github.com/fstore-dev/fstore/feature_repo"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/regular"
)

// Example writes a feature repo with sample data, which works at once, into a new or empty folder.
func Example(dir string) error { return writeRepo(dir, writeFiles) }

// Empty writes a feature repo without definitions into a new or empty folder.
func Empty(dir string) error {
	return writeRepo(dir, func(string) error { return writeBare(dir, emptyDefinitions) })
}

// schemaDir is the folder for editors' schemas in a new repo. Only YAML files are read as definitions.
const schemaDir = "schema"

// schemaLine tells an editor the schema of a YAML file in a repo.
func schemaLine(name string) string {
	which := "definitions.json"
	if name == project.SettingsFile {
		which = "settings.json"
	}
	return "# yaml-language-server: $schema=" + schemaDir + "/" + which + "\n"
}

// writeRepo writes a repo into a new or empty folder.
func writeRepo(dir string, write func(dir string) error) error {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return fstore.Errorf(fstore.ErrConflict, "init %s: the folder is not empty", dir).WithHint("give the name of a new folder")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("init %s: %w", dir, regular.Cause(err))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("init %s: %w", dir, regular.Cause(err))
	}
	if err := write(dir); err != nil {
		empty(dir) // otherwise the next attempt would find a folder that is not empty
		return fmt.Errorf("init %s: %w", dir, err)
	}
	return nil
}

// empty removes the contents of a folder.
func empty(dir string) {
	entries, _ := os.ReadDir(dir) // what cannot be removed stays
	for _, e := range entries {
		_ = os.RemoveAll(filepath.Join(dir, e.Name()))
	}
}

// writeFiles writes the example repo and its sample data.
func writeFiles(dir string) error {
	files, err := fs.Glob(featurerepo.Files, "*")
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := fs.ReadFile(featurerepo.Files, name)
		if err != nil {
			return err
		}
		if filepath.Ext(name) == ".yaml" {
			text = append([]byte(schemaLine(name)), text...)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	if err := os.CopyFS(filepath.Join(dir, schemaDir), schema.Files); err != nil {
		return err
	}
	return featurerepo.Generate(featurerepo.Small).Write(filepath.Join(dir, "data"))
}
