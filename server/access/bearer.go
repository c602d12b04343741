package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

const (
	// tokenPrefix begins every token, so that scanners for leaked secrets find it: fst_[A-Za-z0-9_-]{43}.
	tokenPrefix = "fst_"
	// tokenBytes is the number of random bytes in a token. 256 bits cannot be guessed, so a fast hash protects them:
	// a slow one, as passwords need, would only cost every call.
	tokenBytes = 32
	// maxCredential bounds a credential. Tokens have 47 bytes and JWTs one or two thousand.
	maxCredential = 8 << 10
)

// Digest is the SHA-256 of a token.
type Digest [sha256.Size]byte

// NewToken returns a random token and its digest.
func NewToken() (token string, digest Digest) {
	var secret [tokenBytes]byte
	_, _ = rand.Read(secret[:]) // it never fails
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	return token, DigestOf(token)
}

// DigestOf returns the digest of a token.
func DigestOf(token string) Digest { return sha256.Sum256([]byte(token)) }

// Bearer returns the credential in a request's authorization headers: Bearer and one word. It is empty if there is no
// header. The error is ErrUnauthenticated, and does not repeat what was sent.
func Bearer(headers []string) (credential string, err error) {
	if len(headers) == 0 {
		return "", nil
	}
	if len(headers) > 1 {
		return "", malformed("there are %d authorization headers", len(headers))
	}
	scheme, credential, ok := strings.Cut(headers[0], " ")
	switch {
	case !ok || !strings.EqualFold(scheme, "bearer"):
		return "", malformed("the authorization header is not a bearer token")
	case len(credential) > maxCredential:
		return "", malformed("the credential has %d bytes; the limit is %d", len(credential), maxCredential)
	case !isToken68(credential):
		return "", malformed("the credential is not one word of letters, digits and - . _ ~ + /")
	}
	return credential, nil
}

func malformed(format string, args ...any) error {
	return refuse(MalformedCredential, bearerHint, format, args...)
}

const bearerHint = "send one header: authorization: Bearer TOKEN"

// isToken68 reports whether a text is a credential as RFC 6750, section 2.1, defines it.
func isToken68(s string) bool {
	word := strings.TrimRight(s, "=")
	for _, c := range []byte(word) {
		if !isAlphanumeric(c) && strings.IndexByte("-._~+/", c) < 0 {
			return false
		}
	}
	return word != ""
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
