package project

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/definition"
	"github.com/fstore-dev/fstore/server/access"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// A tokens file is a YAML list. Each entry binds a token, of which it has the SHA-256, or a client certificate to
// grants:
//
//	- name: fraud-service
//	  sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
//	  grants: [online:read@shop/model:fraud]
//	  expires: 2027-03-01T00:00:00Z
//	- name: mesh
//	  certificate: spiffe://shop/checkout
//	  grants: [online:read@shop]

// The limits of a tokens file.
const (
	maxTokensFile = 1 << 20
	maxTokens     = 2000
	maxGrants     = 100 // of one entry
)

// tokenEntry is an entry of a tokens file, with its place.
type tokenEntry struct {
	access.Token
	pos fstore.Pos
}

// parseTokens reads a tokens file. The error is an ErrDefinition with the place of the first mistake. It never repeats
// a value where a token could stand by mistake.
func parseTokens(file string, text []byte) ([]tokenEntry, error) {
	if len(text) > maxTokensFile {
		return nil, tokensError(fstore.Pos{File: file}, "", "the file has %d bytes; the limit is %d", len(text), maxTokensFile)
	}
	if err := refuseReferences(file, text); err != nil {
		return nil, err
	}
	parsed, problem := definition.ParseYAML(file, text)
	if problem != nil {
		return nil, tokensError(problem.Pos, "", "it is not YAML")
	}
	t := tokensText{file: file, names: map[string]bool{}, keys: map[string]bool{}}
	for i, doc := range parsed.Docs {
		switch body := doc.Body.(type) {
		case nil, *ast.NullNode, *ast.CommentGroupNode:
			continue
		case *ast.SequenceNode:
			if i == 0 {
				if err := t.list(body); err != nil {
					return nil, err
				}
				continue
			}
		}
		return nil, tokensError(t.at(doc.Body), "", "expected one list of tokens")
	}
	return t.entries, nil
}

// refuseReferences returns the place of the first anchor, alias or merge key: a reader must see what an entry grants.
func refuseReferences(file string, text []byte) error {
	for _, t := range lexer.Tokenize(string(text)) {
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return tokensError(fstore.Pos{File: file, Line: t.Position.Line, Col: t.Position.Column},
				"write each entry in full; quote a text that begins with & or *", "anchors, aliases and merge keys (&, *, <<) are not allowed")
		}
	}
	return nil
}

func tokensError(pos fstore.Pos, hint, format string, args ...any) error {
	if hint == "" {
		hint = "fstore token create writes entries; docs/security.md describes them"
	}
	return fstore.ErrorAt(fstore.ErrDefinition, pos, format, args...).WithHint("%s", hint)
}

// tokensText is a tokens file as it is read.
type tokensText struct {
	file    string
	entries []tokenEntry
	names   map[string]bool
	keys    map[string]bool // digests and certificates
}

func (t *tokensText) at(n ast.Node) fstore.Pos {
	w := settingsWalk{file: t.file}
	return w.at(n)
}

func (t *tokensText) list(n *ast.SequenceNode) error {
	if len(n.Values) > maxTokens {
		return tokensError(t.at(n), "", "there are %d entries; the limit is %d", len(n.Values), maxTokens)
	}
	for _, one := range n.Values {
		if err := t.entry(one); err != nil {
			return err
		}
	}
	return nil
}

// entry reads one entry.
func (t *tokensText) entry(n ast.Node) error {
	m, ok := n.(ast.MapNode)
	if !ok {
		return tokensError(t.at(n), "", "expected name, sha256 or certificate, and grants")
	}
	e := tokenEntry{pos: t.at(n)}
	seen := map[string]bool{}
	for it := m.MapRange(); it.Next(); {
		key := it.Key().GetToken().Value
		if seen[key] {
			return tokensError(t.at(it.Key()), "", "a key is given twice")
		}
		seen[key] = true
		if err := t.member(&e, key, it.Key(), it.Value()); err != nil {
			return err
		}
	}
	switch {
	case e.Name == "":
		return tokensError(e.pos, "", "the entry has no name")
	case t.names[e.Name]:
		return tokensError(e.pos, "give each entry a name of its own", "there is another entry named %s", e.Name)
	case seen["sha256"] == seen["certificate"]:
		return tokensError(e.pos, "", "entry %s needs either sha256 or certificate", e.Name)
	case len(e.Grants) == 0:
		return tokensError(e.pos, "such as grants: [online:read@shop]", "entry %s has no grants", e.Name)
	}
	key := access.CertificateKey(e.Certificate)
	if key == "" {
		key = hex.EncodeToString(e.Digest[:])
	}
	if t.keys[key] {
		return tokensError(e.pos, "one entry may have several grants", "entry %s has the token or certificate of another entry", e.Name)
	}
	t.names[e.Name], t.keys[key] = true, true
	t.entries = append(t.entries, e)
	return nil
}

// member reads a member of an entry.
func (t *tokensText) member(e *tokenEntry, key string, name, value ast.Node) error {
	if key == "grants" {
		return t.grants(e, value)
	}
	text, ok := scalarText(value)
	if !ok {
		return tokensError(t.at(value), "", "expected one value")
	}
	bad := func(hint, format string, args ...any) error { return tokensError(t.at(value), hint, format, args...) }
	switch key {
	case "name":
		if access.CheckTokenName(text) != nil {
			return bad("1 to 64 letters, digits and . _ -, such as fraud-service", "the name cannot be used")
		}
		e.Name = text
	case "sha256":
		raw, err := hex.DecodeString(text)
		if err != nil || copy(e.Digest[:], raw) != len(e.Digest) || len(raw) != len(e.Digest) {
			return bad("64 hexadecimal digits; never the token itself", "it is not a SHA-256")
		}
	case "certificate":
		if text == "" || len(text) > 2048 {
			return bad("spiffe://shop/checkout, checkout.shop.svc or CN=checkout", "it is not the name of a certificate")
		}
		e.Certificate = text
	case "expires":
		at, err := fstore.ParseTime(text)
		if err != nil || !at.After(time.Time{}) {
			return bad("such as 2027-03-01T00:00:00Z", "it is not an instant")
		}
		e.Expires = at
	default:
		return tokensError(t.at(name), "the keys are name, sha256, certificate, grants and expires", "the key is unknown")
	}
	return nil
}

func (t *tokensText) grants(e *tokenEntry, n ast.Node) error {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return tokensError(t.at(n), "such as grants: [online:read@shop]", "expected a list of grants")
	}
	if len(list.Values) > maxGrants {
		return tokensError(t.at(n), "", "there are %d grants; the limit is %d", len(list.Values), maxGrants)
	}
	for _, one := range list.Values {
		text, _ := scalarText(one)
		g, err := access.ParseGrant(text)
		if err != nil {
			return tokensError(t.at(one), `such as "online:read@shop", "online:read@shop/service:churn" or "online:read@shop/model:fraud"; within braces it needs the quotation marks`, "it is not a grant")
		}
		e.Grants = append(e.Grants, g)
	}
	return nil
}

// entryText returns an entry as fstore writes it, indented by a margin.
func entryText(t access.Token, margin string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s- name: %s\n%s  sha256: %q\n%s  grants:\n", margin, t.Name, margin, hex.EncodeToString(t.Digest[:]), margin)
	for _, g := range t.Grants {
		fmt.Fprintf(&b, "%s    - %q\n", margin, g.String())
	}
	if !t.Expires.IsZero() {
		fmt.Fprintf(&b, "%s  expires: %s\n", margin, fstore.FormatTime(t.Expires))
	}
	return b.String()
}
