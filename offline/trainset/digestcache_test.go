package trainset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A digest is remembered until a file changes, even if its size and mtime are set back.
func TestDigestsAreRememberedAndNeverBelieved(t *testing.T) {
	dir := t.TempDir()
	file, cache := filepath.Join(dir, "f"), filepath.Join(dir, "state", "digests.json")
	put := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("one")
	d := NewDigests(cache, dir)
	of := func() string {
		f, err := d.Of(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		return f.SHA256
	}
	first := of()
	if len(d.files) != 0 {
		t.Error("what has just been written may be written again without that being seen")
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	d.remember(file, remembered{FileID: Identify(info), SHA256: "remembered"}) // as if it had been read some time ago
	if of() != "remembered" {
		t.Error("it is not remembered")
	}
	d.remember("/nowhere", remembered{})
	if err := d.Save(); err != nil {
		t.Fatal(err)
	}
	d = NewDigests(cache, dir)
	if of() != "remembered" || len(d.files) != 1 {
		t.Errorf("read again: %v", d.files)
	}
	put("two")
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if got := of(); got == "remembered" || got == first {
		t.Error("it has changed, with its size and mtime as before")
	}
	for _, damaged := range []string{"{not json", "null", "[]", `{"f": 1}`, ""} {
		if err := os.WriteFile(cache, []byte(damaged), 0o644); err != nil {
			t.Fatal(err)
		}
		d = NewDigests(cache, dir)
		of()
		d.remember(file, remembered{FileID: Identify(info), SHA256: "remembered"})
		if err := d.Save(); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{cache}, glob(t, filepath.Join(dir, "state", "*")), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Columns that pass a check are remembered as long as the file stays what it is, beside its digest. A cache of an earlier
// build has digests alone.
func TestColumnsThatPassAreNotCheckedAgain(t *testing.T) {
	path, cache := filepath.Join(t.TempDir(), "a.parquet"), filepath.Join(t.TempDir(), "state/digests.json")
	if err := os.WriteFile(path, []byte("one"), 0o644); err != nil {
		t.Fatal(err)
	}
	open := func() *Digests {
		d := NewDigests(cache, t.TempDir())
		d.TrustAfter(0)
		return d
	}
	d := open()
	for info, err := os.Stat(path); ; { // until the file's time has passed
		now, clockErr := d.Now()
		if err := errors.Join(err, clockErr); err != nil {
			t.Fatal(err)
		}
		if Identify(info).Changed < now.UnixNano() {
			break
		}
	}
	wrong := errors.New("wrong")
	check := func(d *Digests, want []string, outcome error, columns ...string) {
		t.Helper()
		var checked []string
		err := d.CheckColumns(path, columns, func(columns []string) error { checked = columns; return outcome })
		if diff := cmp.Diff(want, checked); diff != "" || !errors.Is(err, outcome) {
			t.Errorf("%v, checked (-want +got) %s", err, diff)
		}
	}
	check(d, []string{"k"}, nil, "k")
	f, err := d.Of(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	check(d, []string{"a"}, nil, "k", "a")
	check(d, []string{"b"}, wrong, "b", "a")
	check(d, []string{"b"}, wrong, "b")
	if err := d.Save(); err != nil {
		t.Fatal(err)
	}
	d = open()
	check(d, nil, nil, "a", "k")
	k, _ := d.lookup(path)
	if k.SHA256 != f.SHA256 {
		t.Errorf("remembered: %+v", k)
	}
	old := fmt.Sprintf(`{%q: {"size": %d, "changed": %d, "written": %d, "inode": %d, "sha256": %q}}`, path, k.Size, k.Changed, k.Written, k.Inode, k.SHA256)
	if err := os.WriteFile(cache, []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	d = open()
	if k, _ := d.lookup(path); k.SHA256 != f.SHA256 || k.Right != nil {
		t.Errorf("of an old cache: %+v", k)
	}
	check(d, []string{"k"}, nil, "k")
	if err := os.WriteFile(path, []byte("two"), 0o644); err != nil {
		t.Fatal(err)
	}
	check(d, []string{"k"}, wrong, "k")
}
