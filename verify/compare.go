package verify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/fstore-dev/fstore"
)

// chunkKeys is how many keys are read at once.
const chunkKeys = 1000

// comparison is the work on one view.
type comparison struct {
	r       *runner
	v       *fstore.ViewVersion
	out     *View
	decoder Decoder
	tiles   []tiles   // of a sawtooth view: its columns
	cursors []*cursor // by instant
	held    *keyReader
	heldKey []byte // nil after the last
	part    chunk

	stored    []*chunk // of a sample: the keys that the scan found, a chunk each
	reservoir []*chunk // of a sample: others, each of the view's with the same chance
	offered   int64    // keys that the reservoir was offered
}

// compare looks at every key that the view has offline or the store holds, or at a sample of both.
func (r *runner) compare(ctx context.Context, v *fstore.ViewVersion, at *standing, out *View) error {
	decoder, err := r.o.Store.Decoder(v, at.pointer)
	if err != nil {
		return err
	}
	c := &comparison{r: r, v: v, out: out, decoder: decoder, tiles: tilesOf(&v.View)}
	defer func() {
		for _, cur := range c.cursors {
			cur.stop()
		}
	}()
	for _, p := range at.instants() {
		cur, err := newCursor(ctx, r.o.Source, v, p)
		if cur != nil {
			c.cursors = append(c.cursors, cur)
		}
		if err != nil {
			return err
		}
	}
	if r.keys[at.pointer.Generation] == nil { // it was published since the scan
		if err := r.scanFor(ctx, at.pointer.Generation); err != nil {
			return err
		}
	}
	strays := r.keys[at.pointer.Generation]
	out.Extra += strays.astray
	for _, key := range strays.strays {
		c.tell(Difference{Kind: Extra, Key: c.keyText(key), Detail: "it lies where no look-up of the key looks"})
	}
	if c.held, err = r.keys[at.pointer.Generation].sorted(); err != nil {
		return err
	}
	if c.heldKey, err = c.held.next(); err != nil {
		return err
	}
	for {
		key := c.least()
		if key == nil {
			break
		}
		if err := c.offer(ctx, key); err != nil {
			return err
		}
		if err := c.pass(key); err != nil {
			return err
		}
	}
	return c.finish(ctx)
}

// least returns the smallest current key of the cursors and the store's keys, or nil after the last. It is valid until they
// move.
func (c *comparison) least() []byte {
	least := c.heldKey
	for _, cur := range c.cursors {
		if cur.key != nil && (least == nil || bytes.Compare(cur.key, least) < 0) {
			least = cur.key
		}
	}
	return bytes.Clone(least)
}

// pass moves on what stands on a key.
func (c *comparison) pass(key []byte) error {
	for _, cur := range c.cursors {
		if cur.key != nil && bytes.Equal(cur.key, key) {
			if err := cur.move(); err != nil {
				return err
			}
		}
	}
	if c.heldKey == nil || !bytes.Equal(c.heldKey, key) {
		return nil
	}
	var err error
	c.heldKey, err = c.held.next()
	return err
}

// offer takes a key to be checked: each, or as the sample has it.
func (c *comparison) offer(ctx context.Context, key []byte) error {
	stored := c.heldKey != nil && bytes.Equal(c.heldKey, key)
	if slices.ContainsFunc(c.cursors, func(cur *cursor) bool { return cur.key != nil && bytes.Equal(cur.key, key) }) {
		c.out.Keys++
	}
	n := c.r.o.Sample
	if n == 0 {
		c.part.add(key, stored, c.cursors)
		if len(c.part.keys) < chunkKeys {
			return nil
		}
		return c.check(ctx)
	}
	one := &chunk{}
	if stored {
		one.add(key, stored, c.cursors)
		c.stored = append(c.stored, one)
		return nil
	}
	c.offered++
	if c.offered <= int64(n) {
		one.add(key, stored, c.cursors)
		c.reservoir = append(c.reservoir, one)
	} else if at := rand.Int64N(c.offered); at < int64(n) { //nolint:gosec // G404: it picks a sample to compare
		one.add(key, stored, c.cursors)
		c.reservoir[at] = one
	}
	return nil
}

// finish checks what has not been.
func (c *comparison) finish(ctx context.Context) error {
	sample := slices.Concat(c.stored, c.reservoir)
	slices.SortFunc(sample, func(a, b *chunk) int { return bytes.Compare(a.keys[0], b.keys[0]) })
	for _, one := range sample {
		c.part.append(one)
		if len(c.part.keys) == chunkKeys {
			if err := c.check(ctx); err != nil {
				return err
			}
		}
	}
	return c.check(ctx)
}

// check reads the records of the keys at hand and compares them.
func (c *comparison) check(ctx context.Context) error {
	p := c.part
	c.part = chunk{}
	if len(p.keys) == 0 {
		return nil
	}
	records, err := c.r.o.Store.Records(ctx, c.out.Generation, p.keys)
	if err != nil {
		return err
	}
	got := c.decode(p.keys, records)
	for i := range p.keys {
		c.out.Checked++
		c.key(&p, i, got[i])
	}
	c.r.o.Progress(c.v.Ref, c.out.Checked)
	return nil
}

// served is the record of a key as look-ups read it.
type served struct {
	there   bool
	batch   *fstore.Batch // and its row; nil: it is corrupt
	row     int
	corrupt error
}

// decode decodes records, all at once if all can be.
func (c *comparison) decode(keys, records [][]byte) []served {
	out := make([]served, len(keys))
	var k, r [][]byte
	for i, rec := range records {
		if rec != nil {
			out[i] = served{there: true, row: len(k)}
			k, r = append(k, keys[i]), append(r, rec)
		}
	}
	all, err := c.decoder.Decode(k, r)
	for i, rec := range records {
		switch {
		case rec == nil:
		case err == nil:
			out[i].batch = all
		default:
			out[i].row = 0
			out[i].batch, out[i].corrupt = c.decoder.Decode(keys[i:i+1], records[i:i+1])
		}
	}
	return out
}

// key compares one key with what it may be at either instant.
func (c *comparison) key(p *chunk, i int, got served) {
	absent := slices.Contains(p.rows[i], -1)
	present := slices.ContainsFunc(p.rows[i], func(r int) bool { return r >= 0 })
	switch {
	case !got.there && absent:
	case !got.there:
		c.out.Missing++
		c.tell(Difference{Kind: Missing, Key: c.keyText(p.keys[i])})
	case !present:
		c.out.Extra++
		c.tell(Difference{Kind: Extra, Key: c.keyText(p.keys[i])})
	case got.corrupt != nil:
		c.out.Undecodable++
		c.tell(Difference{Kind: Undecodable, Key: c.keyText(p.keys[i]), Detail: got.corrupt.Error()})
	default:
		var first *Difference
		for at, want := range p.rows[i] {
			if want < 0 {
				continue
			}
			d := c.differs(p.wanted[at], want, got.batch, got.row)
			if d == nil {
				return
			}
			first = cmp.Or(first, d)
		}
		if first.Kind == Undecodable {
			c.out.Undecodable++
		} else {
			c.out.Differing++
		}
		first.Key = c.keyText(p.keys[i])
		c.tell(*first)
	}
}

func (c *comparison) tell(d Difference) {
	if len(c.out.Differences) < c.r.o.Shown {
		c.out.Differences = append(c.out.Differences, d)
	}
}

// keyText writes a key for people.
func (c *comparison) keyText(key []byte) string {
	columns := make([]fstore.Column, len(c.v.View.Keys))
	into := make([]*fstore.Column, len(columns))
	for i, k := range c.v.View.Keys {
		columns[i] = fstore.NewColumn(k.Name, k.Type, 1)
		into[i] = &columns[i]
	}
	if err := fstore.DecodeKey(key, into); err != nil {
		return hex.EncodeToString(key)
	}
	text := []byte("{")
	for i := range columns {
		if i > 0 {
			text = append(text, ',')
		}
		text = fmt.Appendf(text, "%q:", columns[i].Name)
		text = columns[i].AppendJSON(text, 0)
	}
	return string(append(text, '}'))
}
