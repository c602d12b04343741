package definition_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fstore-dev/fstore/registry/definition"
)

// DVC keeps dvc.yaml and params.yaml beside what they are about. Any other file without definitions is a mistake.
func TestTheFilesOfDVCAreNotDefinitions(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"dvc.yaml", "sub/dvc.yaml", "sub/params.yaml", "other.yaml"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("stages: {}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	repo, err := definition.Load(dir, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range repo.Problems {
		if p.Pos.File != "other.yaml" {
			t.Errorf("%s: %s", p.Pos, p.Message)
		}
	}
	if len(repo.Problems) == 0 {
		t.Error("other.yaml is no mistake")
	}
}
