package project_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/project/scaffold"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/sqlite"
)

// A repo that was copied or moved has its own training sets: it finds their files, makes none again, and verifies and rebuilds
// them from its own data, whatever becomes of the repo that it came from.
func TestACopiedOrMovedRepoHasItsTrainingSets(t *testing.T) {
	for _, c := range []struct {
		name     string
		transfer func(from, to string) error
	}{
		{"moved", os.Rename},
		{"copied", func(from, to string) error { return os.CopyFS(to, os.DirFS(from)) }},
		{"copied_and_the_original_changed", func(from, to string) error {
			return errors.Join(os.CopyFS(to, os.DirFS(from)), os.Remove(filepath.Join(from, "sets/in.parquet")), os.RemoveAll(filepath.Join(from, "data")))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
			p := exampleRepo(t, from)
			made := churnSet(t, p, filepath.Join(from, "sets/in.parquet"))
			p.Close()
			if err := c.transfer(from, to); err != nil {
				t.Fatal(err)
			}
			p = openRepo(t, to)
			out := filepath.Join(to, "sets/in.parquet")
			set, err := p.LockedSet(t.Context(), "in")
			if err != nil || set.Out != out {
				t.Fatalf("%v, %v, want the file %s", set, err, out)
			}
			again := churnSet(t, p, out)
			if !again.Existing || again.Rows != made.Rows || again.Out != out {
				t.Errorf("%+v, want the training set that was made", again.TrainingSummary)
			}
			verified, err := p.VerifyTrainingSet(t.Context(), "in", project.VerifySetOptions{})
			if err != nil || !verified.OK || verified.File.Path != out {
				t.Errorf("%+v, %v", verified, err)
			}
			for _, in := range verified.Inputs {
				if local, err := filepath.Rel(to, in.Found); in.Source != "" && (err != nil || !filepath.IsLocal(local)) {
					t.Errorf("source %s: %s is %s at %s, want it in %s", in.Source, in.Path, in.State, in.Found, to)
				}
			}
		})
	}
}

// Data that was changed in a copy makes another training set there, although the original still has it as it was.
func TestACopiedRepoWithOtherDataHasAConflict(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	p := exampleRepo(t, from)
	churnSet(t, p, filepath.Join(from, "in.parquet"))
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	lines := filepath.Join(to, "data/lines")
	if err := os.Rename(filepath.Join(lines, "2025-01.parquet"), filepath.Join(lines, "2025-02.parquet")); err != nil {
		t.Fatal(err)
	}
	p = openRepo(t, to)
	_, err := p.CreateTrainingSet(t.Context(), churnRequest(p, filepath.Join(to, "in.parquet")))
	if !errors.Is(err, fstore.ErrConflict) {
		t.Errorf("%v, want a conflict", err)
	}
}

// A training set outside its repo, and every one that an earlier build recorded, keeps its absolute path.
func TestAbsolutePathsOfTrainingSetsAreReadAsTheyAre(t *testing.T) {
	from, to, outside := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to"), t.TempDir()
	p := exampleRepo(t, from)
	churnSet(t, p, filepath.Join(outside, "in.parquet"))
	old := filepath.Join(from, "old.parquet")
	db, err := sqlite.Open(t.Context(), "sqlite://"+filepath.Join(from, ".fstore/registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := p.LockedSet(t.Context(), "in")
	if err != nil {
		t.Fatal(err)
	}
	store := registry.New(db)
	if err := store.AddTrainingSet(t.Context(), p.Settings.Project, registry.TrainingSetRecord{Name: "old", Out: old, Lock: set.Text}, registry.RefuseName); err != nil {
		t.Fatal(err)
	}
	store.Close()
	p.Close()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
	p = openRepo(t, to)
	for name, want := range map[string]string{"in": filepath.Join(outside, "in.parquet"), "old": old} {
		if set, err := p.LockedSet(t.Context(), name); err != nil || set.Out != want {
			t.Errorf("%s: %v, %v, want the file %s", name, set, err, want)
		}
	}
}

// Checkouts that share a registry outside of them find each other's training sets where they are.
func TestCheckoutsThatShareARegistryFindTheSameFile(t *testing.T) {
	t.Setenv("FSTORE_REGISTRY", "sqlite://"+filepath.Join(t.TempDir(), "registry.db"))
	one, other := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "other")
	p := exampleRepo(t, one)
	out := filepath.Join(one, "sets/in.parquet")
	churnSet(t, p, out)
	if err := scaffold.Example(other); err != nil {
		t.Fatal(err)
	}
	set, err := openRepo(t, other).LockedSet(t.Context(), "in")
	if err != nil || set.Out != out {
		t.Errorf("%v, %v, want the file %s", set, err, out)
	}
}

func exampleRepo(t *testing.T, dir string) *project.Project {
	t.Helper()
	if err := scaffold.Example(dir); err != nil {
		t.Fatal(err)
	}
	p := openRepo(t, dir)
	plan, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), plan, project.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	return p
}

func openRepo(t *testing.T, dir string) *project.Project {
	t.Helper()
	p, err := project.Open(t.Context(), dir, project.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func churnRequest(p *project.Project, out string) project.TrainingSetRequest {
	return project.TrainingSetRequest{
		Name: "in", Selection: project.Selection{Features: []string{"customer_orders.*"}}, LeakCheck: "off",
		Labels: filepath.Join(p.Settings.Dir, "data/labels.parquet"), Out: out,
	}
}

func churnSet(t *testing.T, p *project.Project, out string) *project.TrainingSet {
	t.Helper()
	set, err := p.CreateTrainingSet(t.Context(), churnRequest(p, out))
	if err != nil {
		t.Fatal(err)
	}
	return set
}
