package online

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// This file serves gc and verify. It scans the backend, which look-ups and materialize never do.

// metaPrefix begins the keys of all pointers, headers and fences, whatever the project.
const metaPrefix = "fstore:"

// metaKeyParts are the parts of the key of a pointer, header or fence; see keys.go.
type metaKeyParts struct {
	project    string
	kind       string
	ref        fstore.ViewRef
	generation fstore.Generation // empty for a pointer
}

func parseMetaKey(key []byte) (metaKeyParts, bool) {
	parts := strings.Split(string(key), ":")
	if len(parts) < 4 || parts[0] != "fstore" {
		return metaKeyParts{}, false
	}
	ref, err := fstore.ParseRef(parts[3])
	m := metaKeyParts{project: parts[1], kind: parts[2], ref: ref}
	switch {
	case err != nil || ref.Version == 0:
		return m, false
	case m.kind == "p" && len(parts) == 4:
		return m, true
	case m.kind == "h" && len(parts) == 5, m.kind == "f" && len(parts) == 6:
		m.generation = fstore.Generation(parts[4])
		_, err := parseGeneration(m.generation)
		return m, err == nil
	}
	return m, false
}

// parseRecordKey splits the key of a record.
func parseRecordKey(physical []byte) (fstore.StoredKey, bool) {
	if len(physical) < recordKeyOverhead || !bytes.HasPrefix(physical, []byte(recordPrefix)) {
		return fstore.StoredKey{}, false
	}
	var g generation
	copy(g[:], physical[recordKeyOverhead-len(g):])
	key := physical[recordKeyOverhead:]
	right := appendRecordKey(make([]byte, 0, len(physical)), keyTag(key), g, key)
	return fstore.StoredKey{Generation: fstore.Generation(hex.EncodeToString(g[:])), Key: key, Astray: !bytes.Equal(right, physical)}, true
}

// Inventory scans the whole backend: first all records, then all pointers, headers and fences. So a generation that has
// records but none of them will never get one; see fstore.Inventory.Orphans.
func (s *Store) Inventory(ctx context.Context) (*fstore.Inventory, error) {
	out := &fstore.Inventory{
		Pointers: map[fstore.ViewRef]fstore.Generation{}, Headers: map[fstore.Generation]fstore.ViewRef{},
		Fences: map[fstore.Generation]fstore.ViewRef{}, Records: map[fstore.Generation]int64{}, Others: map[fstore.Generation]bool{},
	}
	err := s.ScanRecords(ctx, func(k fstore.StoredKey) error {
		out.Records[k.Generation]++
		return nil
	})
	if err != nil {
		return nil, err
	}
	var pointers [][]byte
	var of []metaKeyParts
	err = s.backend.Scan(ctx, []byte(metaPrefix), func(key []byte) error {
		m, ok := parseMetaKey(key)
		switch {
		case !ok:
		case m.generation == "":
			pointers, of = append(pointers, bytes.Clone(key)), append(of, m)
		case m.project == s.project && m.kind == "h":
			out.Headers[m.generation] = m.ref
		case m.project == s.project:
			out.Fences[m.generation] = m.ref
		default:
			out.Others[m.generation] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("scan the online store: %w", err)
	}
	_, raws, err := s.backend.Get(ctx, Read{Pointers: pointers, Primary: true})
	if err != nil {
		return nil, fmt.Errorf("read pointers: %w", err)
	}
	for i, raw := range raws {
		if raw == nil {
			continue // deleted since the scan
		}
		g := fstore.Generation("")
		if known, err := decodePointer(of[i].ref, pointers[i], raw); err == nil {
			g = known.pointer.Generation
		}
		if of[i].project == s.project {
			out.Pointers[of[i].ref] = g
		} else {
			out.Others[g] = true
		}
	}
	return out, nil
}

// ScanRecords calls fn with the key of every record, including those of other projects. The keys come in no order,
// and a key may come more than once. It is valid until fn returns. ScanRecords stops at fn's first error and returns
// it.
func (s *Store) ScanRecords(ctx context.Context, fn func(fstore.StoredKey) error) error {
	return s.scanRecords(ctx, func(k fstore.StoredKey, _ []byte) error { return fn(k) })
}

// scanRecords is ScanRecords, but also passes the backend's key.
func (s *Store) scanRecords(ctx context.Context, fn func(k fstore.StoredKey, physical []byte) error) error {
	var stop error
	err := s.backend.Scan(ctx, []byte(recordPrefix), func(physical []byte) error {
		if k, ok := parseRecordKey(physical); ok {
			stop = fn(k, physical)
		}
		return stop
	})
	if err != nil && err != stop {
		return fmt.Errorf("scan the online store: %w", err)
	}
	return err
}

// Unpublish deletes the pointer of a view version if it names generation g. An empty g means a pointer that cannot be
// read. Look-ups are refused afterwards. It returns ErrConflict if the pointer names another generation.
func (s *Store) Unpublish(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) error {
	key := s.pointerKey(ref)
	_, raws, err := s.backend.Get(ctx, Read{Pointers: [][]byte{key}, Primary: true})
	if err != nil {
		return fmt.Errorf("read the pointer of %s: %w", ref, err)
	}
	if raws[0] == nil {
		return nil
	}
	if named := readPointer(ref, key, raws[0]).Generation; named != g {
		return fstore.Errorf(fstore.ErrConflict, "the pointer of %s now names generation %s", ref, named)
	}
	if err := s.backend.Commit(ctx, Commit{Guards: []Guard{{key, raws[0]}}, Delete: [][]byte{key}}); err != nil {
		return fmt.Errorf("delete the pointer of %s: %w", ref, err)
	}
	return nil
}

// DropGenerations deletes all records of generations that no pointer names any longer, in one scan and small batches.
// dead has the view version of each, or none if it is unknown. It returns the number of records of each. It returns
// ErrConflict if a generation has a fence: then the store has gone back in time, and readers may see the generation again.
func (s *Store) DropGenerations(ctx context.Context, dead map[fstore.Generation]fstore.ViewRef, progress func(dropped int64)) (map[fstore.Generation]int64, error) {
	dropped, total := map[fstore.Generation]int64{}, int64(0)
	var batch [][]byte
	guards := map[fstore.Generation]Guard{} // of batch
	drop := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := s.backend.Commit(ctx, Commit{Guards: slices.Collect(maps.Values(guards)), Delete: batch}); err != nil {
			return fmt.Errorf("delete records: %w", err)
		}
		total += int64(len(batch))
		batch = nil
		clear(guards)
		progress(total)
		return nil
	}
	err := s.scanRecords(ctx, func(k fstore.StoredKey, physical []byte) error {
		ref, ok := dead[k.Generation]
		if !ok {
			return nil
		}
		if ref != (fstore.ViewRef{}) {
			guards[k.Generation] = Guard{Key: s.fenceKey(ref, k.Generation)}
		}
		dropped[k.Generation]++
		if batch = append(batch, bytes.Clone(physical)); len(batch) < dropBatch {
			return nil
		}
		return drop()
	})
	if err != nil {
		return dropped, err
	}
	return dropped, drop()
}

// BuryFence deletes the fence of a generation, whatever it says, so that nobody reads or writes its records any longer.
// It returns ErrConflict if the pointer names the generation.
func (s *Store) BuryFence(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) error {
	return s.bury(ctx, "fence", ref, g, s.fenceKey(ref, g))
}

// BuryHeader deletes the header of a generation without records, as BuryFence deletes the fence.
func (s *Store) BuryHeader(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) error {
	return s.bury(ctx, "header", ref, g, s.headerKey(ref, g))
}

func (s *Store) bury(ctx context.Context, what string, ref fstore.ViewRef, g fstore.Generation, key []byte) error {
	keys := [][]byte{key, s.pointerKey(ref)}
	_, raws, err := s.backend.Get(ctx, Read{Pointers: keys, Primary: true})
	if err != nil || raws[0] == nil {
		return err
	}
	if raws[1] != nil && readPointer(ref, keys[1], raws[1]).Generation == g {
		return fstore.Errorf(fstore.ErrConflict, "the pointer of %s names generation %s: its %s stays", ref, g, what)
	}
	if err := s.backend.Commit(ctx, Commit{Guards: []Guard{{key, raws[0]}, {keys[1], raws[1]}}, Delete: [][]byte{key}}); err != nil {
		return fmt.Errorf("delete the %s of generation %s of %s: %w", what, g, ref, err)
	}
	return nil
}
