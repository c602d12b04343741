package project

import (
	"errors"
	"fmt"
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

// Whatever a password is, it is not printed with the URL, also where the URL is wrong, and is known as a secret.
func FuzzPasswordsInURLs(f *testing.F) {
	for _, password := range []string{"", "p", "a@b", "a/b", "a?b=c", "a?tls_ca=b", ":1,h2:2/m", "%40", "a&b", "#", "a,b:1", "?db=", "]["} {
		for form := range urlForms {
			f.Add(password, form)
		}
	}
	f.Fuzz(func(t *testing.T, password string, form int) {
		if form < 0 || form >= len(urlForms) {
			return
		}
		secret := "s3cret" + password + "s3cret"
		raw := fmt.Sprintf(urlForms[form], secret)
		u := URL{raw}.absolute("/repo")
		if shown := u.String(); strings.Contains(shown, "s3cret") {
			t.Errorf("%s is printed as %s", raw, shown)
		}
		for _, s := range u.secrets() {
			raw = strings.ReplaceAll(raw, s, "")
		}
		if strings.Contains(raw, "s3cret") {
			t.Errorf("the secrets are %q, which leaves %s", u.secrets(), raw)
		}
		if what, hint := onlineMistake(u); strings.Contains(what+hint, "s3cret") {
			t.Errorf("%s %s", what, hint)
		}
	})
}

var urlForms = []string{
	"redis://user:%s@host:6379/0", "rediss://:%s@host", "unix://user:%s@/tmp/s?db=1", "redis+sentinel://user:%s@h1:26379,h2:26379/m/0", "rediss+sentinel://:%s@h1,h2/m?read_from=replica",
	"redis+sentinel://h1,h2/m?sentinel_username=u&sentinel_password=%s", "redis+sentinel://u:p@h1,h2/m?tls_ca=a&password=%s", "redis+sentinel://u:%s@", "redis+sentinel://u:%s@h/m?sentinel_password=",
	"redis://h?pool_size=40&x=%s",
}
