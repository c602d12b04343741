package offline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// No change of a source's files escapes, however soon it comes after the files were described.
func TestInputsTellEveryChange(t *testing.T) {
	for name, c := range map[string]struct {
		change func(dir string) error
		want   string // empty: nothing has changed
	}{
		"nothing": {func(string) error { return nil }, ""},
		"the same size, in place, its time put back": {func(dir string) error {
			path := filepath.Join(dir, "rows/1.parquet")
			was, err := os.Stat(path)
			return errors.Join(err, os.WriteFile(path, []byte("eno"), 0o644), os.Chtimes(path, was.ModTime(), was.ModTime()))
		}, "rows/1.parquet has changed while it was read"},
		"a file more":  {func(dir string) error { return os.WriteFile(filepath.Join(dir, "rows/0.parquet"), nil, 0o644) }, "rows/0.parquet was added while the source was read"},
		"a file fewer": {func(dir string) error { return os.Remove(filepath.Join(dir, "rows/2.parquet")) }, "rows/2.parquet was removed while the source was read"},
		"another file of the same content": {func(dir string) error {
			path := filepath.Join(dir, "fixed.parquet")
			return errors.Join(os.WriteFile(path+".new", []byte("fixed"), 0o644), os.Rename(path+".new", path))
		}, "fixed.parquet has changed while it was read"},
		"a file of no source": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "other.parquet"), nil, 0o644) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"rows/1.parquet": "one", "rows/2.parquet": "two", "fixed.parquet": "fixed"} {
				path := filepath.Join(dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			e, err := Open(Options{Dir: dir, TempDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			sources := []fstore.Source{{Name: "fixed", Path: "fixed.parquet"}, {Name: "rows", Path: "rows/*.parquet"}}
			in, err := e.Inputs(t.Context(), sources)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			err = in.CheckUnchanged(t.Context())
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, fstore.ErrConflict) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			again, err := e.Inputs(t.Context(), sources)
			if err != nil {
				t.Fatal(err)
			}
			if same := in.ID("fixed", "rows") == again.ID("fixed", "rows"); same != (c.want == "") {
				t.Errorf("they have the same ID: %t", same)
			}
			if changed := strings.HasPrefix(c.want, "fixed"); (in.ID("fixed") == again.ID("fixed")) == changed {
				t.Errorf("the ID of fixed alone: %q, then %q", in.ID("fixed"), again.ID("fixed"))
			}
		})
	}
}
