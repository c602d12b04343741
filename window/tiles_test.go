package window

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
)

var write = flag.Bool("write", false, "write testdata/tiles.txt")

// tileCodecs are a group with a feature of every type, one of fixed width only, and a lifetime.
func tileCodecs() []*Tiles {
	var every []fstore.Feature
	for _, t := range []fstore.Type{
		fstore.Bool, fstore.Int32, fstore.Int64, fstore.Float32, fstore.Float64, fstore.String, fstore.Bytes, fstore.Timestamp,
		fstore.List(fstore.Float32), fstore.List(fstore.String),
	} {
		every = append(every, windowed(t.String(), fstore.Last, t, day, hour))
	}
	return []*Tiles{
		NewTiles(every),
		NewTiles([]fstore.Feature{windowed("a", fstore.Sum, fstore.Int64, 365*day, 1), windowed("b", fstore.Max, fstore.Float64, 365*day, 1)}),
		NewTiles([]fstore.Feature{windowed("a", fstore.Sum, fstore.Int64, 0, 0), windowed("b", fstore.Last, fstore.String, 0, 0)}),
	}
}

// suffixesOf are some suffixes of each codec.
func suffixesOf(n int, t *Tiles) *Suffixes {
	s := &Suffixes{Tiles: [][]int64{{-3, 0, 70_000}, {math.MinInt64, -1, 0, math.MaxInt64 - 1}, {0}}[n]}
	for _, f := range t.features {
		c := fstore.NewColumn(f.Name, f.Type, 0)
		for i := range s.Tiles {
			c.Append(anyOf(f.Type, i))
		}
		s.Values = append(s.Values, c)
	}
	return s
}

// anyOf returns one of four values of a type, one of them null.
func anyOf(t fstore.Type, i int) any {
	switch t {
	case fstore.Bool:
		return []any{true, nil, false, true}[i]
	case fstore.Int32:
		return []any{int32(math.MinInt32), nil, int32(7), int32(0)}[i]
	case fstore.Int64, fstore.Timestamp:
		if t == fstore.Timestamp {
			return []any{fstore.FromMicros(-1), nil, fstore.FromMicros(1), fstore.FromMicros(0)}[i]
		}
		return []any{int64(math.MinInt64), nil, int64(math.MaxInt64), int64(0)}[i]
	case fstore.Float32:
		return []any{float32(math.NaN()), nil, float32(0.1), float32(0)}[i]
	case fstore.Float64:
		return []any{math.Inf(-1), nil, math.Copysign(0, -1), math.NaN()}[i]
	case fstore.String:
		return []any{"naïve", nil, "na", ""}[i]
	case fstore.Bytes:
		return []any{[]byte{0, 0xff}, nil, []byte{}, []byte{1}}[i]
	case fstore.List(fstore.Float32):
		return []any{[]float32{1, 2, 3}, nil, []float32{1, 2}, []float32{}}[i]
	default:
		return []any{[]string{"b", "", "a"}, nil, []string{"b", ""}, []string{}}[i]
	}
}

// Stores hold bytes that earlier builds wrote: testdata/tiles.txt has them, in hex.
func TestBytesOfTiles(t *testing.T) {
	var got strings.Builder
	for n, tiles := range tileCodecs() {
		s := suffixesOf(n, tiles)
		b, err := tiles.Append(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%x\n", b)
		back, err := tiles.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range tiles.features {
			for row := range s.Tiles {
				want, got := string(s.Values[i].AppendJSON(nil, row)), string(back.Values[i].AppendJSON(nil, row))
				if strings.Replace(want, "-0", "0", 1) != got && want != got {
					t.Errorf("%s in tile %d: %s, want %s", f.Name, back.Tiles[row], got, want)
				}
			}
		}
	}
	const path = "testdata/tiles.txt"
	if *write {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("other bytes need another layout of records (-file +now):\n%s", d)
	}
}

// Whatever the bytes, reading them neither panics nor reads beside them, and what Decode accepts is what Find finds.
func FuzzTiles(f *testing.F) {
	golden, err := os.ReadFile("testdata/tiles.txt")
	if err != nil {
		f.Fatal(err)
	}
	for n, line := range bytes.Fields(golden) {
		b, err := hex.DecodeString(string(line))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(n), b, int64(0))
		f.Add(uint8(n), b[:len(b)-1], int64(math.MinInt64))
	}
	f.Add(uint8(1), []byte{2, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0}, int64(1))
	codecs := tileCodecs()
	f.Fuzz(func(t *testing.T, n uint8, b []byte, first int64) {
		tiles := codecs[int(n)%len(codecs)]
		entry, texts, err := tiles.Find(b, first)
		if err != nil && !errors.Is(err, fstore.ErrCorrupt) {
			t.Fatal(err)
		}
		if entry != nil {
			for i := range tiles.Fields {
				out := fstore.NewColumn("", tiles.Fields[i].Type, 1)
				if err := tiles.Fields[i].read(&out, entry, textsOf(texts)); err != nil && !errors.Is(err, fstore.ErrCorrupt) {
					t.Fatal(err)
				}
			}
		}
		s, decodeErr := tiles.Decode(b)
		switch {
		case decodeErr != nil && !errors.Is(decodeErr, fstore.ErrCorrupt):
			t.Fatal(decodeErr)
		case decodeErr != nil:
			return
		case err != nil:
			t.Fatalf("decoded, but not found: %v", err)
		}
		at := -1 // the oldest tile that is not before first
		for i := len(s.Tiles) - 1; i >= 0 && (s.Tiles[i] >= first || tiles.Span.Lifetime()); i-- {
			at = i
		}
		if at < 0 != (entry == nil) {
			t.Fatalf("tile %d of %v: found %v", first, s.Tiles, entry != nil)
		}
		if at < 0 {
			return
		}
		for i := range tiles.Fields {
			out := fstore.NewColumn("", tiles.Fields[i].Type, 1)
			if err := tiles.Fields[i].read(&out, entry, textsOf(texts)); err != nil {
				t.Fatal(err)
			}
			if got, want := string(out.AppendJSON(nil, 0)), string(s.Values[i].AppendJSON(nil, at)); got != want {
				t.Fatalf("tile %d: %s, want %s", first, got, want)
			}
		}
	})
}

// Damaged tiles are an error, whatever is wrong with them.
func TestDamagedTiles(t *testing.T) {
	t.Parallel()
	tiles := tileCodecs()[1]
	whole, err := tiles.Append(nil, suffixesOf(1, tiles))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int, to byte) []byte {
		b := bytes.Clone(whole)
		b[at] = to
		return b
	}
	for name, b := range map[string][]byte{
		"no bytes":              {},
		"cut in the head":       whole[:tilesHead-1],
		"cut in the entries":    whole[:len(whole)-1],
		"a byte more":           append(bytes.Clone(whole), 0),
		"unknown flags":         changed(0, 4),
		"other width":           changed(0, 1),
		"no tiles":              changed(1, 0),
		"too many tiles":        changed(4, 0xff),
		"a tile before its own": changed(tilesHead, 0xff),
		"a validity too many":   changed(len(whole)-tiles.entry, 0xff),
	} {
		if _, err := tiles.Decode(b); !errors.Is(err, fstore.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Entries may all name one long text. Decode does not copy it for each of them, whether it accepts the bytes or not.
func TestDecodeTakesLittleMemory(t *testing.T) { // not parallel: it measures what the process allocates
	const tiles, length = 4000, 100_000
	for _, typ := range []fstore.Type{fstore.String, fstore.Bytes, fstore.List(fstore.String), fstore.List(fstore.Bytes), fstore.List(fstore.Float64)} {
		for name, spread := range map[string]uint32{"one text": 0, "a text for each entry": 1} {
			codec := NewTiles([]fstore.Feature{windowed("x", fstore.Last, typ, 365*day, 1)})
			text := bytes.Repeat([]byte{'x'}, length)
			if typ.IsList() && typ.Elem().Width() == 0 {
				binary.PutUvarint(text, length-3-tiles) // one element, in 3 bytes
			}
			b := appendIndices(nil, sequence(tiles))
			for i := range uint32(tiles) {
				entry := make([]byte, codec.entry)
				entry[0] = 1
				le.PutUint32(entry[codec.Fields[0].At:], i*spread)
				le.PutUint32(entry[codec.Fields[0].At+4:], length-tiles+i*spread)
				b = append(b, entry...)
			}
			if b = append(b, text[:length-tiles+(tiles-1)*spread]...); spread == 0 && !typ.IsList() {
				if _, err := codec.Decode(b); err != nil {
					t.Errorf("%s, %s: %v", typ, name, err)
				}
			}
			t.Run(name+" of "+typ.String(), func(t *testing.T) {
				alloctest.AtMost(t, 19<<20, func() { _, _ = codec.Decode(b) })
			})
		}
	}
}

func sequence(n int64) (all []int64) {
	for i := range n {
		all = append(all, i)
	}
	return all
}
