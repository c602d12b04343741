package online

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/alloctest"
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

func (s *shelf) Get(_ context.Context, keys, pointers [][]byte) (records, ptrs [][]byte, err error) {
	for _, k := range keys {
		id := fstore.NewColumn("id", fstore.Int64, 1)
		if err := fstore.DecodeKey(k[recordKeyOverhead:], []*fstore.Column{&id}); err != nil {
			return nil, nil, err
		}
		records = append(records, s.records[id.Int64s[0]])
	}
	for range pointers {
		ptrs = append(ptrs, s.pointer)
	}
	return records, ptrs, nil
}

// lookUp asks for features of a view for the ids 0 (the record), 9 (none), null, 1 (a right one) and 0 again.
func lookUp(v *fstore.ViewVersion, features []fstore.Feature, record, right []byte) (*Answer, error) {
	s := New(&shelf{
		pointer: encodePointer(fstore.Pointer{Generation: "0102030405060708", Published: fstore.FromMicros(0), Fingerprint: v.Fingerprint}),
		records: map[int64][]byte{0: record, 1: right},
	}, "p")
	list := &fstore.FeatureList{Uses: []fstore.ViewUse{{Version: v, Keys: []fstore.KeyBinding{{Key: v.View.Keys[0], Column: "id"}}}}}
	for _, f := range features {
		list.Outputs = append(list.Outputs, fstore.FeatureOutput{Name: f.Name, Feature: f.Name})
	}
	id := fstore.NewColumn("id", fstore.Int64, 5)
	for _, v := range []any{int64(0), int64(9), nil, int64(1), int64(0)} {
		id.Append(v)
	}
	return s.Lookup(context.Background(), list, Request{Keys: []fstore.Column{id}, Now: fstore.FromMicros(0), EventTimes: WithEventTimes})
}

// FuzzDecode: any bytes are a record of the view, decoded as often as you like to the same values, or ErrCorrupt. A
// look-up of all features, or of every third one in another order, gives what decoding the whole record gives. And no
// record makes more memory than its length can fill.
func FuzzDecode(f *testing.F) {
	shapes, s := fuzzShapes(), New(nil, "p")
	rights := make([][]byte, len(shapes))
	for which, v := range shapes {
		for row := range 3 {
			_, good, err := s.Encoder(v).Encode(fuzzRows(v), row, nil, nil)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(which, good)
			if row != 1 {
				continue
			}
			rights[which] = good
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
	f.Fuzz(func(t *testing.T, which int, record []byte) {
		which = int(uint(which) % uint(len(shapes)))
		v := shapes[which]
		d, e := s.Decoder(v), s.Encoder(v)
		keys := [][]byte{fstore.AppendKey(nil, []*fstore.Column{{Type: fstore.Int64, Int64s: []int64{0}}}, 0), fstore.AppendKey(nil, []*fstore.Column{{Type: fstore.Int64, Int64s: []int64{1}}}, 0)}
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
	f.Add(encodePointer(fstore.Pointer{Generation: "0102030405060708", Published: fstore.FromMicros(1500000), Fingerprint: "f00d"}))
	f.Add(encodeHeader(fstore.Header{View: ref, Generation: "0102030405060708", Fingerprint: "f00d", Run: "r", RunAt: fstore.FromMicros(1), Token: "t", Watermark: []byte{1}}))
	f.Add([]byte(`{"generation":"xx"}`))
	f.Add([]byte(`{"published":"9999-12-31T23:59:59.999999999Z","generation":"0102030405060708"}`))
	f.Add([]byte(`{"published":"9999-12-31T23:59:59-23:59","run_at":"9999-12-31T23:59:59-23:59","generation":"0102030405060708"}`)) // the year 10000
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		alloctest.AtMost(t, 32*len(raw), func() {
			if k, err := decodePointer(ref, raw); err != nil {
				if !errors.Is(err, fstore.ErrCorrupt) {
					t.Errorf("pointer: got %v, want ErrCorrupt", err)
				}
			} else if again, err := decodePointer(ref, encodePointer(k.pointer)); err != nil || again.generation != k.generation || !bytes.Equal(encodePointer(again.pointer), encodePointer(k.pointer)) {
				t.Errorf("%+v became %+v, %v", k.pointer, again, err)
			}
			if h, err := decodeHeader(ref, raw); err != nil {
				if !errors.Is(err, fstore.ErrCorrupt) {
					t.Errorf("header: got %v, want ErrCorrupt", err)
				}
			} else if again, err := decodeHeader(ref, encodeHeader(h)); err != nil || !bytes.Equal(encodeHeader(again), encodeHeader(h)) {
				t.Errorf("%+v became %+v, %v", h, again, err)
			}
		})
	})
}
