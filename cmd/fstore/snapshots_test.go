package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore/project"
)

// What is kept for a training set goes when its name is given to another, unless another lock needs it.
func TestSnapshotsGoWithTheLastLockThatNeedsThem(t *testing.T) {
	sh := newRepo(t, "apply --yes",
		"training-set create a --features 'customer_profile.*' --labels data/labels.parquet --out a.parquet --snapshot",
		"training-set create b --features 'customer_orders.*' --labels data/labels.parquet --out b.parquet --snapshot")
	repo := sh.dir
	if matches, _ := filepath.Glob(filepath.Join(repo, project.SettingsFile)); len(matches) == 0 {
		repo = filepath.Join(repo, "shop")
	}
	a := newApp(t, "", nil)
	a.repo = repo
	s, err := a.settings(t)
	if err != nil {
		t.Fatal(err)
	}
	blobs := func() int {
		files, _ := filepath.Glob(filepath.Join(s.Snapshots, "??", "*"))
		return len(files)
	}
	if n := blobs(); n != 13 { // labels, customers and eleven months of lines, each once
		t.Errorf("%d files are kept", n)
	}
	collect := func(want int) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if status := run([]string{"gc", "--repo", repo, "--output", "json"}, nil, &stdout, &stderr); status != statusDone {
			t.Fatalf("%s%s", &stdout, &stderr)
		}
		var gone project.Garbage
		if err := json.Unmarshal(stdout.Bytes(), &gone); err != nil || len(gone.Snapshots) != want {
			t.Errorf("%d snapshots removed, want %d: %v", len(gone.Snapshots), want, err)
		}
	}
	collect(0)
	sh.run("fstore model pin fraud 1 --training-set b")
	sh.run("fstore training-set create b --features 'customer_profile.*' --labels data/labels.parquet --out b2.parquet --replace")
	collect(0) // a model's training set can be made again, whoever has its name
	sh.run("fstore model unpin fraud 1")
	if collect(11); blobs() != 2 {
		t.Errorf("%d files are kept", blobs())
	}
	var stdout, stderr bytes.Buffer
	if status := run([]string{"training-set", "verify", "a", "--repo", repo}, nil, &stdout, &stderr); status != statusDone {
		t.Errorf("%s%s", &stdout, &stderr)
	}
	if stdout.Reset(); run([]string{"training-set", "show", "a", "--repo", repo}, nil, &stdout, &stderr) != 0 || !strings.Contains(stdout.String(), "its inputs are kept") {
		t.Errorf("%s", &stdout)
	}
}
