package online

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var scalars = []fstore.Type{fstore.Bool, fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64, fstore.String, fstore.Bytes, fstore.Timestamp}

// drawVersion draws a view version with a feature for each of some types.
func drawVersion(t *rapid.T) *fstore.ViewVersion {
	v := &fstore.ViewVersion{Ref: fstore.ViewRef{Name: "v", Version: 1}, View: fstore.View{Name: "v"}}
	if rapid.Bool().Draw(t, "has event") {
		v.View.Event = "event"
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "keys") {
		typ := rapid.SampledFrom([]fstore.Type{fstore.Int64, fstore.String}).Draw(t, "key type")
		v.View.Keys = append(v.View.Keys, fstore.Field{Name: fmt.Sprint("k", i), Type: typ})
	}
	for i := range rapid.IntRange(1, 20).Draw(t, "features") {
		typ := rapid.SampledFrom(scalars).Draw(t, "type")
		if rapid.IntRange(0, 3).Draw(t, "list") == 0 {
			typ = fstore.List(typ)
		}
		v.View.Features = append(v.View.Features, fstore.Feature{Name: fmt.Sprint("f", (i*7)%20), Type: typ})
	}
	return v
}

func drawElem(t *rapid.T, typ fstore.Type) any {
	switch typ {
	case fstore.Bool:
		return rapid.Bool().Draw(t, "v")
	case fstore.Int32:
		return rapid.Int32().Draw(t, "v")
	case fstore.Int64:
		return rapid.Int64().Draw(t, "v")
	case fstore.Float32:
		return rapid.SampledFrom([]float32{0, float32(math.Copysign(0, -1)), 1.5, float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32}).Draw(t, "v")
	case fstore.Float64:
		return rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 0.1, math.NaN(), math.Float64frombits(0xfff8000000000001), math.Inf(-1), math.SmallestNonzeroFloat64}).Draw(t, "v")
	case fstore.String:
		return rapid.String().Draw(t, "v")
	case fstore.Bytes:
		return append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "v")...)
	case fstore.Timestamp: // below
	}
	return fstore.FromMicros(rapid.Int64().Draw(t, "v"))
}

func drawValue(t *rapid.T, c *fstore.Column) {
	if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		c.AppendNull()
		return
	}
	if !c.Type.IsList() {
		c.Append(drawElem(t, c.Type))
		return
	}
	one := fstore.NewColumn("", c.Type, 0)
	n := int32(rapid.IntRange(0, 5).Draw(t, "length"))
	elems := fstore.NewColumn("", c.Type.Elem(), 0)
	for range n {
		elems.Append(drawElem(t, c.Type.Elem()))
	}
	elems.Name, elems.Type, elems.Offsets, elems.Len = "", one.Type, []int32{0, n}, 1
	c.AppendFrom(&elems, 0)
}

func drawBatch(t *rapid.T, v *fstore.ViewVersion, rows int) *fstore.Batch {
	b := &fstore.Batch{Len: rows}
	for _, k := range v.View.Keys {
		c := fstore.NewColumn(k.Name, k.Type, rows)
		for range rows {
			c.Append(drawElem(t, k.Type))
		}
		b.Columns = append(b.Columns, c)
	}
	event := fstore.NewColumn("event", fstore.Timestamp, rows)
	for range rows {
		if v.View.Static() {
			event.AppendNull()
		} else {
			event.Append(drawElem(t, fstore.Timestamp))
		}
	}
	b.Columns = append(b.Columns, event)
	for _, f := range v.View.Record() {
		c := fstore.NewColumn(f.Name, f.Type, rows)
		for range rows {
			drawValue(t, &c)
		}
		b.Columns = append(b.Columns, c)
	}
	return b
}

// text shows a batch with nulls told from empty values; -0.0 as the 0.0 it becomes.
func text(b *fstore.Batch) (lines []string) {
	for i := range b.Columns {
		c := &b.Columns[i]
		for row := range c.Len {
			cell := fmt.Sprintf("%q", c.Value(row))
			switch v := c.Value(row).(type) {
			case float64:
				cell = fmt.Sprint(v + 0)
			case float32:
				cell = fmt.Sprint(v + 0)
			case []float64, []float32:
				cell = string(c.AppendJSON(nil, row))
				cell = string(bytes.ReplaceAll([]byte(cell), []byte("-0"), []byte("0")))
			}
			lines = append(lines, fmt.Sprintf("%s %s %d: %s null %v", c.Name, c.Type, row, cell, c.IsNull(row)))
		}
	}
	return lines
}

// codec is the encoder and the decoder of a generation of a view.
func codec(v *fstore.ViewVersion) (*Encoder, *Decoder) {
	s, p := New(nil, "p"), pointerOf(v)
	e, err := s.Encoder(v, p.Generation)
	d, err2 := s.Decoder(v, p)
	if err := errors.Join(err, err2); err != nil {
		panic(err)
	}
	return e, d
}

// pointerOf points to a generation of a view.
func pointerOf(v *fstore.ViewVersion) fstore.Pointer {
	return fstore.Pointer{Generation: "0102030405060708", Published: fstore.FromMicros(0), Fingerprint: v.Fingerprint, Layout: fstore.RecordLayout}
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawVersion(t)
		rows := rapid.IntRange(0, 9).Draw(t, "rows")
		b := drawBatch(t, v, rows)
		e, d := codec(v)
		var keys, records [][]byte
		for row := range rows {
			key, record, err := e.Encode(b, row, []byte("before"), []byte("also"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(key, []byte("before")) || !bytes.HasPrefix(record, []byte("also")) {
				t.Fatal("Encode did not append")
			}
			keys, records = append(keys, key[6:]), append(records, record[4:])
		}
		got, err := d.Decode(keys, records)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(text(b), text(got)); d != "" {
			t.Fatalf("-want +got:\n%s", d)
		}
		for row := range rows { // equal rows are equal bytes
			_, again, err := e.Encode(got, row, nil, nil)
			if err != nil || !bytes.Equal(again, records[row]) {
				t.Fatalf("row %d: %x, then %x, %v", row, records[row], again, err)
			}
		}
	})
}

func TestARecordWiderThan64KiB(t *testing.T) {
	v := fuzzVersion()
	e, d := codec(v)
	for _, n := range []int{1<<16 - 20, 1 << 16, 1 << 20} {
		b := fuzzBatch(v)
		b.Columns[len(b.Columns)-1].Strings[0] = string(bytes.Repeat([]byte("x"), n))
		_, record, err := e.Encode(b, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Decode([][]byte{nil}, [][]byte{record})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(text(b), text(got)); d != "" {
			t.Fatalf("%d: -want +got:\n%s", n, d)
		}
	}
}

func TestEncodeRefusesWhatIsNotTheViews(t *testing.T) {
	v := fuzzVersion()
	v.View.Keys = []fstore.Field{{Name: "id", Type: fstore.Int64}}
	v.View.Event = "event"
	e, _ := codec(v)
	fresh := func() *fstore.Batch {
		b := fuzzBatch(fuzzVersion())
		id := fstore.NewColumn("id", fstore.Int64, 1)
		id.Append(int64(1))
		event := fstore.NewColumn("event", fstore.Timestamp, 1)
		event.Append(fstore.FromMicros(1))
		b.Columns = append([]fstore.Column{id, event}, b.Columns[1:]...)
		return b
	}
	null := func(c *fstore.Column) { *c = fstore.NewColumn(c.Name, c.Type, 1); c.AppendNull() }
	for name, spoil := range map[string]func(b *fstore.Batch){
		"null key":       func(b *fstore.Batch) { null(&b.Columns[0]) },
		"null event":     func(b *fstore.Batch) { null(&b.Columns[1]) },
		"key type":       func(b *fstore.Batch) { b.Columns[0].Type = fstore.Int32 },
		"event type":     func(b *fstore.Batch) { b.Columns[1].Type = fstore.Int64 },
		"feature type":   func(b *fstore.Batch) { b.Columns[2], b.Columns[5] = b.Columns[5], b.Columns[2] },
		"missing column": func(b *fstore.Batch) { b.Columns = b.Columns[1:] },
		"no such row":    func(b *fstore.Batch) { b.Len = 0 },
	} {
		b := fresh()
		if _, _, err := e.Encode(b, 0, nil, nil); err != nil {
			t.Fatal(err)
		}
		spoil(b)
		if _, _, err := e.Encode(b, 0, nil, nil); !errors.Is(err, fstore.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

func fuzzVersion() *fstore.ViewVersion {
	v := &fstore.ViewVersion{Ref: fstore.ViewRef{Name: "v", Version: 1}}
	for name, t := range map[string]fstore.Type{"a": fstore.Float64, "b": fstore.Bool, "c": fstore.List(fstore.Float32), "d": fstore.List(fstore.String), "e": fstore.Bytes, "z": fstore.String} {
		v.View.Features = append(v.View.Features, fstore.Feature{Name: name, Type: t})
	}
	return v
}

func fuzzBatch(v *fstore.ViewVersion) *fstore.Batch {
	b := &fstore.Batch{Len: 1, Columns: []fstore.Column{fstore.NewColumn("event", fstore.Timestamp, 1)}}
	b.Columns[0].AppendNull()
	values := map[string]any{"a": 1.5, "b": true, "c": []float32{1, 2}, "d": []string{"", "xy"}, "e": []byte("e"), "z": "z"}
	for _, f := range v.View.Record() {
		c := fstore.NewColumn(f.Name, f.Type, 1)
		c.Append(values[f.Name])
		b.Columns = append(b.Columns, c)
	}
	return b
}

func TestEverySpoiltBitIsCorrupt(t *testing.T) {
	v := fuzzVersion()
	e, d := codec(v)
	_, good, err := e.Encode(fuzzBatch(v), 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for bit := range 8 {
			b := bytes.Clone(good)
			b[i] ^= 1 << bit
			if _, err := d.Decode([][]byte{nil}, [][]byte{b}); !errors.Is(err, fstore.ErrCorrupt) {
				t.Errorf("bit %d of byte %d: got %v, want ErrCorrupt", bit, i, err)
			}
		}
	}
}

// The store's keys and records outlive the program: these bytes may never change under one layout.
func TestKeysAndRecordsAreStable(t *testing.T) {
	v, s := fuzzVersion(), New(nil, "shop")
	v.View.Event, v.View.Keys = "event", []fstore.Field{{Name: "id", Type: fstore.Int64}}
	e, _ := codec(v)
	b := fuzzBatch(fuzzVersion())
	id := fstore.NewColumn("id", fstore.Int64, 1)
	id.Append(int64(17850))
	event := fstore.NewColumn("event", fstore.Timestamp, 1)
	event.Append(fstore.FromMicros(0x0102030405060708))
	b.Columns = append([]fstore.Column{id, event}, b.Columns[1:]...)
	key, record, err := e.Encode(b, 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	physical, err := recordKeys("0102030405060708", [][]byte{key})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{
		fmt.Sprintf("%q", physical[0]), fmt.Sprintf("%x", record),
		string(s.pointerKey(v.Ref)), string(s.headerKey(v.Ref, "0102030405060708")),
		string(encodePointer(s.pointerKey(v.Ref), fstore.Pointer{
			Generation: "0102030405060708", Published: fstore.FromMicros(1500000), Servable: fstore.FromMicros(2500000),
			Fingerprint: "f00d", Layout: 2,
		})),
	}
	want := []string{
		`"f{0eK}\x01\x02\x03\x04\x05\x06\a\b\x82E\xba"`,
		"0201" + "8453" + "0807060504030201" + // version and flags, layout, event
			"3f" + "000000000000f83f" + "01" + // all six features are there; a, b
			"0800" + "0c00" + "0d00" + "0e00" + // where c, d, e, z end
			"0000803f00000040" + "00027879" + "65" + "7a" +
			"afc8cfea", // checksum
		"fstore:shop:p:v@1",
		"fstore:shop:h:v@1:0102030405060708",
		`{"generation":"0102030405060708","published":"1970-01-01T00:00:01.5Z","servable":"1970-01-01T00:00:02.5Z","fingerprint":"f00d","layout":2,"crc":"8a773d55"}`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// What an fstore wrote that knew no checksums is read, byte for byte as it was, and only under a pointer that says so.
func TestRecordsBeforeChecksumsAreRead(t *testing.T) {
	v, s := fuzzVersion(), New(nil, "p")
	key := s.pointerKey(v.Ref)
	raw := []byte(`{"generation":"0102030405060708","published":"1970-01-01T00:00:01.5Z","fingerprint":"f00d"}`)
	at, err := decodePointer(v.Ref, key, raw)
	if err != nil || !bytes.Equal(encodePointer(key, at.pointer), raw) {
		t.Fatal(at, err)
	}
	e, sealed := codec(v)
	_, record, err := e.Encode(fuzzBatch(v), 0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	old := bytes.Clone(record[:len(record)-checksumSize])
	old[0] = versionBeforeChecksums
	before, err := s.Decoder(v, at.pointer)
	if err != nil {
		t.Fatal(err)
	}
	got, err := before.Decode([][]byte{nil}, [][]byte{old})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(text(fuzzBatch(v)), text(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if _, err := sealed.Decode([][]byte{nil}, [][]byte{old}); !errors.Is(err, fstore.ErrCorrupt) {
		t.Errorf("under a pointer with checksums: got %v, want ErrCorrupt", err)
	}
	if _, err := before.Decode([][]byte{nil}, [][]byte{record}); !errors.Is(err, fstore.ErrCorrupt) {
		t.Errorf("a record with a checksum under a pointer without: got %v, want ErrCorrupt", err)
	}
}
