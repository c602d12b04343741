package project

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// URL is the location of a store. It may contain a password, so String masks it; reveal returns it in full.
type URL struct{ raw string }

func (u URL) reveal() string { return u.raw }

// scheme returns the part before ://.
func (u URL) scheme() string {
	scheme, _, _ := strings.Cut(u.raw, "://")
	return scheme
}

// path returns the part after ://.
func (u URL) path() string {
	_, path, _ := strings.Cut(u.raw, "://")
	return path
}

// wholeURL matches URLs whose parts are unambiguous: a scheme, optionally a user with a password, an address or a
// path, and optionally options. A password may contain any character, so it ends at the last @.
var wholeURL = regexp.MustCompile(`^([a-z]+)://(?:([^:/@?]*)(:.*)?@)?(\[[0-9a-fA-F:.]*\](?::[0-9]*)?|[^:@?#;&=\[\]]+:[0-9]+|[^:@?#;&=\[\]]*)((?:/[^:@?#;&=]*)?)(\?.*)?$`)

// mistyped matches the part of a mistyped URL that is shown: its scheme, and a host or user followed by a colon.
var mistyped = regexp.MustCompile(`^(sqlite|rediss?|unix)://([\w.-]+:)?`)

var word = regexp.MustCompile(`^[\w./-]*$`)

// plainOption is a URL option whose value is not a secret.
const plainOption = "db"

// String returns the URL with its passwords masked. In a mistyped URL a password may be anywhere, so only its
// beginning is shown.
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
	case m[2] != "": // a user, or a password without its colon
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

// isFile reports whether the URL only names a file, whose path may have any character, or is a word rather than a
// URL.
func (u URL) isFile() bool {
	return u.scheme() == "sqlite" && !strings.ContainsAny(u.path(), "@?") || word.MatchString(u.raw)
}

// options returns the options of a URL, including the question mark.
func options(query string) []string {
	if query == "" {
		return nil
	}
	return strings.Split(query[1:], "&")
}

// secrets returns what must not be printed: the passwords in the URL, as written and as a server or library may
// repeat them. For a mistyped URL, that is all of it.
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
