package project

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// A .dvc file says the same whatever the digest and the name look like: digits alone, or a number with an exponent.
func TestADVCFileKeepsEveryDigestAndName(t *testing.T) {
	for _, out := range []dvcOut{
		{"d41d8cd98f00b204e9800998ecf8427e", 12, "md5", "churn.parquet"},
		{"12345678901234567890123456789012", 0, "md5", "2025.parquet"},
		{"12345678901234567890123456789e12", 1, "md5", "a: b.parquet"},
		{"1234567890e123456789012345678901", 1 << 40, "md5", "# it's \"new\"\n.parquet"},
		{"00000000000000000000000000000000", 1, "md5", "überall 1.parquet"},
	} {
		text, err := encodeDVC(out)
		if err != nil {
			t.Fatal(err)
		}
		var loose struct {
			Outs []map[string]any `yaml:"outs"`
		}
		if err := yaml.Unmarshal(text, &loose); err != nil || len(loose.Outs) != 1 || loose.Outs[0]["md5"] != out.MD5 || loose.Outs[0]["path"] != out.Path {
			t.Errorf("%+v is written as\n%s\nand read as %v, %v", out, text, loose.Outs, err)
		}
	}
	text, _ := encodeDVC(dvcOut{"d41d8cd98f00b204e9800998ecf8427e", 12, "md5", "churn.parquet"})
	if want := "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 12\n  hash: md5\n  path: churn.parquet\n"; string(text) != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
}

// A .dvc file that fstore or dvc add has written is written again. One that has anything else stays.
func TestAForeignDVCFileIsNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "churn.parquet")
	if err := checkDVC(out); !errors.Is(err, fstore.ErrUsage) {
		t.Errorf("outside a DVC repository: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".dvc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := checkDVC(filepath.Join(dir, "new", "deep", "churn.parquet")); err != nil {
		t.Errorf("in a folder to be made: %v", err)
	}
	const own = "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 12\n  hash: md5\n  path: churn.parquet\n"
	l := &lock.Lock{Output: lock.Output{File: lock.File{Size: 3}, MD5: "900150983cd24fb0d6963f7d28e17f72"}}
	for name, c := range map[string]struct {
		text  string
		taken bool
	}{
		"own":          {own, true},
		"description":  {own + "desc: by hand\n", false},
		"comment":      {"# by hand\n" + own, false},
		"remote":       {own + "  remote: s3\n", false},
		"two_outputs":  {own + "- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 1\n  hash: md5\n  path: other\n", false},
		"another_file": {"outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 12\n  hash: md5\n  path: other.parquet\n", false},
		"dvc_2":        {"outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 12\n  path: churn.parquet\n", false},
		"no_yaml":      {"{", false},
		"empty":        {"", false},
	} {
		if err := os.WriteFile(out+dvcSuffix, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := checkDVC(out); c.taken != (err == nil) || err != nil && !errors.Is(err, fstore.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
		_, err := writeDVC(out, l)
		if c.taken != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		want := c.text
		if c.taken {
			want = "outs:\n- md5: 900150983cd24fb0d6963f7d28e17f72\n  size: 3\n  hash: md5\n  path: churn.parquet\n"
		}
		if got, err := os.ReadFile(out + dvcSuffix); err != nil || string(got) != want {
			t.Errorf("%s: the file is %q, %v", name, got, err)
		}
	}
}
