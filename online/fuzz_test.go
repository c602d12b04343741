package online

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
	"github.com/google/go-cmp/cmp"
)

// fuzzShapes are views of each shape that records have: with everything, with values of fixed width alone, with lists
// alone, and with one feature.
func fuzzShapes() []*fstore.ViewVersion {
	all, fixed, lists := &fstore.ViewVersion{}, &fstore.ViewVersion{}, &fstore.ViewVersion{}
	for i, typ := range scalars {
		name := string(rune('a' + i))
		all.View.Features = append(all.View.Features, fstore.Feature{Name: name, Type: typ}, fstore.Feature{Name: name + "s", Type: fstore.List(typ)})
		lists.View.Features = append(lists.View.Features, fstore.Feature{Name: name, Type: fstore.List(typ)})
		if typ.Width() > 0 {
			fixed.View.Features = append(fixed.View.Features, fstore.Feature{Name: name, Type: typ}, fstore.Feature{Name: name + "2", Type: typ})
		}
	}
	all.View.Event, fixed.View.Event = "event", "event"
	one := &fstore.ViewVersion{View: fstore.View{Features: []fstore.Feature{{Name: "s", Type: fstore.String}}}}
	out := []*fstore.ViewVersion{all, fixed, lists, one}
	for i, v := range out {
		v.Ref, v.Fingerprint = fstore.ViewRef{Name: "v", Version: i + 1}, "f"
		v.View.Name, v.View.Keys = "v", []fstore.Field{{Name: "id", Type: fstore.Int64}}
	}
	return out
}

// fuzzRows is a batch of a view with two rows of values and one of nulls; ids count from 0.
func fuzzRows(v *fstore.ViewVersion) *fstore.Batch {
	b := &fstore.Batch{Len: 3}
	id, event := fstore.NewColumn("id", fstore.Int64, 3), fstore.NewColumn("event", fstore.Timestamp, 3)
	for i := range 3 {
		id.Append(int64(i))
		if v.View.Static() {
			event.AppendNull()
		} else {
			event.Append(fstore.FromMicros(int64(i) - 1))
		}
	}
	b.Columns = append(b.Columns, id, event)
	values := map[fstore.Type][2]any{
		fstore.Bool: {true, false}, fstore.Int32: {int32(-1), int32(7)}, fstore.Int64: {int64(1) << 60, int64(-2)},
		fstore.Float32: {float32(1.5), float32(0)}, fstore.Float64: {-0.5, 1e300}, fstore.String: {"", "añ"},
		fstore.Bytes: {[]byte{}, []byte{0, 255}}, fstore.Timestamp: {fstore.FromMicros(-1), fstore.FromMicros(1)},
	}
	for _, f := range v.View.Record() {
		c := fstore.NewColumn(f.Name, f.Type, 3)
		two := values[f.Type.Elem()]
		if !f.Type.IsList() {
			c.Append(two[0])
			c.Append(two[1])
			c.AppendNull()
			b.Columns = append(b.Columns, c)
			continue
		}
		elems := fstore.NewColumn("", f.Type.Elem(), 2)
		elems.Append(two[0])
		elems.Append(two[1])
		elems.Type, elems.Offsets, elems.Len = f.Type, []int32{0, 2, 2}, 2
		c.AppendFrom(&elems, 0)
		c.AppendFrom(&elems, 1)
		c.AppendNull()
		b.Columns = append(b.Columns, c)
	}
	return b
}

// shelf is a backend that answers every look-up of one view with the records it has, by id.
type shelf struct {
	Backend
	pointer []byte
	records map[int64][]byte
}

func (s *shelf) Get(_ context.Context, r Read) (records, ptrs [][]byte, err error) {
	for _, k := range r.Keys {
		id := fstore.NewColumn("id", fstore.Int64, 1)
		if err := fstore.DecodeKey(k[recordKeyOverhead:], []*fstore.Column{&id}); err != nil {
			return nil, nil, err
		}
		records = append(records, s.records[id.Int64s[0]])
	}
	for range r.Pointers {
		ptrs = append(ptrs, s.pointer)
	}
	return records, ptrs, nil
}

// lookUp asks for features of a view for the ids 0 (the record), 9 (none), null, 1 (a right one) and 0 again.
func lookUp(v *fstore.ViewVersion, features []fstore.Feature, record, right []byte) (*Answer, error) {
	shelf := &shelf{records: map[int64][]byte{0: record, 1: right}}
	s := New(shelf, "p")
	shelf.pointer = encodePointer(s.pointerKey(v.Ref), pointerOf(v))
	list := &fstore.FeatureList{Uses: []fstore.ViewUse{{Version: v, Keys: []fstore.KeyBinding{{Key: v.View.Keys[0], Column: "id"}}}}}
	for _, f := range features {
		list.Outputs = append(list.Outputs, fstore.FeatureOutput{As: f.Name, Feature: f.Name})
	}
	id := fstore.NewColumn("id", fstore.Int64, 5)
	for _, v := range []any{int64(0), int64(9), nil, int64(1), int64(0)} {
		id.Append(v)
	}
	return s.Lookup(context.Background(), list, Request{Keys: []fstore.Column{id}, Now: fstore.FromMicros(0), EventTimes: WithEventTimes})
}

// FuzzDecode: any bytes before a right checksum are a record of the view, decoded as often as you like to the same
// values, or ErrCorrupt; and ErrCorrupt as they are, under another key, and where a layout without checksums says the
// same. A look-up of all features, or of every third one in another order, gives what decoding the whole record gives.
// And no record makes more memory than its length can fill.
func FuzzDecode(f *testing.F) {
	shapes := fuzzShapes()
	rights := make([][]byte, len(shapes))
	for which, v := range shapes {
		e, _ := codec(v)
		for row := range 3 {
			_, good, err := e.Encode(fuzzRows(v), row, nil, nil)
			if err != nil {
				f.Fatal(err)
			}
			if row == 1 {
				rights[which] = good
			}
			good = good[:len(good)-checksumSize]
			f.Add(which, good)
			if row != 1 {
				continue
			}
			f.Add(which, good[:len(good)-1])
			f.Add(which, append(bytes.Clone(good), 0))
			for i := range good { // each byte spoilt
				b := bytes.Clone(good)
				b[i] ^= 0xff
				f.Add(which, b)
			}
			wide := bytes.Clone(good)
			wide[1] |= flagWide
			f.Add(which, wide)
		}
	}
	f.Add(0, []byte{})
	idKey := func(id int64) []byte {
		return fstore.AppendKey(nil, []*fstore.Column{{Type: fstore.Int64, Int64s: []int64{id}}}, 0)
	}
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		which = int(uint(which) % uint(len(shapes)))
		v := shapes[which]
		e, d := codec(v)
		if len(body) > 0 && body[0] == versionBeforeChecksums { // as most of the corpus has it
			body = append([]byte{fstore.RecordLayout}, body[1:]...)
		}
		keys := [][]byte{idKey(0), idKey(1)}
		record := le.AppendUint32(bytes.Clone(body), recordSum(e.sum, keys[0], body))
		unsealed(t, v, d, keys, body, record)
		var b *fstore.Batch
		var err error
		// at worst a byte of the record is an empty string: a string or slice of it, and its end, each in a slice that grew
		alloctest.AtMost(t, 100*len(record), func() { b, err = d.Decode(keys, [][]byte{record, rights[which]}) })
		if err != nil {
			if !errors.Is(err, fstore.ErrCorrupt) {
				t.Fatalf("got %v, want ErrCorrupt", err)
			}
			if _, err := lookUp(v, v.View.Features, record, rights[which]); !errors.Is(err, fstore.ErrCorrupt) {
				t.Fatalf("it is corrupt, and a look-up gave %v", err)
			}
			return
		}
		_, again, err := e.Encode(b, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.Decode(keys, [][]byte{again, rights[which]})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text(b), text(c)); diff != "" {
			t.Fatalf("-first +second:\n%s", diff)
		}
		if _, third, err := e.Encode(c, 0, nil, nil); err != nil || !bytes.Equal(third, again) {
			t.Fatalf("encoded to %x, and then to %x, %v", again, third, err)
		}
		some := slices.Clone(v.View.Features)
		slices.Reverse(some)
		for i := range some[:(len(some)+2)/3] {
			some[i] = some[3*i]
		}
		for _, features := range [][]fstore.Feature{v.View.Features, some[:(len(some)+2)/3]} {
			a, err := lookUp(v, features, record, rights[which])
			if err != nil {
				t.Fatal(err)
			}
			sameAsDecoded(t, a, b)
		}
	})
}

// unsealed checks what becomes of a record whose checksum is missing or another key's, and that the layout before
// checksums says the same of what is before it.
func unsealed(t *testing.T, v *fstore.ViewVersion, d *Decoder, keys [][]byte, body, record []byte) {
	t.Helper()
	for name, try := range map[string]struct{ key, record []byte }{"no checksum": {keys[0], body}, "another key": {keys[1], record}} {
		if _, err := d.Decode([][]byte{try.key}, [][]byte{try.record}); !errors.Is(err, fstore.ErrCorrupt) {
			t.Fatalf("%s: got %v, want ErrCorrupt", name, err)
		}
	}
	p := pointerOf(v)
	p.Layout = 0
	before, err := New(nil, "p").Decoder(v, p)
	if err != nil {
		t.Fatal(err)
	}
	old := bytes.Clone(body)
	if len(old) > 0 && old[0] == fstore.RecordLayout {
		old[0] = versionBeforeChecksums
	}
	want, errWant := d.Decode(keys[:1], [][]byte{record})
	got, errGot := before.Decode(keys[:1], [][]byte{old})
	if (errWant == nil) != (errGot == nil) || errWant == nil && !cmp.Equal(text(want), text(got)) {
		t.Fatalf("with a checksum %v, %v; without %v, %v", want, errWant, got, errGot)
	}
}

// sameAsDecoded compares an answer of lookUp with the decoded records of ids 0 and 1.
func sameAsDecoded(t *testing.T, a *Answer, b *fstore.Batch) {
	t.Helper()
	event := b.Column("event")
	for i := range a.Features {
		f := &a.Features[i]
		c := b.Column(f.Column.Name)
		for row, want := range []int{0, -1, -1, 1, 0} {
			value, status, at, has := any(nil), NotFound, any(nil), f.EventsValid.Get(row)
			if want >= 0 {
				value, status, at = c.Value(want), Present, event.Value(want)
				if c.IsNull(want) {
					status = NullValue
				}
			}
			got, gotAt := f.Column.Value(row), any(nil)
			if has {
				gotAt = fstore.FromMicros(f.Events[row])
			}
			if fmt.Sprintf("%q %v", got, got == nil) != fmt.Sprintf("%q %v", value, value == nil) || f.Status(row) != status || gotAt != at {
				t.Fatalf("row %d of %s: %q %s at %v, decoded %q %s at %v", row, f.Column.Name, got, f.Status(row), gotAt, value, status, at)
			}
		}
	}
}

// What a store says of its data is JSON that fstore wrote; anything else is ErrCorrupt, or says something that can be
// written and read again.
func FuzzPointerAndHeader(f *testing.F) {
	ref := fstore.ViewRef{Name: "v", Version: 1}
	s := New(nil, "p")
	pointer, header := s.pointerKey(ref), s.headerKey(ref, "0102030405060708")
	for _, layout := range []int{0, fstore.RecordLayout} {
		f.Add(encodePointer(pointer, fstore.Pointer{Generation: "0102030405060708", Published: fstore.FromMicros(1500000), Fingerprint: "f00d", Layout: layout}))
		f.Add(encodeHeader(header, fstore.Header{View: ref, Generation: "0102030405060708", Fingerprint: "f00d", Layout: layout, Run: "r", RunAt: fstore.FromMicros(1), Token: "t", Watermark: []byte{1}}))
	}
	f.Add([]byte(`{"generation":"xx"}`))
	f.Add([]byte(`{"published":"9999-12-31T23:59:59.999999999Z","generation":"0102030405060708"}`))
	f.Add([]byte(`{"published":"9999-12-31T23:59:59-23:59","run_at":"9999-12-31T23:59:59-23:59","generation":"0102030405060708"}`)) // the year 10000
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		alloctest.AtMost(t, 32*len(raw), func() { readAgain(t, ref, pointer, header, raw) })
		if len(raw) > 1 {
			readAgain(t, ref, pointer, header, sealJSON(pointer, raw))
			readAgain(t, ref, pointer, header, sealJSON(header, raw))
		}
	})
}

// readAgain checks what bytes are as a pointer and as a header.
func readAgain(t *testing.T, ref fstore.ViewRef, pointer, header, raw []byte) {
	if k, err := decodePointer(ref, pointer, raw); err != nil {
		if !errors.Is(err, fstore.ErrCorrupt) {
			t.Errorf("pointer: got %v, want ErrCorrupt", err)
		}
	} else if again, err := decodePointer(ref, pointer, encodePointer(pointer, k.pointer)); err != nil || again.generation != k.generation || !bytes.Equal(encodePointer(pointer, again.pointer), encodePointer(pointer, k.pointer)) {
		t.Errorf("%+v became %+v, %v", k.pointer, again, err)
	}
	if h, err := decodeHeader(ref, header, raw); err != nil {
		if !errors.Is(err, fstore.ErrCorrupt) {
			t.Errorf("header: got %v, want ErrCorrupt", err)
		}
	} else if again, err := decodeHeader(ref, header, encodeHeader(header, h)); err != nil || !bytes.Equal(encodeHeader(header, again), encodeHeader(header, h)) {
		t.Errorf("%+v became %+v, %v", h, again, err)
	}
}

// FuzzFence reads any bytes as a fence, with and without a right checksum: ErrCorrupt, or a fence whose bytes these are. A
// reader judges the bytes as fstore.Fence.Fits judges the fence.
func FuzzFence(f *testing.F) {
	s, ref := New(nil, "p"), fstore.ViewRef{Name: "v", Version: 1}
	key := s.fenceKey(ref, goldenGeneration)
	good, err := encodeFence(key, &fstore.Fence{Run: "00000000000000ab", Base: "00000000000000cd", BaseAt: fstore.FromMicros(1), Complete: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, "00000000000000ab")
	f.Add(good, "00000000000000cd")
	f.Add(good[:fenceSum], "00000000000000cd")
	f.Add([]byte{}, "")
	f.Fuzz(func(t *testing.T, raw []byte, run string) {
		sealed := le.AppendUint32(bytes.Clone(raw), recordSum(0, key, raw))
		for _, b := range [][]byte{raw, sealed} {
			fence, err := decodeFence(ref, goldenGeneration, key, b)
			id, named := parseRun(run)
			if err != nil {
				if !errors.Is(err, fstore.ErrCorrupt) {
					t.Errorf("got %v", err)
				}
				continue
			}
			again, err := encodeFence(key, &fence)
			if err != nil || !bytes.Equal(again, b) {
				t.Errorf("%x became %x, %v", b, again, err)
			}
			if named && fits(key, b, id) != fence.Fits(&fstore.Pointer{Run: run}) {
				t.Errorf("%+v under run %s: a reader says %v", fence, run, fits(key, b, id))
			}
		}
	})
}
