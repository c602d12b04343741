package trainset

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever path a file had, a link to it lies in the folder of the links, keeps the folders that are columns, and reads
// the file.
func TestLinksStayInTheirFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file.parquet")
	if err := os.WriteFile(file, []byte("it"), 0o600); err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(dir, "a/b/temp")
	if err := os.MkdirAll(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := newLinks(temp)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for path, folders := range map[string]string{
		"/data/day=1/x.parquet":                           "day=1",
		"/data/day=1/plain/hour=a b/x.parquet":            "day=1/hour=a b",
		"/data/x.parquet":                                 "",
		strings.Repeat("/..", 20) + dir + "/a/k=v/x":      "k=v",
		strings.Repeat("/..", 20) + dir + "/.git/hooks/x": "",
		"../../../../" + filepath.Base(dir) + "/x":        "",
		"/k=../../x": "",
		"/data/=/x":  "=",
		"/data/k=" + strings.Repeat("v", 200) + "/x":           "k=" + strings.Repeat("v", 200),
		"/data/day=2/../../../../../../../../../../../../../x": "",
	} {
		link, err := l.link(file, path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if again, err := l.link(file, path); err != nil || again != link {
			t.Errorf("%s: the second time %s, %v", path, again, err)
		}
		rel, err := filepath.Rel(filepath.Join(temp, "inputs"), link)
		if err != nil || !filepath.IsLocal(rel) {
			t.Errorf("%s: the link is %s", path, link)
			continue
		}
		steps := strings.Split(rel, "/")
		if got := strings.Join(steps[1:len(steps)-1], "/"); got != folders {
			t.Errorf("%s: its folders are %s, want %s", path, got, folders)
		}
		if text, err := os.ReadFile(link); err != nil || string(text) != "it" {
			t.Errorf("%s: read %q, %v", path, text, err)
		}
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 && !strings.HasPrefix(path, temp) {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	for _, path := range []string{"/k=a\x00b/x", "/k=" + strings.Repeat("v", 300) + "/x"} {
		if link, err := l.link(file, path); err == nil {
			t.Errorf("%q has the link %s", path, link)
		}
	}
}
