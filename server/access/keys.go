package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/fstore-dev/fstore"
)

const (
	// MaxKeySet bounds the text of a JSON Web Key Set.
	MaxKeySet = 1 << 20
	maxKeys   = 100
	minRSA    = 2048 // bits
)

// keySet is an issuer's public keys.
type keySet struct {
	keys keyfunc.Keyfunc
	only bool // there is one key, so that a JWT need not say which
}

// find returns the key of a JWT.
func (k *keySet) find(t *jwt.Token) (any, error) {
	if _, named := t.Header[jwkset.HeaderKID]; !named && !k.only {
		return nil, errors.New("the JWT does not say which key signed it")
	}
	return k.keys.Keyfunc(t)
}

// CheckKeys returns ErrInvalid unless a text is a JSON Web Key Set with a key that verifies JWTs.
func CheckKeys(text []byte) error {
	_, err := parseKeys(text)
	return err
}

// parseKeys reads a JSON Web Key Set. It leaves out keys that cannot verify JWTs: those for encryption, of unknown
// types, too short, or symmetric. The error is ErrInvalid.
func parseKeys(text []byte) (*keySet, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, badKeys("it is not a JSON Web Key Set: %v", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, badKeys("it has %d keys; the limit is %d", len(set.Keys), maxKeys)
	}
	store := jwkset.NewMemoryStorage()
	usable := 0
	var why error
	for i, raw := range set.Keys {
		key, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err == nil {
			err = checkKey(key)
		}
		if err != nil {
			why = errors.Join(why, fmt.Errorf("key %d %w", i+1, err))
			continue
		}
		usable++
		if err := store.KeyWrite(context.Background(), key); err != nil {
			return nil, err
		}
	}
	if usable == 0 {
		if why == nil {
			why = errors.New("there are no keys")
		}
		return nil, badKeys("it has no key that verifies JWTs: %v", why)
	}
	keys, err := keyfunc.New(keyfunc.Options{Storage: store})
	return &keySet{keys, usable == 1}, err
}

// checkKey returns why a key cannot verify JWTs.
func checkKey(k jwkset.JWK) error {
	if use := k.Marshal().USE; use != "" && use != jwkset.UseSig {
		return errors.New("is not for signatures")
	}
	switch key := k.Key().(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSA {
			return fmt.Errorf("is an RSA key of %d bits; the minimum is %d", bits, minRSA)
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return errors.New("is not a public key for signatures")
	}
	return nil
}

func badKeys(format string, args ...any) error {
	return fstore.Errorf(fstore.ErrInvalid, format, args...).WithHint(`such as {"keys":[{"kty":"RSA","kid":"…","n":"…","e":"AQAB"}]}`)
}
