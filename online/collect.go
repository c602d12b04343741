package online

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
)

// This file serves gc and verify. It scans the backend, which look-ups and materialize never do.

// metaPrefix begins the keys of all pointers and headers, whatever the project.
const metaPrefix = "fstore:"

// metaKeyParts are the parts of the key of a pointer or header; see keys.go.
type metaKeyParts struct {
	project    string
	ref        fstore.ViewRef
	generation fstore.Generation // of a header; empty for a pointer
}

func parseMetaKey(key []byte) (metaKeyParts, bool) {
	parts := strings.Split(string(key), ":")
	if len(parts) < 4 || parts[0] != "fstore" {
		return metaKeyParts{}, false
	}
	ref, err := fstore.ParseRef(parts[3])
	m := metaKeyParts{project: parts[1], ref: ref}
	switch {
	case err != nil || ref.Version == 0:
		return m, false
	case parts[2] == "p" && len(parts) == 4:
		return m, true
	case parts[2] == "h" && len(parts) == 5:
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

// Inventory scans the whole backend: first all records, then all pointers and headers. So a generation that has
// records but neither a pointer nor a header will never get one; see fstore.Inventory.Orphans.
func (s *Store) Inventory(ctx context.Context) (*fstore.Inventory, error) {
	out := &fstore.Inventory{
		Pointers: map[fstore.ViewRef]fstore.Generation{}, Headers: map[fstore.Generation]fstore.ViewRef{},
		Records: map[fstore.Generation]int64{}, Others: map[fstore.Generation]bool{},
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
		case m.project == s.project:
			out.Headers[m.generation] = m.ref
		default:
			out.Others[m.generation] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("scan the online store: %w", err)
	}
	_, raws, err := s.backend.Get(ctx, Read{Pointers: pointers})
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
	_, raws, err := s.backend.Get(ctx, Read{Pointers: [][]byte{key}})
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
// It returns the number of records of each.
func (s *Store) DropGenerations(ctx context.Context, dead map[fstore.Generation]bool, progress func(dropped int64)) (map[fstore.Generation]int64, error) {
	dropped, total := map[fstore.Generation]int64{}, int64(0)
	var batch [][]byte
	drop := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := s.backend.Commit(ctx, Commit{Delete: batch}); err != nil {
			return fmt.Errorf("delete records: %w", err)
		}
		total += int64(len(batch))
		batch = nil
		progress(total)
		return nil
	}
	err := s.scanRecords(ctx, func(k fstore.StoredKey, physical []byte) error {
		if !dead[k.Generation] {
			return nil
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

// BuryHeader deletes the header of a generation without records, whatever the header says.
func (s *Store) BuryHeader(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) error {
	key := s.headerKey(ref, g)
	_, raws, err := s.backend.Get(ctx, Read{Pointers: [][]byte{key}})
	if err != nil || raws[0] == nil {
		return err
	}
	if err := s.backend.Commit(ctx, Commit{Guards: []Guard{{key, raws[0]}}, Delete: [][]byte{key}}); err != nil {
		return fmt.Errorf("delete the header of generation %s of %s: %w", g, ref, err)
	}
	return nil
}
