package lock

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
)

// Encode writes a lock and seals it with its digest.
func Encode(l *Lock) ([]byte, error) {
	digest, err := l.sum()
	if err != nil {
		return nil, err
	}
	l.Digest = digest
	text, err := json.MarshalIndent(l, "", "  ")
	if err == nil && len(text) > MaxBytes {
		return nil, fstore.Errorf(fstore.ErrTooLarge, "the lock would have %d MB; the limit is %d", len(text)>>20, MaxBytes>>20).
			WithHint("read fewer files, or write fewer columns")
	}
	return text, err
}

// sum returns the digest of a lock: of its compact JSON without the digest. So layout does not matter, but every
// value does.
func (l *Lock) sum() (string, error) {
	bare := *l
	bare.Digest = ""
	text, err := json.Marshal(bare)
	if err != nil {
		return "", fstore.Errorf(fstore.ErrInvalid, "encode the lock: %v", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// sealed reports whether a lock has its digest: of its text as it is, or of its members, whose order and escapes then do not
// matter. An earlier fstore may have written a member in another form than this one does.
func (l *Lock) sealed(text []byte) bool {
	if sum, err := l.sum(); err == nil && sum == l.Digest {
		return true
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return false
	}
	bare := bytes.Replace(compact.Bytes(), []byte(`"digest":"`+l.Digest+`"`), []byte(`"digest":""`), 1)
	sum := sha256.Sum256(bare)
	return hex.EncodeToString(sum[:]) == l.Digest
}

// Read reads a lock. It returns ErrInvalid if the text is not a lock of a format that this build reads, and ErrCorrupt if the lock was
// changed after it was written.
func Read(text []byte) (*Lock, error) {
	if err := fstore.CheckJSON(text); err != nil {
		return nil, fmt.Errorf("it is not a lock: %w", err)
	}
	if len(text) > MaxBytes {
		return nil, fstore.Errorf(fstore.ErrInvalid, "it is not a lock: it has %d MB; the limit is %d", len(text)>>20, MaxBytes>>20)
	}
	var head struct {
		Format *int `json:"format"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "it is not a lock: %s", jsonMistake(text, err))
	}
	switch {
	case head.Format == nil:
		return nil, fstore.Errorf(fstore.ErrInvalid, "it is not a lock: it has no format").WithHint("the lock of a training set lies beside it and is named …%s", Suffix)
	case *head.Format > Format:
		return nil, fstore.Errorf(fstore.ErrInvalid, "the lock has format %d, and this fstore knows formats up to %d", *head.Format, Format).
			WithHint("use the newer fstore that wrote it")
	case *head.Format < oldestFormat:
		return nil, fstore.Errorf(fstore.ErrInvalid, "the lock has format %d, which a development build of fstore wrote; this fstore reads formats from %d on", *head.Format, oldestFormat).
			WithHint("make the training set again")
	}
	l := &Lock{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(l); err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the lock is damaged: %s", jsonMistake(text, err)).WithHint(restoreLock)
	}
	if !l.sealed(text) {
		return nil, fstore.Errorf(fstore.ErrCorrupt, "the lock was changed after it was written: its content does not match its digest").WithHint(restoreLock)
	}
	if err := l.check(); err != nil {
		return nil, Contradiction(err)
	}
	return l, nil
}

// Suffix ends the name of a lock.
const Suffix = ".lock.json"

// Path returns where the lock of a training set's file is: beside it.
func Path(out string) string { return strings.TrimSuffix(out, ".parquet") + Suffix }

const restoreLock = "a lock is never edited: take the one that was written, from version control, or the member lock of what fstore training-set show NAME --output json prints"

// Contradiction returns the error for a lock with two members that disagree.
func Contradiction(err error) error {
	return fstore.Errorf(fstore.ErrInvalid, "the lock contradicts itself: %v", err).WithHint(restoreLock)
}

// jsonMistake says where JSON is invalid.
func jsonMistake(text []byte, err error) string {
	at := int64(-1)
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &typ):
		at = typ.Offset
	}
	message := strings.TrimPrefix(err.Error(), "json: ")
	if at < 0 || at > int64(len(text)) {
		return message
	}
	return fmt.Sprintf("line %d: %s", 1+bytes.Count(text[:at], []byte("\n")), message)
}
