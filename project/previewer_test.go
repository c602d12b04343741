package project

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/flight"
)

// A preview is the command's file, and a summary that says nothing of where it is. Nothing stays after it, however it ends.
func TestPreviewIsTheCommand(t *testing.T) {
	const writes = `
		for arg; do case $arg in --out=*) printf 'PAR1' >"${arg#--out=}"; out=${arg#--out=};; esac; done
		printf '{"rows": 3, "labels": 3, "out": "%s", "features": [{"name": "a"}], "views": [], "first": [], "more": true}' "$out"`
	request := &flight.Request{LabelsSQL: "select 1", Model: "fraud@7"}
	silent := func([]byte) error { return nil }
	sets := setsOf(t, writes)
	folder := sets.p.Settings.Offline.TrainingSets
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	left := func() []string {
		names, err := filepath.Glob(filepath.Join(folder, ".preview-*"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	made, err := sets.Preview(t.Context(), request, silent)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"rows":3,"labels":3,"bytes":4,"features":[{"name":"a"}],"views":[]}`
	text, readErr := io.ReadAll(made)
	if string(made.Summary) != want || string(text) != "PAR1" || made.Rows != 3 || readErr != nil || len(left()) != 1 {
		t.Errorf("%s, %q, %d, %v, %q", made.Summary, text, made.Rows, readErr, left())
	}
	if err := made.Close(); err != nil || len(left()) != 0 {
		t.Error(err, left())
	}
	for name, script := range map[string]string{
		"refuses": `echo '{"error":{"kind":"not_found","message":"there is no model"}}' >&2; exit 1`, "no file": `echo '{}'`, "no JSON": writes + `; echo x`,
	} {
		failing := setsOf(t, script)
		failing.p.Settings.Offline.TrainingSets = folder
		if made, err := failing.Preview(t.Context(), request, silent); err == nil || len(left()) != 0 {
			t.Errorf("%s: %v, %v, %q", name, made, err, left())
		} else if name == "refuses" && !errors.Is(err, fstore.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
