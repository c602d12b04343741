package project

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	fstore "github.com/fstore-dev/fstore"
)

// Whatever stands in fstore.yaml, it is settings or a mistake with its position.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{
		"project: shop\noffline: {threads: 2}\n", "project: ${A:-b}\nserve:\n  grpc: :0\n", "onlin: x", "- a", "a: &x [*x]", "project: [", "---\n---\n", "? {}\n: 1",
		"offline: {}\noffline.threads: 1", "project: !!binary a", "project: |\n  a\n", "<<: {project: a}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseSettings(SettingsFile, []byte(text), func(string) (string, bool) { return "x", true })
		switch {
		case err != nil && (!errors.Is(err, fstore.ErrDefinition) || !strings.HasPrefix(err.Error(), SettingsFile+":")):
			t.Errorf("%v has no position", err)
		case err == nil:
			for key := range got.values {
				if !isSetting(key) || got.pos[key].Line == 0 {
					t.Errorf("took %q at %v", key, got.pos[key])
				}
			}
		}
	})
}

// Whatever --entity says, it gives a whole row or a mistake.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{`k=1,s=a`, `{"k":1,"s":"a"}`, `k=1`, `s=,k=`, `{"k":null,"s":null}`, `{"k":1e3,"s":"\u0000"}`, `{"k":1,"s":"\ud800"}`, `[1]`, `null`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k := NewKeyRows(keyedBy(fstore.Field{Name: "k", Type: fstore.Int64}, fstore.Field{Name: "s", Type: fstore.String}), nil)
		err := k.AddText(text)
		if err == nil && k.Columns[0].Len != k.Columns[1].Len {
			t.Errorf("columns of %d and %d rows", k.Columns[0].Len, k.Columns[1].Len)
		}
		for i, s := range k.Columns[1].Strings {
			if !utf8.ValidString(s) {
				t.Errorf("row %d is %q", i, s)
			}
		}
		if err != nil && err.Error() == "" {
			t.Errorf("a mistake without words")
		}
	})
}
