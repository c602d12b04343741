package online

import (
	"encoding/hex"
	"time"

	"github.com/fstore-dev/fstore"
)

// The bytes of a fence. All numbers are little-endian, and instants are in microseconds:
//
//	0   version: fenceVersion
//	1   flags: 1 = complete
//	2   run, 8 bytes
//	10  its P
//	18  base run, 8 bytes; zero: none
//	26  its P
//	34  watermark
//	42  token
//	50  checksum: CRC-32C of the key and of the bytes before
const (
	fenceVersion  = 1
	fenceComplete = 1

	fenceRun  = 2
	fenceAt   = 10
	fenceBase = 18
	fenceSum  = 50
	fenceSize = fenceSum + checksumSize
)

// runID is the id of a run as a fence has it.
type runID [8]byte

func parseRun(s string) (id runID, ok bool) {
	if len(s) != 2*len(id) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err == nil && id != runID{} && hex.EncodeToString(id[:]) == s
}

// fenceKey returns the key of the fence of a generation's only partition.
func (s *Store) fenceKey(ref fstore.ViewRef, g fstore.Generation) []byte {
	return append(append(append(s.metaKey(ref, "f"), ':'), g...), onlyPartition...)
}

const onlyPartition = ":0"

// encodeFence is deterministic, as encodeHeader is. It returns ErrInvalid for runs that a fence cannot hold.
func encodeFence(key []byte, f *fstore.Fence) ([]byte, error) {
	run, ok := parseRun(f.Run)
	base, hasBase := parseRun(f.Base)
	if !ok || !hasBase && f.Base != "" || f.Watermark < 0 {
		return nil, fstore.Errorf(fstore.ErrInvalid, "%s: a fence of run %q on %q at %d", f, f.Run, f.Base, f.Watermark)
	}
	b := make([]byte, fenceSize)
	b[0] = fenceVersion
	if f.Complete {
		b[1] = fenceComplete
	}
	copy(b[fenceRun:], run[:])
	le.PutUint64(b[fenceAt:], uint64(fstore.Micros(f.At)))
	if hasBase {
		copy(b[fenceBase:], base[:])
		le.PutUint64(b[26:], uint64(fstore.Micros(f.BaseAt)))
	}
	le.PutUint64(b[34:], uint64(f.Watermark))
	le.PutUint64(b[42:], f.Token)
	le.PutUint32(b[fenceSum:], recordSum(0, key, b[:fenceSum]))
	return b, nil
}

// isFence reports whether the bytes under a fence's key are a fence.
func isFence(key, raw []byte) bool {
	return len(raw) == fenceSize && raw[0] == fenceVersion && raw[1]&^fenceComplete == 0 &&
		le.Uint32(raw[fenceSum:]) == recordSum(0, key, raw[:fenceSum])
}

// fits is fstore.Fence.Fits for the bytes of a fence. It allocates nothing.
func fits(key, raw []byte, run runID) bool {
	return holds(key, raw, run) || isFence(key, raw) && runID(raw[fenceBase:]) == run
}

// holds reports whether the bytes of a fence say that the values beside it are those of a run, and of no other.
func holds(key, raw []byte, run runID) bool {
	return isFence(key, raw) && runID(raw[fenceRun:]) == run && raw[1]&fenceComplete != 0
}

func decodeFence(ref fstore.ViewRef, g fstore.Generation, key, raw []byte) (fstore.Fence, error) {
	f := fstore.Fence{View: ref, Generation: g}
	if isFence(key, raw) {
		f.Run, f.At = hex.EncodeToString(raw[fenceRun:][:8]), instantOf(raw[fenceAt:])
		if base := runID(raw[fenceBase:]); base != (runID{}) {
			f.Base, f.BaseAt = hex.EncodeToString(base[:]), instantOf(raw[26:])
		}
		f.Watermark, f.Complete, f.Token = int64(le.Uint64(raw[34:])), raw[1]&fenceComplete != 0, le.Uint64(raw[42:])
		if again, err := encodeFence(key, &f); err == nil && string(again) == string(raw) {
			return f, nil
		}
	}
	return f, fstore.Errorf(fstore.ErrCorrupt, "fence of %s: it is damaged, or written by a newer fstore: %.64x", &f, raw)
}

func instantOf(b []byte) time.Time { return fstore.FromMicros(int64(le.Uint64(b))) }
