package online

import (
	"context"
	"fmt"

	"github.com/fstore-dev/fstore"
)

// Records reads the stored records of a generation's keys in one round trip, without checking them. A key without a
// record yields nil.
func (s *Store) Records(ctx context.Context, g fstore.Generation, keys [][]byte) ([][]byte, error) {
	physical, err := recordKeys(g, keys)
	if err != nil {
		return nil, err
	}
	records, _, err := s.backend.Get(ctx, Read{Keys: physical, Primary: true})
	if err != nil {
		return nil, fmt.Errorf("read generation %s: %w", g, err)
	}
	return records, nil
}

// Decoder turns keys and records into batches, with the code that answers look-ups. It is safe for concurrent use.
type Decoder struct {
	layout *layout
	at     *knownPointer
}

// Decoder returns the decoder of the generation of a view version that a pointer names.
func (s *Store) Decoder(v *fstore.ViewVersion, p fstore.Pointer) (*Decoder, error) {
	g, err := parseGeneration(p.Generation)
	return &Decoder{newLayout(v), &knownPointer{pointer: p, generation: g, sum: generationSum(g)}}, err
}

// Decode reverses Encode: it returns a batch with a row per key. The event column is named "event". Defaults are not
// applied. It returns ErrCorrupt for a damaged record, or one that was written under another key.
func (d *Decoder) Decode(keys, records [][]byte) (*fstore.Batch, error) {
	l := d.layout
	if len(keys) != len(records) {
		return nil, fstore.Errorf(fstore.ErrInvalid, "%s: %d keys and %d records", l.ref, len(keys), len(records))
	}
	b := &fstore.Batch{Len: len(keys), Columns: make([]fstore.Column, 0, len(l.keys)+1+len(l.fields))}
	for _, k := range l.keys {
		b.Columns = append(b.Columns, fstore.NewColumn(k.Name, k.Type, len(keys)))
	}
	b.Columns = append(b.Columns, fstore.NewColumn("event", fstore.Timestamp, len(keys)))
	columns := make([]*fstore.Column, len(l.keys))
	for i := range columns {
		columns[i] = &b.Columns[i]
	}
	event := &b.Columns[len(l.keys)]
	for i, rec := range records {
		if err := fstore.DecodeKey(keys[i], columns); err != nil {
			return nil, err
		}
		if err := l.check(d.at, keys[i], rec); err != nil {
			return nil, fmt.Errorf("key %x: %w", keys[i], err)
		}
		if us, ok := l.eventOf(rec); ok {
			event.Append(fstore.FromMicros(us))
		} else {
			event.AppendNull()
		}
	}
	f := filler{rows: len(records), counts: &Counts{}, layout: l, recs: records, states: make([]Status, len(records))}
	for i := range l.fields {
		out := AnswerFeature{Column: fstore.Column{Name: l.fields[i].name}}
		if err := f.fill(&out, &l.fields[i], nil); err != nil {
			return nil, err
		}
		b.Columns = append(b.Columns, out.Column)
	}
	return b, nil
}
