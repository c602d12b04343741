package access

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

func TestBearer(t *testing.T) {
	for _, c := range []struct {
		headers []string
		want    string // the credential, or a part of the error
	}{
		{nil, ""},
		{[]string{"Bearer abc"}, "abc"},
		{[]string{"bearer a-._~+/Z=="}, "a-._~+/Z=="},
		{[]string{"Bearer abc", "Bearer abc"}, "error: there are 2 authorization headers"},
		{[]string{""}, "error: is not a bearer token"},
		{[]string{"Bearer"}, "error: is not a bearer token"},
		{[]string{"Basic c2VjcmV0"}, "error: is not a bearer token"},
		{[]string{"Bearer "}, "error: is not one word"},
		{[]string{"Bearer  abc"}, "error: is not one word"},
		{[]string{"Bearer abc def"}, "error: is not one word"},
		{[]string{"Bearer abc,Bearer def"}, "error: is not one word"},
		{[]string{"Bearer =="}, "error: is not one word"},
		{[]string{"Bearer a=b"}, "error: is not one word"},
		{[]string{"Bearer \x00"}, "error: is not one word"},
		{[]string{"Bearer " + strings.Repeat("a", maxCredential+1)}, "error: has 8193 bytes"},
	} {
		got, err := Bearer(c.headers)
		want, wrong := strings.CutPrefix(c.want, "error: ")
		if wrong != (err != nil) || wrong && !strings.Contains(err.Error(), want) || !wrong && got != want {
			t.Errorf("%.30q: got %q, %v", c.headers, got, err)
		}
		if err != nil && !errors.Is(err, fstore.ErrUnauthenticated) {
			t.Errorf("%.30q: %v is of another kind", c.headers, err)
		}
	}
}

func TestTokensCanBeFoundByScanners(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		token, digest := NewToken()
		if !regexp.MustCompile(`^fst_[A-Za-z0-9_-]{43}$`).MatchString(token) || seen[token] || digest != DigestOf(token) {
			t.Errorf("%s", token)
		}
		seen[token] = true
		if got, err := Bearer([]string{"Bearer " + token}); got != token || err != nil {
			t.Errorf("%s cannot be sent: %v", token, err)
		}
	}
}

// FuzzBearer checks that no header is repeated in an error, and that credentials are bounded words.
func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"Bearer abc", "bearer", "Basic x", "Bearer \xff", "Bearer a b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		credential, err := Bearer([]string{header})
		if err != nil {
			secret := strings.TrimSpace(header[strings.IndexByte(header, ' ')+1:])
			if len(secret) > 8 && strings.Contains(err.Error(), secret) && !strings.Contains("the authorization header is not a bearer token the credential is not one word of letters, digits and - . _ ~ + / (send one header: authorization: Bearer TOKEN)", secret) {
				t.Errorf("%v repeats %q", err, header)
			}
			return
		}
		if credential == "" || len(credential) > maxCredential || strings.ContainsAny(credential, " \r\n\t,;\"") {
			t.Errorf("%q", credential)
		}
	})
}
