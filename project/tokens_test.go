package project

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/google/go-cmp/cmp"
)

// tokensProject returns a repo whose tokens file has a text; none if it is empty.
func tokensProject(t *testing.T, text string) (p *Project, file string) {
	t.Helper()
	dir := write(t, "project: shop\nserve: {auth: {tokens: tokens.yaml}}\n")
	file = filepath.Join(dir, "tokens.yaml")
	if text != "" {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Open(t.Context(), dir, Options{Clock: func() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) }, Lookup: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p, file
}

func TestATokenIsCreatedListedAndRevoked(t *testing.T) {
	p, file := tokensProject(t, "")
	one, err := p.CreateToken(NewToken{Name: "one", Grants: []string{"online:read@shop", "offline:read@*"}, Expires: "90d"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.CreateToken(NewToken{Name: "two", Grants: []string{"online:read@shop/model:fraud"}}); err != nil {
		t.Fatal(err)
	}
	got, err := p.Tokens()
	if err != nil {
		t.Fatal(err)
	}
	want := []Token{
		{Name: "one", Grants: []string{"online:read@shop", "offline:read@*"}, Expires: "2027-02-28T12:00:00Z"},
		{Name: "two", Grants: []string{"online:read@shop/model:fraud"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), one) || strings.Contains(string(text), one[4:]) {
		t.Errorf("the file has the token:\n%s", text)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	entries, err := tokensOf(file, text)
	if err != nil || entries[0].Digest != access.DigestOf(one) {
		t.Errorf("%+v %v", entries, err)
	}
	for _, name := range []string{"one", "two"} {
		if err := p.RevokeToken(name); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := p.Tokens(); err != nil || len(got) != 0 {
		t.Errorf("%+v %v", got, err)
	}
	if left, _ := filepath.Glob(file + ".*"); left != nil {
		t.Error(left)
	}
}

const digests = "0000000000000000000000000000000000000000000000000000000000000001"

func TestAnEditKeepsWhatPeopleWrote(t *testing.T) {
	const before = "# who may ask\n- name: first  # of all\n  sha256: \"" + digests + "\"\n  grants: [online:read@shop]\n\n# the mesh\n-\n  certificate: spiffe://shop/mesh\n  name: mesh\n  grants:\n  - online:read@*\n"
	p, file := tokensProject(t, before)
	if _, err := p.CreateToken(NewToken{Name: "new", Grants: []string{"online:read@shop"}}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(file)
	if !strings.HasPrefix(string(text), before) {
		t.Errorf("got\n%s", text)
	}
	for _, c := range []struct{ revoke, want string }{
		{"new", before},
		{"first", "# who may ask\n\n# the mesh\n-\n  certificate: spiffe://shop/mesh\n  name: mesh\n  grants:\n  - online:read@*\n"},
	} {
		if err := p.RevokeToken(c.revoke); err != nil {
			t.Fatal(err)
		}
		text, _ := os.ReadFile(file)
		if d := cmp.Diff(c.want, string(text)); d != "" {
			t.Errorf("revoke %s:\n%s", c.revoke, d)
		}
	}
}

// Two commands cannot lose each other's entries, and one that was killed leaves the file as it was.
func TestAnEditWaitsForNobody(t *testing.T) {
	p, file := tokensProject(t, "")
	if err := os.WriteFile(file+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.CreateToken(NewToken{Name: "a", Grants: []string{"online:read@shop"}}); !errors.Is(err, fstore.ErrConflict) {
		t.Error(err)
	}
	if _, err := os.Stat(file + ".new"); err != nil {
		t.Error(err)
	}
}

// A file that is written in another way is left as it is.
func TestAnEditThatWouldChangeMoreIsRefused(t *testing.T) {
	const flow = "[{name: a, certificate: CN=a, grants: [\"online:read@shop\"]},\n {name: b, certificate: CN=b, grants: [\"online:read@shop\"]}]\n"
	p, file := tokensProject(t, flow)
	_, err := p.CreateToken(NewToken{Name: "new", Grants: []string{"online:read@shop"}})
	for _, err := range []error{err, p.RevokeToken("a")} {
		if !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "fstore cannot edit") {
			t.Error(err)
		}
	}
	if text, _ := os.ReadFile(file); string(text) != flow {
		t.Errorf("got\n%s", text)
	}
}

func TestMistakesInATokensFileHaveTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"a: b": "t.yaml:1:1: expected one list of tokens",
		"- x":  "t.yaml:1:3: expected name, sha256 or certificate, and grants",
		"- name: a\n  grants: [online:read@shop]":                                                 "t.yaml:1:3: entry a needs either sha256 or certificate",
		"- name: a\n  certificate: CN=a\n  sha256: " + digests + "\n  grants: [online:read@shop]": "needs either sha256 or certificate",
		"- name: a\n  certificate: CN=a":                                                          "t.yaml:1:3: entry a has no grants",
		"- name: a\n  certificate: CN=a\n  grants: [online:read@shop, planted]":                   "t.yaml:3:30: it is not a grant",
		"- name: a\n  certificate: CN=a\n  grants: planted":                                       "t.yaml:3:11: expected a list of grants",
		"- name: a\n  sha256: fst_planted\n  grants: [online:read@shop]":                          "t.yaml:2:11: it is not a SHA-256 (64 hexadecimal digits; never the token itself)",
		"- name: a b\n  certificate: CN=a\n  grants: [online:read@shop]":                          "t.yaml:1:9: the name cannot be used",
		"- certificate: CN=a\n  grants: [online:read@shop]":                                       "the entry has no name",
		"- name: a\n  planted: 1":                                                                 "t.yaml:2:3: the key is unknown",
		"- name: a\n  name: b":                                                                    "t.yaml:2:3: a key is given twice",
		"- name: a\n  expires: soon":                                                              "t.yaml:2:12: it is not an instant",
		"- {name: a, certificate: CN=a, grants: [\"online:read@shop\"]}\n- {name: a, certificate: CN=b, grants: [\"online:read@shop\"]}":  "t.yaml:2:3: there is another entry named a",
		"- {name: a, certificate: CN=a, grants: [\"online:read@shop\"]}\n- {name: b, certificate: CN=a, grants: [\"online:read@shop\"]}":  "has the token or certificate of another entry",
		"- {name: a, certificate: A.shop, grants: [\"online:read@*\"]}\n- {name: b, certificate: a.shop, grants: [\"online:read@shop\"]}": "has the token or certificate of another entry",
		"- &a {name: a, certificate: CN=a, grants: [\"online:read@*\"]}\n- *a":                                                            "t.yaml:1:3: anchors, aliases and merge keys",
		"- name: a\n  grants: *x":            "t.yaml:2:11: anchors, aliases and merge keys",
		"- <<: {name: a}\n  grants: []":      "t.yaml:1:3: anchors, aliases and merge keys",
		"- name: [":                          "it is not YAML",
		strings.Repeat("#", maxTokensFile+1): "the limit is 1048576",
	} {
		_, err := parseTokens("t.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "planted") || !errors.Is(err, fstore.ErrDefinition) {
			t.Errorf("%.60q: got %v, want %q", text, err, want)
		}
	}
	if got, err := parseTokens("t.yaml", []byte("# none yet\n")); err != nil || got != nil {
		t.Errorf("%v %v", got, err)
	}
}

func TestMistakesInTokensOnTheCommandLine(t *testing.T) {
	p, _ := tokensProject(t, "")
	for _, c := range []struct {
		n    NewToken
		want string
	}{
		{NewToken{Name: "a b", Grants: []string{"online:read@shop"}}, "NAME: "},
		{NewToken{Name: "a"}, "the token would have no grants (pass --grant online:read@shop)"},
		{NewToken{Name: "a", Grants: []string{"x"}}, `--grant: "x" is not a grant`},
		{NewToken{Name: "a", Grants: []string{"online:read@shop"}, Expires: "soon"}, "--expires: "},
		{NewToken{Name: "a", Grants: []string{"online:read@shop"}, Expires: "0s"}, "--expires: "},
	} {
		if _, err := p.CreateToken(c.n); !errors.Is(err, fstore.ErrUsage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.n, err, c.want)
		}
	}
	if err := p.RevokeToken("a"); !errors.Is(err, fstore.ErrNotFound) {
		t.Error(err)
	}
}

// FuzzTokensFile checks that what can be read can be edited or is refused, and that no error repeats a text of the file.
func FuzzTokensFile(f *testing.F) {
	f.Add("- name: a\n  sha256: \"" + digests + "\"\n  grants: [online:read@shop]\n")
	f.Add("- {name: a, certificate: CN=a, grants: [online:read@shop/model:fraud]}\n")
	f.Add("- name: planted_secret\n")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := parseTokens("t.yaml", []byte(text))
		if err != nil && !errors.Is(err, fstore.ErrDefinition) {
			t.Error(err)
		}
		for _, e := range entries {
			if e.Name == "" || len(e.Grants) == 0 || (e.Certificate == "") == (e.Digest == access.Digest{}) && e.Certificate != "" {
				t.Errorf("%+v", e)
			}
		}
	})
}

// An edit leaves the file to who had it, with its mode: the server must still be able to read it.
func TestAnEditKeepsTheOwnerAndTheMode(t *testing.T) {
	p, file := tokensProject(t, "# ours\n")
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	owner := os.Getuid()
	if owner == 0 { // only root may give files away
		owner = 65534
		if err := os.Chown(file, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.CreateToken(NewToken{Name: "one", Grants: []string{"online:read@shop"}}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if is := info.Sys().(*syscall.Stat_t); int(is.Uid) != owner || info.Mode().Perm() != 0o640 {
		t.Errorf("the file has mode %v and belongs to %d, want 0640 and %d", info.Mode(), is.Uid, owner)
	}
}

// Who can write to the file can grant anything, so a file that others may write is not believed.
func TestATokensFileThatOthersMayWriteIsRefused(t *testing.T) {
	p, file := tokensProject(t, "# ours\n")
	for mode, refused := range map[os.FileMode]bool{0o600: false, 0o644: false, 0o660: true, 0o602: true} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, listed := p.Tokens()
		_, created := p.CreateToken(NewToken{Name: "one", Grants: []string{"online:read@shop"}})
		if !refused && created == nil {
			created = p.RevokeToken("one")
		}
		for _, err := range []error{listed, created} {
			if got := err != nil && strings.Contains(err.Error(), "can be changed by other users"); got != refused || !refused && err != nil {
				t.Errorf("%v: got %v, refused should be %v", mode, err, refused)
			}
		}
	}
}
