package online

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/fstore-dev/fstore"
)

// The keys of a store. Those of records are short, because there are many of them:
//
//	record   f{abc} <generation, 8 bytes> <key bytes>   abc: 18 bits of a hash of the key bytes, in base64url
//	pointer  fstore:<project>:p:<view>@<version>
//	header   fstore:<project>:h:<view>@<version>:<generation in hex>
//	fence    fstore:<project>:f:<view>@<version>:<generation in hex>:<partition>
//
// The braces put all records of one key into one slot of a Redis Cluster, whatever their view. The hash has no other
// purpose: the record's key contains the whole key. It needs no project, because generations are random.

const recordPrefix = "f{"

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// generation is an fstore.Generation as record keys contain it.
type generation [8]byte

func parseGeneration(g fstore.Generation) (generation, error) {
	var out generation
	if len(g) == 2*len(out) {
		if _, err := hex.Decode(out[:], []byte(g)); err == nil {
			return out, nil
		}
	}
	return out, fstore.Errorf(fstore.ErrCorrupt, "%q is not a generation", string(g))
}

// appendRecordKey appends the key of a record. tag must be keyTag(key).
func appendRecordKey(dst []byte, tag uint32, g generation, key []byte) []byte {
	dst = append(dst, 'f', '{', base64url[tag>>12&63], base64url[tag>>6&63], base64url[tag&63], '}')
	dst = append(dst, g[:]...)
	return append(dst, key...)
}

const recordKeyOverhead = len(recordPrefix) + 3 + 1 + len(generation{})

// keyTag returns 18 bits of the FNV-1a hash of a key. Stored keys contain it, so it may never change.
func keyTag(key []byte) uint32 {
	h := uint64(14695981039346656037)
	for _, b := range key {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return uint32(h^h>>18^h>>36) & (1<<18 - 1)
}

func (s *Store) pointerKey(ref fstore.ViewRef) []byte {
	return s.metaKey(ref, "p")
}

func (s *Store) headerKey(ref fstore.ViewRef, g fstore.Generation) []byte {
	return append(append(s.metaKey(ref, "h"), ':'), g...)
}

func (s *Store) metaKey(ref fstore.ViewRef, kind string) []byte {
	b := append([]byte("fstore:"), s.project...)
	b = append(append(append(b, ':'), kind...), ':')
	b = append(append(b, ref.Name...), '@')
	return strconv.AppendInt(b, int64(ref.Version), 10)
}

// knownPointer is a decoded pointer with its bytes, so that an unchanged one is recognized without decoding.
type knownPointer struct {
	raw        string
	pointer    fstore.Pointer
	generation generation
	sum        uint32 // from generationSum
	run        runID
	fenceKey   []byte       // of look-ups
	cacheUntil atomic.Int64 // when its records in the cache expire, in nanoseconds of Store.Elapsed
}

// fenced reports whether the pointer's generation has the fences that this build knows.
func (k *knownPointer) fenced() bool { return k.pointer.Partitions == fstore.Partitions }

func decodePointer(ref fstore.ViewRef, key, raw []byte) (*knownPointer, error) {
	k := &knownPointer{raw: string(raw)}
	sealed, err := decodeJSON(key, raw, &k.pointer)
	if err == nil {
		err = errors.Join(writable(k.pointer.Published), writable(k.pointer.Servable), writable(k.pointer.MaxEvent))
	}
	switch {
	case err != nil:
	case sealed != (k.pointer.Layout > 0), !sealed && !bytes.Equal(encodePointer(key, k.pointer), raw):
		err = errors.New("no version of fstore writes it so")
	default:
		k.generation, err = parseGeneration(k.pointer.Generation)
	}
	if id, ok := parseRun(k.pointer.Run); ok {
		k.run = id
	} else if err == nil && k.fenced() {
		err = fmt.Errorf("%q is not a run", k.pointer.Run)
	}
	if err != nil {
		return nil, fstore.Errorf(fstore.ErrCorrupt, "pointer of %s: %v", ref, err).
			WithHint("run: fstore materialize %s --full", ref)
	}
	k.sum = generationSum(k.generation)
	return k, nil
}

// noBytes is the Damaged text of an empty pointer.
const noBytes = "(no bytes)"

func encodePointer(key []byte, p fstore.Pointer) []byte {
	switch p.Damaged {
	case "":
	case noBytes:
		return []byte{}
	default:
		return []byte(p.Damaged)
	}
	p.Published, p.Servable, p.MaxEvent = micros(p.Published), micros(p.Servable), micros(p.MaxEvent)
	return encodeJSON(key, p, p.Layout)
}

// encodeHeader is deterministic: equal headers have equal bytes, which compare-and-set compares.
func encodeHeader(key []byte, h fstore.Header) []byte {
	h.Published, h.RunAt = micros(h.Published), micros(h.RunAt)
	return encodeJSON(key, h, h.Layout)
}

func decodeHeader(ref fstore.ViewRef, key, raw []byte) (fstore.Header, error) {
	var h fstore.Header
	_, err := decodeJSON(key, raw, &h)
	if err == nil {
		err = errors.Join(writable(h.Published), writable(h.RunAt))
	}
	if err != nil {
		return h, fstore.Errorf(fstore.ErrCorrupt, "header of %s: %v", ref, err)
	}
	h.Published, h.RunAt = micros(h.Published), micros(h.RunAt)
	if !bytes.Equal(encodeHeader(key, h), raw) { // compare-and-set could never succeed
		return h, fstore.Errorf(fstore.ErrCorrupt, "header of %s: this version of fstore writes it differently", ref)
	}
	return h, nil
}

// micros converts an instant to the form that survives encoding: UTC microseconds. The zero time stays zero.
func micros(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return fstore.FromMicros(fstore.Micros(t))
}

// writable refuses an instant that JSON cannot encode, because its year in UTC is out of range.
func writable(t time.Time) error {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return fmt.Errorf("%d is not a year", y)
	}
	return nil
}

// encodeJSON encodes a pointer or header. Those of layout 0 have no checksum: to compare equal, they must keep the
// exact bytes that were written.
func encodeJSON[T fstore.Pointer | fstore.Header](key []byte, v T, layout int) []byte {
	b, err := json.Marshal(v)
	if err != nil { // only a year beyond 9999 causes this
		panic("online: " + err.Error())
	}
	if layout == 0 {
		return b
	}
	return sealJSON(key, b)
}

// decodeJSON decodes a pointer or header. It reports whether there is a checksum, and returns an error if that is
// wrong.
func decodeJSON[T fstore.Pointer | fstore.Header](key, raw []byte, v *T) (sealed bool, err error) {
	object, sealed, err := unsealJSON(key, raw)
	if err != nil {
		return sealed, err
	}
	return sealed, json.Unmarshal(object, v)
}
