package access

import (
	"errors"

	"github.com/fstore-dev/fstore"
)

// Reason is why a caller is refused, in a word for logs.
type Reason string

// The reasons.
const (
	NoCredential        Reason = "no_credential"        //nolint:gosec // G101: no secret
	MalformedCredential Reason = "malformed_credential" //nolint:gosec // G101: neither a token nor a JWT that the server accepts
	UnknownToken        Reason = "unknown_token"        // it was made up, or revoked
	ExpiredToken        Reason = "expired_token"
	UnknownCertificate  Reason = "unknown_certificate" // no entry has a name of it
	ExpiredCertificate  Reason = "expired_certificate" // its entry has expired
	MalformedJWT        Reason = "malformed_jwt"
	UnknownKey          Reason = "unknown_key"
	BadSignature        Reason = "bad_signature"
	ExpiredJWT          Reason = "expired_jwt"
	EarlyJWT            Reason = "early_jwt" // it is not valid yet
	WrongIssuer         Reason = "wrong_issuer"
	WrongAudience       Reason = "wrong_audience"
	MissingClaim        Reason = "missing_claim"
	KeysAway            Reason = "keys_away"     // the server reads the keys of JWTs
	TooManyJWTs         Reason = "too_many_jwts" // that were refused, from one address
	NoGrant             Reason = "no_grant"
)

// Refused is why a caller is refused.
type Refused struct {
	Reason Reason
	Name   string // of the caller, if the credential is one that was valid once or will be; else empty
	By     How    // what the name is of

	err *fstore.Error
}

// Error implements error.
func (r *Refused) Error() string { return r.err.Error() }

// Unwrap returns the error with its kind.
func (r *Refused) Unwrap() error { return r.err }

// RefusedOf returns why an error refuses a caller; the zero Refused if it does not say.
func RefusedOf(err error) Refused {
	var r *Refused
	if errors.As(err, &r) {
		return *r
	}
	return Refused{}
}

// refuse returns the error for a caller that nobody knows.
func refuse(why Reason, hint, format string, args ...any) *Refused {
	return &Refused{Reason: why, err: fstore.Errorf(fstore.ErrUnauthenticated, format, args...).WithHint("%s", hint)}
}

// named returns the error with the name of the caller.
func (r *Refused) named(name string, by How) *Refused {
	r.Name, r.By = name, by
	return r
}
