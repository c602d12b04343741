package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every file that an earlier fstore wrote opens: testdata/formats has a fixture for each version (see make.sh there).
// docs/versioning.md says what is promised for each format. Where a change breaks this test, it breaks that promise.
func TestFilesOfEarlierFormats(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/formats/v*")
	if err != nil || len(fixtures) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, dir := range fixtures {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Run("definitions", func(t *testing.T) { definitionsHaveNoPlan(copied(t, dir)) })
			t.Run("registry", func(t *testing.T) { registryIsReadAndWritten(copied(t, dir)) })
			t.Run("lookups", func(t *testing.T) { lookupsAnswerAsBefore(copied(t, dir)) })
			t.Run("state", func(t *testing.T) { materializeContinues(copied(t, dir)) })
			t.Run("interrupted", func(t *testing.T) { materializeFinishes(copied(t, dir, "interrupted")) })
			t.Run("lock", func(t *testing.T) { lockIsVerifiedAndRebuilt(copied(t, dir)) })
		})
	}
}

// fixture is a copy of a fixture.
type fixture struct {
	*testing.T
	dir string
}

// copied copies a fixture, and then what replaces parts of it, to a folder of the test's own.
func copied(t *testing.T, dir string, replacing ...string) fixture {
	t.Helper()
	f := fixture{t, t.TempDir()}
	if err := os.CopyFS(f.dir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, part := range replacing { // CopyFS writes over nothing
		path := filepath.Join(f.dir, part)
		entries, err := os.ReadDir(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			to := filepath.Join(f.dir, e.Name())
			if err := errors.Join(os.RemoveAll(to), os.Rename(filepath.Join(path, e.Name()), to)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return f
}

// fstore runs a command on the fixture and returns what it prints.
func (f fixture) fstore(status int, args ...string) string {
	f.Helper()
	var out, messages bytes.Buffer
	if got := run(append(args, "--repo", f.dir), strings.NewReader(""), &out, &messages); got != status {
		f.Fatalf("fstore %s: exit status %d, want %d:\n%s%s", strings.Join(args, " "), got, status, out.String(), messages.String())
	}
	return out.String()
}

// Fingerprints are those of the versions that were applied, so nothing is to be done.
func definitionsHaveNoPlan(f fixture) {
	f.fstore(0, "validate")
	f.fstore(0, "plan", "--detailed-exitcode")
}

func registryIsReadAndWritten(f fixture) {
	has(f.T, f.fstore(0, "list"), "customer_orders", "every_type", "churn", "types")
	has(f.T, f.fstore(0, "show", "feature_view/customer_orders"), "served @2", "60d")
	has(f.T, f.fstore(0, "model", "list"), "fraud", "champion", "churn_1")
	has(f.T, f.fstore(0, "training-set", "list"), "churn_1")
	f.edit("shop.yaml", "description: All types", "description: Every type")
	has(f.T, f.fstore(0, "apply", "--yes"), "commit 3")
	f.edit("shop.yaml", "ttl: 60d", "ttl: 90d")
	has(f.T, f.fstore(0, "apply", "--yes"), "customer_orders@2 → @3")
}

func lookupsAnswerAsBefore(f fixture) {
	for answer, args := range map[string][]string{
		"types": {"--service", "types", "--entity", "note=n43,big=true", "--entity", "note=n1,big=false", "--entity", "note=nobody,big=true"},
		"churn": {"--service", "churn", "--entity", "customer_id=3", "--entity", "customer_id=0", "--entity", "customer_id=99999"},
		"model": {"--model", "fraud@champion", "--entity", "customer_id=3"},
	} {
		was, err := os.ReadFile(filepath.Join(f.dir, "answers", answer+".json"))
		if err != nil {
			f.Fatal(err)
		}
		now := f.fstore(0, append([]string{"get", "--at", "2025-03-10T12:00:00Z", "--output", "json"}, args...)...)
		if d := cmp.Diff(features(f.T, string(was)), features(f.T, now)); d != "" {
			f.Errorf("%s (-then +now):\n%s", answer, d)
		}
	}
	has(f.T, f.fstore(0, "verify", "--output", "json"), `"checked": 40`, `"checked": 77`)
}

// features returns what an answer says of its features. Answers may have gained members since.
func features(t *testing.T, answer string) any {
	t.Helper()
	var a struct {
		Entities map[string][]any
		Features []struct {
			Name, Type string
			Values     []any
			Statuses   []string
		}
	}
	from := json.NewDecoder(strings.NewReader(answer))
	from.UseNumber()
	if err := from.Decode(&a); err != nil || len(a.Features) == 0 {
		t.Fatalf("%v: %s", err, answer)
	}
	for i := range a.Features {
		if f := &a.Features[i]; f.Statuses == nil { // all are PRESENT
			f.Statuses = slices.Repeat([]string{"PRESENT"}, len(f.Values))
		}
	}
	return a
}

// withoutFences says that records of a store, as v0.1.0-dev wrote it, are written again.
const withoutFences = `"new_generation":"the store's records have no fences: an older fstore wrote them"`

// The state and the fences tell the next run what the store holds. Without fences it fills a new generation, once.
func materializeContinues(f fixture) {
	materialize := []string{"materialize", "--to", "2025-03-12T12:00:00Z", "--output", "json"}
	has(f.T, f.fstore(0, materialize...), withoutFences)
	out := f.fstore(0, materialize...)
	has(f.T, out, `"unchanged"`, `"published":"2025-03-12T02:00:00Z"`)
	hasNot(f.T, out, "new_generation", "error")
	has(f.T, f.fstore(0, "verify", "--output", "json"), `"checked": 40`)
}

func materializeFinishes(f fixture) {
	out := f.fstore(0, "materialize", "customer_orders@2", "--to", "2025-03-13T12:00:00Z", "--output", "json")
	has(f.T, out, withoutFences, `"published":"2025-03-13T02:00:00Z"`)
	hasNot(f.T, out, "finished", "error")
	f.fstore(0, "verify", "--service", "churn")
}

func lockIsVerifiedAndRebuilt(f fixture) {
	lock := filepath.Join(f.dir, "churn.lock.json")
	has(f.T, f.fstore(0, "training-set", "verify", lock), "file     unchanged", "rebuild  same")
	again := filepath.Join(f.dir, "again.parquet")
	has(f.T, f.fstore(0, "training-set", "rebuild", lock, "--out", again), "rebuild  same")
	has(f.T, f.fstore(0, "training-set", "diff", lock, again), "do not differ")
}

func hasNot(t *testing.T, text string, others ...string) {
	t.Helper()
	for _, other := range others {
		if strings.Contains(text, other) {
			t.Errorf("%q is in:\n%s", other, text)
		}
	}
}

// edit replaces a text in a file of the fixture.
func (f fixture) edit(name, old, text string) {
	f.Helper()
	path := filepath.Join(f.dir, name)
	was, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(was), old) {
		f.Fatalf("%q is not in %s: %v", old, name, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(was), old, text, 1)), 0o644); err != nil {
		f.Fatal(err)
	}
}
