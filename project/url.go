package project

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore/online/redis"
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

// wholeURL matches URLs whose parts are unambiguous: a scheme, optionally a user with a password, an address, several
// addresses of sentinels or a path, and optionally options. A password may contain any character but ?, so it ends at
// the last @, which options may not contain.
var wholeURL = regexp.MustCompile(`^([a-z]+|rediss?\+sentinel)://(?:([^:/@?]*)(:[^?]*)?@)?(\[[0-9a-fA-F:.]*\](?::[0-9]*)?|[^:@?#;&=\[\]]+:[0-9]+|` + address + `(?:,` + address + `)+|[^:@?#;&=\[\]]*)((?:/[^:@?#;&=]*)?)(\?[^@]*)?$`)

// address matches one of several addresses.
const address = `(?:\[[0-9a-fA-F:.]*\]|[^:@?#;&=\[\],/]+)(?::[0-9]+)?`

// mistyped matches the part of a mistyped URL that is shown: its scheme, and a host or user followed by a colon.
var mistyped = regexp.MustCompile(`^(sqlite|rediss?(?:\+sentinel)?|unix)://([\w.-]+:)?`)

var word = regexp.MustCompile(`^[\w./-]*$`)

// plainOptions are the URL options whose values are not secret where they look as they should.
var plainOptions = map[string]*regexp.Regexp{
	"db":                regexp.MustCompile(`.*`),
	"read_from":         regexp.MustCompile(`^(primary|replica)$`),
	"pool_size":         regexp.MustCompile(`^[0-9]{1,4}$`),
	"tls_ca":            filePath,
	"tls_cert":          filePath,
	"tls_key":           filePath,
	"tls_server_name":   regexp.MustCompile(`^[\w.-]+$`),
	"sentinel_username": regexp.MustCompile(`^[\w.-]+$`),
}

var filePath = regexp.MustCompile(`^[\w./-]+$`)

// isPlain reports whether the value of an option may be printed.
func isPlain(name, value string) bool {
	plain := plainOptions[name]
	return plain != nil && plain.MatchString(value)
}

// isRedis reports whether the URL names a Redis store.
func (u URL) isRedis() bool {
	switch u.scheme() {
	case "redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel":
		return true
	}
	return false
}

// absolute returns the URL with absolute paths of files: of a SQLite file, or of TLS certificates and keys.
func (u URL) absolute(dir string) URL {
	if path, ok := strings.CutPrefix(u.raw, "sqlite://"); ok && path != "" {
		return URL{"sqlite://" + absolute(dir, path)}
	}
	m := wholeURL.FindStringSubmatch(u.raw)
	if m == nil || !u.isRedis() || m[6] == "" {
		return u
	}
	list := options(m[6])
	for i, option := range list {
		name, value, _ := strings.Cut(option, "=")
		file, err := url.QueryUnescape(value)
		if plainOptions[name] != filePath || err != nil || file == "" {
			continue
		}
		if path := absolute(dir, file); path != file {
			list[i] = name + "=" + strings.ReplaceAll(url.QueryEscape(path), "%2F", "/")
		}
	}
	return URL{strings.TrimSuffix(u.raw, m[6]) + "?" + strings.Join(list, "&")}
}

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
		name, value, _ := strings.Cut(option, "=")
		switch {
		case !redis.IsOption(name): // perhaps a part of a password
			option = "***"
		case value != "" && !isPlain(name, value):
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
		switch name, value, _ := strings.Cut(option, "="); {
		case !redis.IsOption(name):
			out = append(out, option)
		case value != "" && !isPlain(name, value):
			out = append(out, value)
		}
	}
	for _, raw := range slices.Clone(out) {
		if plain, err := url.QueryUnescape(raw); err == nil && plain != raw && plain != "" {
			out = append(out, plain)
		}
	}
	out = slices.DeleteFunc(out, func(s string) bool { return s == "" })
	slices.SortStableFunc(out, func(a, b string) int { return len(b) - len(a) }) // one may contain another
	return out
}
