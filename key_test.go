package fstore_test

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
	"pgregory.net/rapid"
)

var keyTypes = []fstore.Type{fstore.Bool, fstore.Int32, fstore.Int64, fstore.String, fstore.Bytes, fstore.Timestamp}

// drawPart draws a part of a key; small ones and those at the bounds come often.
func drawPart(t *rapid.T, typ fstore.Type) any {
	switch typ {
	case fstore.Int32:
		return rapid.OneOf(rapid.Int32(), rapid.Int32Range(-300, 300), rapid.SampledFrom([]int32{math.MinInt32, math.MaxInt32})).Draw(t, "part")
	case fstore.Int64:
		return rapid.OneOf(rapid.Int64(), rapid.Int64Range(-300, 300), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 1<<53 + 1, -1 << 53})).Draw(t, "part")
	case fstore.String:
		return string(drawText(t))
	case fstore.Bytes:
		return drawText(t)
	case fstore.Timestamp:
		return fstore.FromMicros(rapid.Int64().Draw(t, "part"))
	case fstore.Bool, fstore.Float32, fstore.Float64: // Bool, below: no join key has floats
	}
	return rapid.Bool().Draw(t, "part")
}

func drawText(t *rapid.T) []byte {
	b := rapid.OneOf(rapid.SliceOf(rapid.SampledFrom([]byte{0, 1, 0xfe, 0xff, 'a', '}', '{'})), rapid.SliceOf(rapid.Byte())).Draw(t, "part")
	return append([]byte{}, b...)
}

// compare orders two values of a key's part as the codec promises to.
func compare(a, b any) int {
	switch a := a.(type) {
	case bool:
		if a == b.(bool) {
			return 0
		} else if a {
			return 1
		}
		return -1
	case int32:
		return cmp.Compare(a, b.(int32))
	case int64:
		return cmp.Compare(a, b.(int64))
	case string:
		return strings.Compare(a, b.(string))
	case []byte:
		return bytes.Compare(a, b.([]byte))
	}
	return a.(time.Time).Compare(b.(time.Time))
}

// keyOf encodes a key of one row.
func keyOf(types []fstore.Type, parts []any) []byte {
	var columns []*fstore.Column
	for i, typ := range types {
		c := fstore.NewColumn("", typ, 1)
		c.Append(parts[i])
		columns = append(columns, &c)
	}
	return fstore.AppendKey(nil, columns, 0)
}

func decode(types []fstore.Type, key []byte) ([]*fstore.Column, error) {
	var columns []*fstore.Column
	for _, typ := range types {
		c := fstore.NewColumn("", typ, 1)
		columns = append(columns, &c)
	}
	return columns, fstore.DecodeKey(key, columns)
}

func TestKeysCompareAsTheirValuesDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		types := rapid.SliceOfN(rapid.SampledFrom(keyTypes), 0, 4).Draw(t, "types")
		var a, b []any
		want := 0
		for _, typ := range types {
			x := drawPart(t, typ)
			y := x
			if rapid.Bool().Draw(t, "other") {
				y = drawPart(t, typ)
			}
			if a, b = append(a, x), append(b, y); want == 0 {
				want = compare(x, y)
			}
		}
		if got := bytes.Compare(keyOf(types, a), keyOf(types, b)); got != want {
			t.Fatalf("%v %v and %v: %x and %x compare as %d, want %d", types, a, b, keyOf(types, a), keyOf(types, b), got, want)
		}
	})
}

func TestAKeyIsDecodedToItsValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		types := rapid.SliceOfN(rapid.SampledFrom(keyTypes), 0, 4).Draw(t, "types")
		var parts []any
		for _, typ := range types {
			parts = append(parts, drawPart(t, typ))
		}
		got, err := decode(types, keyOf(types, parts))
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range got {
			if c.Len != 1 || c.IsNull(0) {
				t.Fatalf("part %d: %d rows", i, c.Len)
			}
			same(t, c.Value(0), parts[i])
		}
	})
}

func TestKeysThatLookAlikeHaveDifferentBytes(t *testing.T) {
	i, s, b := fstore.Int64, fstore.String, fstore.Bytes
	for _, c := range []struct {
		types      []fstore.Type
		one, other []any
	}{
		{[]fstore.Type{i, i}, []any{int64(1), int64(23)}, []any{int64(12), int64(3)}},
		{[]fstore.Type{s, s}, []any{"a", "bc"}, []any{"ab", "c"}},
		{[]fstore.Type{s, s}, []any{"", "a"}, []any{"a", ""}},
		{[]fstore.Type{s, s}, []any{"a\x00", "b"}, []any{"a", "\x00b"}},
		{[]fstore.Type{s, s}, []any{"a\x00\x01", "b"}, []any{"a", "\x01b"}},
		{[]fstore.Type{s, s}, []any{"a\x00\xff", ""}, []any{"a\x00", "\xff"}},
		{[]fstore.Type{b, b, b}, []any{[]byte{}, []byte{0}, []byte{}}, []any{[]byte{0}, []byte{}, []byte{}}},
		{[]fstore.Type{s}, []any{"é"}, []any{"e\u0301"}},
		{[]fstore.Type{i}, []any{int64(1 << 53)}, []any{int64(1<<53 + 1)}},
	} {
		if bytes.Equal(keyOf(c.types, c.one), keyOf(c.types, c.other)) {
			t.Errorf("%q and %q are one key", c.one, c.other)
		}
	}
}

func TestAnInt32IsTheKeyOfTheSameInt64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int32().Draw(t, "v")
		same(t, keyOf([]fstore.Type{fstore.Int32}, []any{v}), keyOf([]fstore.Type{fstore.Int64}, []any{int64(v)}))
	})
}

func TestBytesThatAreNoKeyAreCorrupt(t *testing.T) {
	for name, c := range map[string]struct {
		types []fstore.Type
		key   string
	}{
		"nothing where a bool is":       {[]fstore.Type{fstore.Bool}, ""},
		"a bool of 2":                   {[]fstore.Type{fstore.Bool}, "\x02"},
		"nothing where an integer is":   {[]fstore.Type{fstore.Int64}, ""},
		"too few bytes of an integer":   {[]fstore.Type{fstore.Int64}, "\x82\x01"},
		"an integer not in short form":  {[]fstore.Type{fstore.Int64}, "\x82\x00\x01"},
		"a negative one":                {[]fstore.Type{fstore.Int64}, "\x7d\xff\xfe"},
		"an unsigned one":               {[]fstore.Type{fstore.Int64}, "\x88\xff\xff\xff\xff\xff\xff\xff\xff"},
		"a length of 9":                 {[]fstore.Type{fstore.Int64}, "\x89123456789"},
		"too large for int32":           {[]fstore.Type{fstore.Int32}, "\x84\xff\xff\xff\xff"},
		"no end of a string":            {[]fstore.Type{fstore.String, fstore.Bool}, "abc"},
		"an unknown escape":             {[]fstore.Type{fstore.String, fstore.Bool}, "a\x00\x02\x01"},
		"a string that ends in a 0":     {[]fstore.Type{fstore.String, fstore.Bool}, "a\x00"},
		"bytes behind the last part":    {[]fstore.Type{fstore.Bool}, "\x01\x01"},
		"bytes of a key without parts":  {nil, "x"},
		"only the first of two strings": {[]fstore.Type{fstore.String, fstore.Int64}, "a\x00\x01"},
	} {
		if _, err := decode(c.types, []byte(c.key)); !errors.Is(err, fstore.ErrCorrupt) {
			t.Errorf("%s: got %v, want ErrCorrupt", name, err)
		}
	}
}

// FuzzDecodeKey: any bytes are a key, and then the only form of it, or ErrCorrupt; two keys compare as their values
// do, part by part; and decoding allocates no more than a multiple of the bytes.
func FuzzDecodeKey(f *testing.F) {
	types := [][]fstore.Type{
		{fstore.Int64},
		{fstore.String, fstore.Int32, fstore.Bytes},
		{fstore.Bool, fstore.Timestamp, fstore.String},
		{fstore.Bytes, fstore.String, fstore.Bool},
		{},
		{fstore.Bytes, fstore.Bytes},
		{fstore.Int32, fstore.Int64},
	}
	f.Add(0, keyOf(types[0], []any{int64(-300)}), keyOf(types[0], []any{int64(math.MinInt64)}))
	f.Add(0, keyOf(types[0], []any{int64(0)}), keyOf(types[0], []any{int64(math.MaxInt64)}))
	f.Add(1, keyOf(types[1], []any{"a\x00b", int32(math.MinInt32), []byte{0, 1}}), keyOf(types[1], []any{"a\x00", int32(math.MaxInt32), []byte{}}))
	f.Add(2, keyOf(types[2], []any{true, time.Unix(1, 0), "}{"}), keyOf(types[2], []any{false, time.Unix(-1, 0), ""}))
	f.Add(3, keyOf(types[3], []any{[]byte{}, "", false}), keyOf(types[3], []any{[]byte{0}, "\xff", true}))
	f.Add(4, []byte{}, []byte{0})
	f.Add(5, keyOf(types[5], []any{bytes.Repeat([]byte{0}, 100), []byte("x")}), keyOf(types[5], []any{bytes.Repeat([]byte{0}, 99), []byte{}}))
	f.Add(6, keyOf(types[6], []any{int32(-1), int64(1 << 32)}), keyOf(types[6], []any{int32(255), int64(256)}))
	f.Add(0, []byte("\x82\x00\x01"), []byte("\x89123456789"))
	f.Add(1, []byte("a\x00\x02"), []byte("a\x00\xff"))
	f.Fuzz(func(t *testing.T, which int, key, other []byte) {
		types := types[uint(which)%uint(len(types))]
		var both [2][]*fstore.Column
		for i, key := range [][]byte{key, other} {
			var columns []*fstore.Column
			var err error
			alloctest.AtMost(t, 8*len(key), func() { columns, err = decode(types, key) })
			if err != nil {
				if !errors.Is(err, fstore.ErrCorrupt) {
					t.Fatalf("got %v, want ErrCorrupt", err)
				}
				return
			}
			if again := fstore.AppendKey(nil, columns, 0); !bytes.Equal(again, key) {
				t.Fatalf("%x was decoded and encoded to %x", key, again)
			}
			both[i] = columns
		}
		want := 0
		for i := range types {
			if want == 0 {
				want = compare(both[0][i].Value(0), both[1][i].Value(0))
			}
		}
		if got := bytes.Compare(key, other); got != want {
			t.Fatalf("%v: %x and %x compare as %d, their values as %d", types, key, other, got, want)
		}
	})
}
