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
func (j *job) accept(r *run, c Change, asks []Ask) error {
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
	reasons := texts(asks)
	j.s.Refused = &Refusal{Reasons: reasons, Accept: digest, Command: j.acceptCommand(digest)}
	what := fmt.Sprintf("as of %s, %s; %s", fstore.FormatTime(r.At), strings.Join(reasons, "; "), c.Served())
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

func texts(asks []Ask) []string {
	out := make([]string, len(asks))
	for i, a := range asks {
		out[i] = a.Text
	}
	return out
}

// resultDigest identifies what a run computed and what was asked about it. It is the same whenever the same rows are computed
// over the same publication, for whichever P and generation. So it means nothing to later runs once it is published. A version
// that is to replace another one is not tied to a publication of that one, which is published again and again meanwhile.
func (j *job) resultDigest(r *run, previous *fstore.Publication, asks []Ask) (string, error) {
	enc, err := j.o.Sink.Encoder(j.v, r.Generation)
	if err != nil {
		return "", err
	}
	sum := newTextHash()
	sum.add("fstore result 1", r.View.String(), r.Fingerprint, r.Base)
	if previous != nil && previous.View == r.View {
		sum.add(previous.Run)
	}
	for _, a := range asks {
		sum.add(a.About)
	}
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
