package online

import (
	"context"
	"errors"
	"fmt"

	"github.com/fstore-dev/fstore"
)

// The write side follows docs/materialize.md. A writer holds a generation's header and fence as it last saw them. Every
// change applies only if the store still has the one that guards it, so a writer that was fenced off changes nothing.
// After ErrUnavailable, a change may or may not have been applied: read the header or the fence again to find out.

// dropBatch is the number of keys that one commit of Drop deletes, small enough not to delay readers.
const dropBatch = 500

// CheckWrite checks that the store can be written, by a write that leaves nothing behind: one commit sets a key and deletes
// it again. Deleting alone would not do, since a store that is full takes deletions. Its errors are those of a write.
func (s *Store) CheckWrite(ctx context.Context) error {
	key := append(append([]byte("fstore:"), s.project...), ":w"...)
	err := s.backend.Commit(ctx, Commit{Guards: []Guard{{Key: key}}, Set: []KV{{key, nil}}, Delete: [][]byte{key}})
	if err != nil && !errors.Is(err, fstore.ErrConflict) { // a conflict is another process's check
		return fmt.Errorf("write to the online store: %w", err)
	}
	return nil
}

// Pointer returns the pointer of a view version, or false if the version has not been published.
func (s *Store) Pointer(ctx context.Context, ref fstore.ViewRef) (fstore.Pointer, bool, error) {
	pointers, err := s.Pointers(ctx, []fstore.ViewRef{ref})
	p, ok := pointers[ref]
	return p, ok, err
}

// Pointers returns the pointers of the view versions that are published, in one round trip. A pointer that this build
// would not have written is Damaged, because no compare-and-set could move it.
func (s *Store) Pointers(ctx context.Context, refs []fstore.ViewRef) (map[fstore.ViewRef]fstore.Pointer, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	keys := make([][]byte, len(refs))
	for i, ref := range refs {
		keys[i] = s.pointerKey(ref)
	}
	_, raws, err := s.backend.Get(ctx, Read{Pointers: keys, Primary: true})
	if err != nil {
		return nil, fmt.Errorf("read pointers: %w", err)
	}
	out := make(map[fstore.ViewRef]fstore.Pointer, len(refs))
	for i, raw := range raws {
		if raw != nil {
			out[refs[i]] = readPointer(refs[i], keys[i], raw)
		}
	}
	return out, nil
}

// readPointer decodes the value of a pointer, as Pointers does.
func readPointer(ref fstore.ViewRef, key, raw []byte) fstore.Pointer {
	if known, err := decodePointer(ref, key, raw); err == nil && string(encodePointer(key, known.pointer)) == known.raw {
		return known.pointer
	}
	if len(raw) == 0 {
		return fstore.Pointer{Damaged: noBytes}
	}
	return fstore.Pointer{Damaged: string(raw)}
}

// Header returns the header of a generation of a view version, or false if there is none.
func (s *Store) Header(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) (fstore.Header, bool, error) {
	key := s.headerKey(ref, g)
	_, raws, err := s.backend.Get(ctx, Read{Pointers: [][]byte{key}, Primary: true})
	if err != nil {
		return fstore.Header{}, false, fmt.Errorf("read the header of %s: %w", ref, err)
	}
	if raws[0] == nil {
		return fstore.Header{}, false, nil
	}
	h, err := decodeHeader(ref, key, raws[0])
	return h, err == nil, err
}

// SetHeader replaces the header was by is. A nil was means that there is none yet. It returns ErrConflict if the
// store has another header.
func (s *Store) SetHeader(ctx context.Context, was *fstore.Header, is fstore.Header) error {
	key := s.headerKey(is.View, is.Generation)
	guard := Guard{Key: key}
	if was != nil {
		if err := sameGeneration(*was, is); err != nil {
			return err
		}
		guard.Want = encodeHeader(key, *was)
	}
	if _, err := parseGeneration(is.Generation); err != nil {
		return err
	}
	set := []KV{{key, encodeHeader(key, is)}}
	return s.commit(ctx, "set the header of", &is, Commit{Guards: []Guard{guard}, Set: set})
}

// Fence returns the fence of a generation of a view version, or false if there is none.
func (s *Store) Fence(ctx context.Context, ref fstore.ViewRef, g fstore.Generation) (fstore.Fence, bool, error) {
	key := s.fenceKey(ref, g)
	_, raws, err := s.backend.Get(ctx, Read{Pointers: [][]byte{key}, Primary: true})
	if err != nil {
		return fstore.Fence{}, false, fmt.Errorf("read the fence of %s: %w", ref, err)
	}
	if raws[0] == nil {
		return fstore.Fence{}, false, nil
	}
	f, err := decodeFence(ref, g, key, raws[0])
	return f, err == nil, err
}

// SetFence replaces the fence was by is. A nil was means that there is none yet. It returns ErrConflict if the store has
// another fence.
func (s *Store) SetFence(ctx context.Context, was *fstore.Fence, is fstore.Fence) error {
	return s.moveFence(ctx, "set the fence of", was, is, Commit{})
}

// WriteBatch writes and deletes records of the fence's generation and replaces the fence was by is, in one commit.
// keys, values and del come from Encode; keys[i] belongs to values[i]. A batch blocks readers while it applies, so it
// should have some thousand records, about a megabyte. It returns ErrConflict if the store has another fence.
func (s *Store) WriteBatch(ctx context.Context, was, is fstore.Fence, keys, values, del [][]byte) error {
	if len(keys) != len(values) {
		return fstore.Errorf(fstore.ErrInvalid, "%s: %d keys and %d values", &is, len(keys), len(values))
	}
	physical, err := recordKeys(is.Generation, keys)
	if err != nil {
		return err
	}
	c := Commit{Set: make([]KV, 0, len(keys)+1)}
	if c.Delete, err = recordKeys(is.Generation, del); err != nil {
		return err
	}
	for i, k := range physical {
		c.Set = append(c.Set, KV{k, values[i]})
	}
	return s.moveFence(ctx, "write to", &was, is, c)
}

// moveFence adds the step from one fence to the next to a commit.
func (s *Store) moveFence(ctx context.Context, doing string, was *fstore.Fence, is fstore.Fence, c Commit) error {
	guard := Guard{Key: s.fenceKey(is.View, is.Generation)}
	if was != nil {
		if was.View != is.View || was.Generation != is.Generation {
			return fstore.Errorf(fstore.ErrInvalid, "the fence of %s cannot become that of %s", was, &is)
		}
		var err error
		if guard.Want, err = encodeFence(guard.Key, was); err != nil {
			return err
		}
	}
	if _, err := parseGeneration(is.Generation); err != nil {
		return err
	}
	value, err := encodeFence(guard.Key, &is)
	if err != nil {
		return err
	}
	c.Guards, c.Set = append(c.Guards, guard), append(c.Set, KV{guard.Key, value})
	return s.commit(ctx, doing, &is, c)
}

// Publish makes p the pointer of the header's view version and replaces the header was by is, in one commit, if the fence
// is f. from is the pointer that the run saw at first: nil if there was none, Damaged if it could not be read. This also
// refuses a late run that still holds its own generation's header after another run has published. It returns
// ErrConflict if the store has another header, fence or pointer.
func (s *Store) Publish(ctx context.Context, was, is fstore.Header, f fstore.Fence, from *fstore.Pointer, p fstore.Pointer) error {
	if err := sameGeneration(was, is); err != nil {
		return err
	}
	if p.Generation != is.Generation || p.Fingerprint != is.Fingerprint || p.Layout != is.Layout || p.Partitions != is.Partitions || p.Run != is.Run {
		return fstore.Errorf(fstore.ErrInvalid, "%s: publish generation %s of run %q, fingerprint %q, layout %d and %d partitions",
			&is, p.Generation, p.Run, p.Fingerprint, p.Layout, p.Partitions)
	}
	if f.View != is.View || f.Generation != is.Generation || f.Run != is.Run || !f.Complete {
		return fstore.Errorf(fstore.ErrInvalid, "%s: publish run %q beside the fence of run %q of %s", &is, p.Run, f.Run, &f)
	}
	header, fence := s.headerKey(is.View, is.Generation), s.fenceKey(is.View, is.Generation)
	complete, err := encodeFence(fence, &f)
	if err != nil {
		return err
	}
	pointer := s.pointerGuard(is.View, from)
	guards := []Guard{{header, encodeHeader(header, was)}, pointer, {fence, complete}}
	set := []KV{{header, encodeHeader(header, is)}, {pointer.Key, encodePointer(pointer.Key, p)}}
	return s.commit(ctx, "publish", &is, Commit{Guards: guards, Set: set})
}

// pointerGuard is the condition that the pointer of a view version is p. A nil p means that there is none.
func (s *Store) pointerGuard(ref fstore.ViewRef, p *fstore.Pointer) Guard {
	g := Guard{Key: s.pointerKey(ref)}
	if p != nil {
		g.Want = encodePointer(g.Key, *p)
	}
	return g
}

// Replicated waits for a replica; see Backend.Replicated.
func (s *Store) Replicated(ctx context.Context) (warning string, err error) {
	if warning, err = s.backend.Replicated(ctx); err != nil {
		return "", fmt.Errorf("wait for a replica of the online store: %w", err)
	}
	return warning, nil
}

// DropFence deletes a generation's fence. After it, nobody can read or write the generation's records. Like Drop and
// DropHeader, it deletes only while the pointer of the view version is p, which names another generation: a store that
// goes back in time may show readers again what they had left. All three return ErrConflict otherwise.
func (s *Store) DropFence(ctx context.Context, p fstore.Pointer, f fstore.Fence) error {
	key := s.fenceKey(f.View, f.Generation)
	guards := []Guard{s.pointerGuard(f.View, &p), {Key: key}}
	var err error
	if guards[1].Want, err = encodeFence(key, &f); err != nil {
		return err
	}
	return s.commit(ctx, "drop the fence of", &f, Commit{Guards: guards, Delete: [][]byte{key}})
}

// Drop deletes records of a generation of a view version, in small batches. Missing keys are not an error.
func (s *Store) Drop(ctx context.Context, ref fstore.ViewRef, p fstore.Pointer, g fstore.Generation, keys [][]byte) error {
	guards := []Guard{s.pointerGuard(ref, &p)}
	for len(keys) > 0 {
		n := min(len(keys), dropBatch)
		physical, err := recordKeys(g, keys[:n])
		if err != nil {
			return err
		}
		if err := s.backend.Commit(ctx, Commit{Guards: guards, Delete: physical}); err != nil {
			return fmt.Errorf("drop generation %s: %w", g, err)
		}
		keys = keys[n:]
	}
	return nil
}

// DropHeader deletes the header h, as DropFence deletes a fence. It returns ErrConflict if the store has another one.
func (s *Store) DropHeader(ctx context.Context, p fstore.Pointer, h fstore.Header) error {
	key := s.headerKey(h.View, h.Generation)
	guards := []Guard{s.pointerGuard(h.View, &p), {key, encodeHeader(key, h)}}
	return s.commit(ctx, "drop the header of", &h, Commit{Guards: guards, Delete: [][]byte{key}})
}

func (s *Store) commit(ctx context.Context, doing string, of fmt.Stringer, c Commit) error {
	if err := s.backend.Commit(ctx, c); err != nil {
		return fmt.Errorf("%s %s: %w", doing, of, err)
	}
	return nil
}

func sameGeneration(was, is fstore.Header) error {
	if was.View != is.View || was.Generation != is.Generation {
		return fstore.Errorf(fstore.ErrInvalid, "the header of %s cannot become that of %s", &was, &is)
	}
	return nil
}

// recordKeys returns the store's keys of a generation's keys, in one array.
func recordKeys(g fstore.Generation, keys [][]byte) ([][]byte, error) {
	gen, err := parseGeneration(g)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, k := range keys {
		size += recordKeyOverhead + len(k)
	}
	all, out := make([]byte, 0, size), make([][]byte, len(keys))
	for i, k := range keys {
		from := len(all)
		all = appendRecordKey(all, keyTag(k), gen, k)
		out[i] = all[from:len(all):len(all)]
	}
	return out, nil
}
