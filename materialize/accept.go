package materialize

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// accept returns nil if nothing was asked about a run, or if Options.Accept has the digest of its result. Otherwise the error
// says what was asked, and how to publish the result all the same.
func (j *job) accept(r *run, c Change, asks []string) error {
	if len(asks) == 0 {
		return nil
	}
	digest, err := j.resultDigest(r, c.Previous, asks)
	if err != nil {
		return err
	}
	if slices.Contains(j.o.Accept, digest) {
		j.s.Accepted = digest
		return nil
	}
	j.s.Refused = &Refusal{Reasons: asks, Accept: digest, Command: j.acceptCommand(digest)}
	what := fmt.Sprintf("as of %s, %s; nothing was written, and the former values keep serving", fstore.FormatTime(r.At), strings.Join(asks, "; "))
	if len(j.o.Accept) > 0 {
		what += "; --accept names another result"
	}
	return fstore.Errorf(fstore.ErrCheck, "%s", what).WithHint("if this is right, publish it with %s", j.s.Refused.Command)
}

// acceptCommand returns the command that computes the same result again and publishes it.
func (j *job) acceptCommand(digest string) string {
	command := fmt.Sprintf("fstore materialize %s --to %s", j.v.Ref, fstore.FormatTime(j.p))
	if j.o.Mode&Full != 0 {
		command += " --full"
	}
	if j.o.Mode&Rewind != 0 {
		command += " --rewind"
	}
	return command + " --accept " + digest
}

// resultDigest identifies what a run computed and what was asked about it. It is the same whenever the same rows are computed
// over the same publication, for whichever P and generation: --accept names one result, which is no longer new once it is
// published.
func (j *job) resultDigest(r *run, previous *Publication, asks []string) (string, error) {
	enc, err := j.o.Sink.Encoder(j.v, r.Generation)
	if err != nil {
		return "", err
	}
	sum := newTextHash()
	sum.add("fstore result 1", r.View.String(), r.Fingerprint, r.Base)
	if previous != nil {
		sum.add(previous.View.String(), previous.Run)
	}
	sum.add(asks...)
	spool, err := openSpool(j.state.dir, r.Spool)
	if err != nil {
		return "", err
	}
	defer spool.close()
	sets, deletes := newTextHash(), newTextHash() // apart: a batch does not say how they alternate
	for b := new(batch); ; {
		if err := spool.next(b); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
		for i := range b.keys {
			sets.bytes(b.keys[i])
			sets.bytes(enc.Content(b.values[i]))
		}
		for _, key := range b.deletes {
			deletes.bytes(key)
		}
	}
	sum.bytes(sets.Sum(nil))
	sum.bytes(deletes.Sum(nil))
	return hex.EncodeToString(sum.Sum(nil)[:digestSize]), nil
}

// textHash is a SHA-256 of texts, each with its length.
type textHash struct{ hash.Hash }

func newTextHash() textHash { return textHash{sha256.New()} }

func (h textHash) add(texts ...string) {
	for _, t := range texts {
		h.bytes([]byte(t))
	}
}

func (h textHash) bytes(b []byte) {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(b)))
	h.Write(n[:]) // a hash never fails
	h.Write(b)
}
