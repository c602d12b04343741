package trainset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore/offline/lock"
)

// put writes a file.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// content returns what is in a file; empty if it is not there.
func content(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

// A file whose lock is missing is not put into place.
func TestAFileWithoutItsLockIsNotInstalled(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, before := range []string{"", "old"} {
		put(t, path("new"), "new")
		if before != "" {
			put(t, path("out.parquet"), before)
		}
		if err := installBoth(path("new"), path("out.parquet"), path("no lock"), path("out.lock.json")); err == nil {
			t.Error("no error")
		}
		if got := content(path("out.parquet")); got != before {
			t.Errorf("the output is %q, was %q", got, before)
		}
	}
}

// copier is a Computer without an engine: the training set is the content of its one input.
type copier struct{ temp string }

func (c copier) TempDir() string { return c.temp }

func (c copier) Recompute(ctx context.Context, req Recomputation) (*Recomputed, error) {
	text, err := os.ReadFile(req.Inputs.Labels)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(req.Staging.File(), text, 0o644); err != nil {
		return nil, err
	}
	f, err := Digest(ctx, req.Staging.File())
	if err != nil {
		return nil, err
	}
	return &Recomputed{Output: lock.Output{File: *f, Content: string(text)}, Settings: []lock.Setting{{Name: "threads", Value: "9"}, {Name: "TimeZone", Value: "UTC"}}}, nil
}

// Files and Digests make copier a Finder, to whom no source matches anything.
func (c copier) Files(context.Context, string) ([]string, error) { return nil, nil }

func (c copier) Digests() *Digests { return NewDigests("", c.temp) }

// Finding inputs and rebuilding need no engine: whatever computes is behind the two interfaces.
func TestRebuildWithoutAnEngine(t *testing.T) {
	for _, c := range []struct {
		name     string
		happens  string // to the input: what it holds then; empty: nothing
		mismatch Mismatch
		wrote    string
		hasLock  bool
	}{
		{"the same", "", DiscardMismatch, "labels", true},
		{"another, discarded", "edited", DiscardMismatch, "earlier", true},
		{"another, written", "edited", WriteMismatch, "edited", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, comp := t.TempDir(), copier{t.TempDir()}
			in, out := filepath.Join(dir, "labels.csv"), filepath.Join(dir, "again/out.parquet")
			put(t, in, "labels")
			put(t, out, "earlier")
			put(t, lock.Path(out), "earlier lock")
			f, err := Digest(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			l := &lock.Lock{
				Name: "t", Labels: lock.Labels{File: f}, Output: lock.Output{File: *f, Content: "labels"},
				Settings: []lock.Setting{{Name: "threads", Value: "1"}, {Name: "TimeZone", Value: "Europe/London"}},
			}
			state := Unchanged
			if c.happens != "" {
				state = Changed
				put(t, in, c.happens)
			}
			inputs, err := FindInputs(t.Context(), comp, l, Search{})
			if err != nil || len(inputs) != 1 || inputs[0].State != state {
				t.Fatal(inputs, err)
			}
			r, err := Rebuild(t.Context(), comp, RebuildRequest{Lock: l, Text: []byte("the lock"), Inputs: inputs, Out: out, Mismatch: c.mismatch})
			if err != nil {
				t.Fatal(err)
			}
			if got := content(out); got != c.wrote {
				t.Errorf("the file has %q, want %q", got, c.wrote)
			}
			if r.Same != (c.happens == "") || (content(lock.Path(out)) != "") != c.hasLock {
				t.Errorf("same %v, the lock has %q", r.Same, content(lock.Path(out)))
			}
			if diff := cmp.Diff([]string{"TimeZone: Europe/London then, UTC now"}, r.Settings); diff != "" {
				t.Error(diff)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), ".*")); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

// Every missing input counts, and the first is named.
func TestMissingInputsAreNamed(t *testing.T) {
	dir := t.TempDir()
	gone := []lock.File{{Path: dir + "/a"}, {Path: dir + "/b"}}
	l := &lock.Lock{Name: "t", Sources: []lock.Source{{Name: "s", Files: gone}}}
	for n, want := range map[int]string{1: "/a is no longer there", 2: "/a and 1 more are no longer there"} {
		l.Sources[0].Files = gone[:n]
		inputs, err := FindInputs(t.Context(), copier{dir}, l, Search{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Rebuild(t.Context(), copier{dir}, RebuildRequest{Lock: l, Inputs: inputs})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
