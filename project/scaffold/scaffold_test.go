package scaffold

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/project"
)

// An editor finds the schema that the first line of a YAML file names.
func TestANewRepoHasItsSchemas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shop")
	if err := Example(dir); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		path, ok := strings.CutPrefix(first, "# yaml-language-server: $schema=")
		if !ok {
			t.Errorf("%s begins with %s", file, first)
		}
		written, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		shipped, err := os.ReadFile(filepath.Join("../../docs", path))
		if err != nil || !bytes.Equal(written, shipped) {
			t.Errorf("%s is not docs/%s (%v)", path, path, err)
		}
		if settings := filepath.Base(file) == project.SettingsFile; settings != strings.Contains(path, "settings") {
			t.Errorf("%s has the schema %s", file, path)
		}
	}
}
