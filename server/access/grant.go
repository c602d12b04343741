// Package access decides who may ask a server for what. It knows no protocol and no file: a door gives it the
// credential of a request, and its owner gives it the texts of tokens and keys.
//
// A credential leads to a Caller: a bearer token, of which only the SHA-256 is known; a JWT, signed by an issuer; or
// a verified client certificate. A Caller has grants, and a grant covers what is asked or does not. There are no
// denials that take a grant away, so the order of grants does not matter.
//
// Errors are of two kinds. ErrUnauthenticated: nobody knows who asks. ErrForbidden: the caller has no grant for it.
// Neither says whether a name exists, and neither repeats a credential.
package access

import (
	"strings"

	"github.com/fstore-dev/fstore"
)

// Scope is a kind of thing that a caller may do.
type Scope string

// The scopes.
const (
	OnlineRead    Scope = "online:read"    // look up features and describe them
	OfflineRead   Scope = "offline:read"   // read training sets
	OfflineCreate Scope = "offline:create" // create training sets
)

// EveryProject is the project of a grant for all projects.
const EveryProject = "*"

// Grant is a scope in a project, perhaps restricted to one service or one model. With a project that is a name, it is
// also what a request asks for: neither a service nor a model then stands for a list of features.
//
// Its text is SCOPE@PROJECT, SCOPE@PROJECT/service:NAME or SCOPE@PROJECT/model:NAME. Each character of it is one that
// the scope claim of OAuth 2 allows (RFC 6749, section 3.3: printable ASCII without the space, the quotation mark and
// the backslash), so that a JWT can carry grants as they are. Names have neither @ nor / nor a colon, which separate
// the parts.
type Grant struct {
	Scope   Scope
	Project string // a name, or EveryProject
	Service string // restricts the grant to one service
	Model   string // restricts the grant to all versions and aliases of one model
}

const grantHint = "such as online:read@shop, online:read@shop/service:churn or online:read@shop/model:fraud"

// maxGrant bounds the text of a grant.
const maxGrant = 300

// ParseGrant reads a grant. The error is ErrInvalid.
func ParseGrant(text string) (Grant, error) {
	bad := func(format string, args ...any) (Grant, error) {
		return Grant{}, fstore.Errorf(fstore.ErrInvalid, format, args...).WithHint(grantHint)
	}
	if len(text) > maxGrant {
		return bad("%.20q… is a grant of %d bytes; the limit is %d", text, len(text), maxGrant)
	}
	scope, rest, ok := strings.Cut(text, "@")
	if !ok {
		return bad("%q is not a grant: it names no project", text)
	}
	g := Grant{Scope: Scope(scope)}
	switch g.Scope {
	case OnlineRead, OfflineRead, OfflineCreate:
	default:
		return bad("%q is not a scope: the scopes are online:read, offline:read and offline:create", scope)
	}
	var only string
	g.Project, only, ok = strings.Cut(rest, "/")
	if g.Project != EveryProject && fstore.CheckName(g.Project) != nil {
		return bad("%q in grant %q is not a project", g.Project, text)
	}
	if !ok {
		return g, nil
	}
	kind, name, _ := strings.Cut(only, ":")
	check := fstore.CheckName
	switch kind {
	case "service":
		g.Service = name
	case "model":
		g.Model, check = name, fstore.CheckModelName
	default:
		return bad("%q in grant %q is neither service:NAME nor model:NAME", only, text)
	}
	if check(name) != nil {
		return bad("%q in grant %q is not the name of a %s", name, text, kind)
	}
	return g, nil
}

// String returns the text of a grant.
func (g Grant) String() string {
	text := string(g.Scope) + "@" + g.Project
	switch {
	case g.Service != "":
		return text + "/service:" + g.Service
	case g.Model != "":
		return text + "/model:" + g.Model
	}
	return text
}

// Covers reports whether a grant allows what is asked. A restricted grant allows only what it names; a list of
// features, which may come from any view, needs an unrestricted one.
func (g Grant) Covers(asked Grant) bool {
	if g.Scope != asked.Scope || g.Project != EveryProject && g.Project != asked.Project {
		return false
	}
	return g.Service == "" && g.Model == "" || g.Service == asked.Service && g.Model == asked.Model
}

// forbidden is the error for what no grant covers. It names what was asked, which the caller knows.
func forbidden(asked Grant) error {
	what, only := "a list of features", ""
	switch {
	case asked.Service != "":
		what, only = "service "+shorten(asked.Service), "/service:NAME"
	case asked.Model != "":
		what, only = "model "+shorten(asked.Model), "/model:NAME"
	}
	return &Refused{Reason: NoGrant, err: fstore.Errorf(fstore.ErrForbidden, "the caller has no grant of %s for %s", asked.Scope, what).
		WithHint("ask for the grant %s@PROJECT%s", asked.Scope, only)}
}

// maxName bounds names in errors.
const maxName = 128

// shorten cuts a name that a caller sent.
func shorten(name string) string {
	if len(name) > maxName {
		name = name[:maxName] + "…"
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}
