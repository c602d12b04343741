package project

import (
	"net/netip"
	"net/url"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
)

// AuthSettings say by which credentials a server knows its callers. Without any, it does not ask for one.
type AuthSettings struct {
	Tokens    string // file; "": there are none
	Issuer    string // of JWTs; "": they are not accepted
	Audience  string
	JWKS      string // file, or URL
	ClockSkew time.Duration
}

// maxSkew bounds serve.auth.jwt.clock_skew: an expired JWT is accepted for as long.
const maxSkew = 10 * time.Minute

const jwtSettings = "serve.auth.jwt."

func (c *settingsCheck) auth() AuthSettings {
	a := AuthSettings{
		Tokens: c.optionalFile("serve.auth.tokens"),
		Issuer: c.value(jwtSettings + "issuer"), Audience: c.value(jwtSettings + "audience"), JWKS: c.jwks(),
	}
	given := map[string]string{"issuer": a.Issuer, "audience": a.Audience, "jwks": a.JWKS}
	for _, name := range []string{"issuer", "audience", "jwks"} {
		if given[name] == "" && a.Issuer+a.Audience+a.JWKS != "" {
			c.bad(jwtSettings+name, "JWTs need serve.auth.jwt.issuer, .audience and .jwks", "is missing")
		}
	}
	skew, err := fstore.ParseDuration(c.value(jwtSettings + "clock_skew"))
	a.ClockSkew = time.Duration(skew)
	if err != nil || a.ClockSkew > maxSkew {
		c.bad(jwtSettings+"clock_skew", "for example 60s; at most 10m", "%q is not a difference of clocks", c.value(jwtSettings+"clock_skew"))
	}
	return a
}

// optionalFile returns the absolute path of a setting that names a file, or "" if it names none.
func (c *settingsCheck) optionalFile(key string) string {
	if path := c.value(key); path != "" {
		return absolute(c.dir, path)
	}
	return ""
}

func (c *settingsCheck) jwks() string {
	const key = jwtSettings + "jwks"
	text := c.value(key)
	if !isURL(text) {
		return c.optionalFile(key)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		c.bad(key, "a file, or for example https://issuer.example.com/.well-known/jwks.json", "it is not the URL of a key set")
	case u.User != nil:
		c.bad(key, "public keys need no password", "the URL has a user")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		c.bad(key, "use https: over http, anybody in between can send keys", "%q is not an https URL", text)
	}
	return text
}

func isURL(text string) bool { return strings.Contains(text, "://") }

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// auditStderr is the serve.audit that writes to stderr.
const auditStderr = "stderr"

func (c *settingsCheck) audit() string {
	if to := c.value("serve.audit"); to == auditStderr {
		return to
	}
	return c.optionalFile("serve.audit")
}
