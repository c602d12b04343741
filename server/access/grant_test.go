package access

import (
	"errors"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

func grant(t testing.TB, text string) Grant {
	t.Helper()
	g, err := ParseGrant(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAGrantCoversWhatItNames(t *testing.T) {
	churn := Grant{Scope: OnlineRead, Project: "shop", Service: "churn"}
	fraud := Grant{Scope: OnlineRead, Project: "shop", Model: "fraud"}
	list := Grant{Scope: OnlineRead, Project: "shop"}
	for _, c := range []struct {
		grant              string
		churn, fraud, list bool
	}{
		{"online:read@shop", true, true, true},
		{"online:read@*", true, true, true},
		{"online:read@other", false, false, false},
		{"offline:read@shop", false, false, false},
		{"offline:create@*", false, false, false},
		{"online:read@shop/service:churn", true, false, false},
		{"online:read@*/service:churn", true, false, false},
		{"online:read@shop/service:fraud", false, false, false}, // a service is not a model of that name
		{"online:read@shop/model:fraud", false, true, false},
		{"online:read@shop/model:churn", false, false, false},
	} {
		g := grant(t, c.grant)
		if got := [3]bool{g.Covers(churn), g.Covers(fraud), g.Covers(list)}; got != [3]bool{c.churn, c.fraud, c.list} {
			t.Errorf("%s covers churn, fraud, a list: %v", c.grant, got)
		}
		if g.String() != c.grant {
			t.Errorf("%s is written as %s", c.grant, g)
		}
	}
}

// A project that is called by the name of another one's beginning, and the empty names of a request, are no way round.
func TestAGrantCoversNothingByAccident(t *testing.T) {
	for _, c := range []struct {
		grant string
		asked Grant
	}{
		{"online:read@shop", Grant{OnlineRead, "shop2", "", ""}},
		{"online:read@shop", Grant{OnlineRead, "", "", ""}},
		{"online:read@shop", Grant{OnlineRead, "*", "", ""}},
		{"online:read@shop/service:churn", Grant{OnlineRead, "shop", "", ""}},
		{"online:read@shop/service:churn", Grant{OnlineRead, "shop", "churn", "fraud"}},
		{"online:read@shop/service:churn", Grant{OnlineRead, "shop", "churn2", ""}},
	} {
		if grant(t, c.grant).Covers(c.asked) {
			t.Errorf("%s covers %+v", c.grant, c.asked)
		}
	}
}

func TestMistakesInGrants(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "it names no project",
		"online:read":                     "it names no project",
		"read@shop":                       "the scopes are",
		"online:write@shop":               "the scopes are",
		"online:read@":                    `"" in grant`,
		"online:read@Shop":                "is not a project",
		"online:read@shop/":               "neither service:NAME nor model:NAME",
		"online:read@shop/view:x":         "neither service:NAME nor model:NAME",
		"online:read@shop/service:":       "not the name of a service",
		"online:read@shop/model:fraud@3":  "not the name of a model",
		"online:read@shop/service:*":      "not the name of a service",
		"online:read@shop/service:a/x":    "not the name of a service",
		"online:read@shop ":               "is not a project",
		"online:read@" + longName(400):    "the limit is 300",
		"online:read@shop@shop/service:x": "is not a project",
	} {
		if _, err := ParseGrant(text); !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func longName(n int) string { return strings.Repeat("a", n) }

// FuzzGrant checks that a grant that can be read is written as it was, and fits the scope claim of OAuth 2.
func FuzzGrant(f *testing.F) {
	for _, seed := range []string{"online:read@shop", "offline:create@*/model:fraud", "online:read@shop/service:churn", "@", "a@b/c:d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ParseGrant(text)
		if err != nil {
			return
		}
		if g.String() != text {
			t.Errorf("%q is written as %q", text, g)
		}
		for _, c := range []byte(text) {
			if c <= ' ' || c > '~' || c == '"' || c == '\\' {
				t.Errorf("%q has %q, which a scope may not have", text, c)
			}
		}
	})
}
