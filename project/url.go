package project

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// URL is where a store is. It may hold a password, so it prints without one; reveal gives the whole.
type URL struct{ raw string }

func (u URL) reveal() string { return u.raw }

// scheme returns what stands before ://.
func (u URL) scheme() string {
	scheme, _, _ := strings.Cut(u.raw, "://")
	return scheme
}

// path returns what follows ://.
func (u URL) path() string {
	_, path, _ := strings.Cut(u.raw, "://")
	return path
}

// The forms of a URL that show where everything stands in it: a scheme, perhaps a user with a password, an address or
// a path, perhaps options. A password may hold any character, so it ends at the last @.
var wholeURL = regexp.MustCompile(`^([a-z]+)://(?:([^:/@?]*)(:.*)?@)?(\[[0-9a-fA-F:.]*\](?::[0-9]*)?|[^:@?#;&=\[\]]+:[0-9]+|[^:@?#;&=\[\]]*)((?:/[^:@?#;&=]*)?)(\?.*)?$`)

// What is shown of a mistyped URL: its scheme, and a host or user that a colon follows.
var mistyped = regexp.MustCompile(`^(sqlite|rediss?|unix)://([\w.-]+:)?`)

var word = regexp.MustCompile(`^[\w./-]*$`)

// plainOption is an option of a URL whose value cannot be a secret.
const plainOption = "db"

// String returns the URL with its passwords masked. Of a mistyped URL, in which a password may stand anywhere, only
// the beginning is shown.
func (u URL) String() string {
	if u.isFile() {
		return u.raw
	}
	m := wholeURL.FindStringSubmatch(u.raw)
	if m == nil {
		return mistyped.FindString(u.raw) + "***"
	}
	var b strings.Builder
	b.WriteString(m[1] + "://")
	switch {
	case m[3] != "":
		b.WriteString(m[2] + ":***@")
	case m[2] != "": // a user, or a password whose colon is missing
		b.WriteString("***@")
	}
	b.WriteString(m[4] + m[5])
	separator := "?"
	for _, option := range options(m[6]) {
		name, value, given := strings.Cut(option, "=")
		if given && name != plainOption && value != "" {
			option = name + "=***"
		}
		b.WriteString(separator + option)
		separator = "&"
	}
	return b.String()
}

// isFile reports whether the URL only names a file, whose path may hold any character, or is no URL but a word.
func (u URL) isFile() bool {
	return u.scheme() == "sqlite" && !strings.ContainsAny(u.path(), "@?") || word.MatchString(u.raw)
}

// options returns the options of a URL, from its question mark on.
func options(query string) []string {
	if query == "" {
		return nil
	}
	return strings.Split(query[1:], "&")
}

// secrets returns what must not be printed: the passwords in the URL, as they are written and as a server or a
// library may repeat them; the whole of a mistyped one.
func (u URL) secrets() []string {
	if u.isFile() {
		return nil
	}
	m := wholeURL.FindStringSubmatch(u.raw)
	if m == nil {
		return []string{u.raw}
	}
	out := []string{}
	if password := strings.TrimPrefix(m[3], ":"); password != "" {
		out = append(out, password)
	}
	for _, option := range options(m[6]) {
		if name, value, _ := strings.Cut(option, "="); value != "" && name != plainOption {
			out = append(out, value)
		}
	}
	for _, raw := range slices.Clone(out) {
		if plain, err := url.QueryUnescape(raw); err == nil && plain != raw && plain != "" {
			out = append(out, plain)
		}
	}
	return out
}
