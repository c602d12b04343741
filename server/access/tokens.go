package access

import (
	"crypto/subtle"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// Token binds a bearer token or a client certificate to grants.
type Token struct {
	Name        string
	Digest      Digest // of the token; zero: the entry is for a certificate
	Certificate string // a URI such as spiffe://shop/fraud, a DNS name, or CN=NAME; empty: the entry is for a token
	Grants      []Grant
	Expires     time.Time // by the server's clock; zero: never
}

// expired reports whether the token is no longer valid.
func (t *Token) expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

// CheckTokenName returns ErrInvalid unless a text can be the name of a token.
func CheckTokenName(name string) error {
	ok := name != "" && len(name) <= 64 && isAlphanumeric(name[0])
	for _, c := range []byte(name) {
		ok = ok && (isAlphanumeric(c) || strings.IndexByte("._-", c) >= 0)
	}
	if !ok {
		return fstore.Errorf(fstore.ErrInvalid, "%q is not the name of a token", shorten(name)).
			WithHint("1 to 64 letters, digits and . _ -, such as fraud-service")
	}
	return nil
}

// tokens finds the callers of tokens and certificates.
type tokens struct {
	byDigest      map[Digest]*known
	byCertificate map[string]*known
}

// known is a token with its caller.
type known struct {
	Token
	caller *Caller
}

func newTokens(list []Token) *tokens {
	t := &tokens{byDigest: map[Digest]*known{}, byCertificate: map[string]*known{}}
	for _, one := range list {
		k := &known{one, &Caller{Name: one.Name, By: ByToken, grants: one.Grants}}
		if one.Certificate == "" {
			t.byDigest[one.Digest] = k
			continue
		}
		k.caller.By = ByCertificate
		t.byCertificate[CertificateKey(one.Certificate)] = k
	}
	return t
}

// CertificateKey is a certificate's name as it is compared: DNS names have no case.
func CertificateKey(name string) string {
	if strings.Contains(name, "://") || strings.HasPrefix(name, commonName) {
		return name
	}
	return strings.ToLower(name)
}

// commonName begins the name of a certificate that is known by the common name of its subject.
const commonName = "CN="

// identify returns the caller of a token. The table is found by the digest, which no caller can choose a prefix of;
// the digests are then compared in constant time.
func (t *tokens) identify(token string, now time.Time) (*Caller, error) {
	digest := DigestOf(token)
	k := t.byDigest[digest]
	if k == nil || subtle.ConstantTimeCompare(k.Digest[:], digest[:]) != 1 {
		return nil, unknownToken()
	}
	if k.expired(now) {
		return nil, refuse(ExpiredToken, "ask for a new one: fstore token create", "the token has expired").named(k.Name, ByToken)
	}
	return k.caller, nil
}

func unknownToken() error {
	return refuse(UnknownToken, "it may have been revoked; ask for a new one", "the server does not know this token")
}

// certified returns the caller of a verified certificate by the first of its names that an entry has: its URIs, its
// DNS names, its common name.
func (t *tokens) certified(c *x509.Certificate, now time.Time) (*Caller, error) {
	refused := refuse(UnknownCertificate, bearerHint, "the client certificate has no grants")
	for _, name := range namesOf(c) {
		k := t.byCertificate[CertificateKey(name)]
		switch {
		case k == nil:
		case !k.expired(now):
			return k.caller, nil
		case refused.Name == "":
			refused = refuse(ExpiredCertificate, "ask for a new one", "the entry of the client certificate has expired").named(k.Name, ByCertificate)
		}
	}
	return nil, refused
}

// namesOf returns the names of a certificate as entries write them.
func namesOf(c *x509.Certificate) []string {
	var names []string
	for _, uri := range c.URIs {
		names = append(names, uri.String())
	}
	names = append(names, slices.DeleteFunc(slices.Clone(c.DNSNames), func(name string) bool {
		return strings.Contains(name, "://") || strings.HasPrefix(name, commonName)
	})...)
	if c.Subject.CommonName != "" {
		names = append(names, commonName+c.Subject.CommonName)
	}
	return names
}
