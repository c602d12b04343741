package online

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
)

// The bytes of a fence never change under its version.
func TestBytesOfAFence(t *testing.T) {
	v, s := goldenVersion(), New(nil, "p")
	at := time.Date(2025, 3, 10, 2, 0, 0, 0, time.UTC)
	key := s.fenceKey(v.Ref, goldenGeneration)
	if got, want := string(key), "fstore:p:f:v@3:0123456789abcdef:0"; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	for want, f := range map[string]fstore.Fence{
		"01010123456789abcdef00286954f32f060000000000000000000000000000000000070000000000000052c1b3507db1c426e80c7247": {
			Run: "0123456789abcdef", At: at, Watermark: 7, Complete: true, Token: fstore.FenceToken("token"),
		},
		"0100fedcba987654321000286954f32f06000123456789abcdefffffffffffffffff0000000000010000010000000000000097fea172": {
			Run: "fedcba9876543210", At: at, Base: "0123456789abcdef", BaseAt: fstore.FromMicros(-1), Watermark: 1 << 40, Token: 1,
		},
	} {
		f.View, f.Generation = v.Ref, goldenGeneration
		b, err := encodeFence(key, &f)
		if err != nil || fmt.Sprintf("%x", b) != want || len(b) > 64 {
			t.Errorf("%+v:\ngot  %x (%v)\nwant %s", f, b, err, want)
		}
		back, err := decodeFence(v.Ref, goldenGeneration, key, b)
		if d := cmp.Diff(f, back); d != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, d)
		}
	}
}

// A store keeps what an fstore without fences cannot write: that fstore reads a header with the bytes it would write
// itself, or not at all. Its pointers it reads as they are.
func TestAnOlderFstoreLeavesAFencedGenerationAlone(t *testing.T) {
	type header struct { // as that fstore had it
		View        fstore.ViewRef    `json:"view"`
		Generation  fstore.Generation `json:"generation"`
		Fingerprint string            `json:"fingerprint"`
		Layout      int               `json:"layout,omitempty"`
		Published   time.Time         `json:"published,omitzero"`
		Run         string            `json:"run"`
		RunAt       time.Time         `json:"run_at"`
		Token       string            `json:"token"`
		Watermark   []byte            `json:"watermark,omitempty"`
		Complete    bool              `json:"complete,omitempty"`
	}
	v, at := goldenVersion(), time.Date(2025, 3, 10, 2, 0, 0, 0, time.UTC)
	key := New(nil, "p").headerKey(v.Ref, goldenGeneration)
	for _, c := range []struct {
		partitions int
		leaves     bool
	}{{0, false}, {fstore.Partitions, true}} {
		h := fstore.Header{View: v.Ref, Generation: goldenGeneration, Fingerprint: "f", Layout: 2, Partitions: c.partitions, Published: at, Run: "r", RunAt: at, Token: "t", Complete: true}
		raw := encodeHeader(key, h)
		object, _, err := unsealJSON(key, raw)
		var old header
		if err == nil {
			err = json.Unmarshal(object, &old)
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(old)
		if err != nil {
			t.Fatal(err)
		}
		if leaves := string(sealJSON(key, b)) != string(raw); leaves != c.leaves {
			t.Errorf("%d partitions: it leaves the generation alone: %v", c.partitions, leaves)
		}
	}
}

var write = flag.Bool("write", false, "write testdata/layoutN.txt for a new layout N; that of an older one is never changed")

// Stores hold bytes that earlier builds wrote. testdata/layoutN.txt has them for each layout: records of every type, in hex,
// with their keys, a pointer and a header. Each layout is decoded; the one of this build is encoded, too.
func TestBytesOfEveryLayout(t *testing.T) {
	v, batch := goldenVersion(), goldenBatch(t)
	for layout := 2; layout <= fstore.RecordLayout; layout++ {
		t.Run(fmt.Sprint(layout), func(t *testing.T) {
			path := fmt.Sprintf("testdata/layout%d.txt", layout)
			if layout == fstore.RecordLayout {
				encodesAs(t, path, encoded(t, v, batch))
			}
			decodesAs(t, path, layout, v, batch)
		})
	}
}

func encodesAs(t *testing.T, path, got string) {
	t.Helper()
	if _, err := os.Stat(path); *write && os.IsNotExist(err) {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(golden(t, path), got); d != "" {
		t.Errorf("other bytes need another layout (-%s +now):\n%s", path, d)
	}
}

func decodesAs(t *testing.T, path string, layout int, v *fstore.ViewVersion, want *fstore.Batch) {
	t.Helper()
	var keys, records [][]byte
	for line := range strings.Lines(golden(t, path)) {
		kind, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch kind {
		case "key":
			keys = append(keys, unhex(t, text))
		case "record":
			records = append(records, unhex(t, text))
		case "pointer":
			p, err := decodePointer(v.Ref, New(nil, "p").pointerKey(v.Ref), []byte(text))
			if err != nil || p.pointer.Layout != layout || !p.pointer.Serves(v) {
				t.Errorf("pointer: %+v, %v", p, err)
			}
		case "header":
			h, err := decodeHeader(v.Ref, New(nil, "p").headerKey(v.Ref, goldenGeneration), []byte(text))
			if err != nil || h.Layout != layout || !h.Complete {
				t.Errorf("header: %+v, %v", h, err)
			}
		}
	}
	d, err := New(nil, "p").Decoder(v, fstore.Pointer{Generation: goldenGeneration, Layout: layout})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Decode(keys, records)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(text(want), text(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

func golden(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const goldenGeneration fstore.Generation = "0123456789abcdef"

// goldenVersion is a view with every type and a key of two parts.
func goldenVersion() *fstore.ViewVersion {
	v := &fstore.ViewVersion{Ref: fstore.ViewRef{Name: "v", Version: 3}, Fingerprint: strings.Repeat("ab", 32)}
	v.View = fstore.View{Name: "v", Event: "event", Keys: []fstore.Field{{Name: "k", Type: fstore.String}, {Name: "n", Type: fstore.Int64}}}
	for _, typ := range scalars {
		v.View.Features = append(v.View.Features, fstore.Feature{Name: "s_" + typ.String(), Type: typ}, fstore.Feature{Name: "l_" + typ.String(), Type: fstore.List(typ)})
	}
	return v
}

// goldenRows are two rows of values at the bounds of their types; a third one is all null.
var goldenRows = map[fstore.Type][2]string{
	fstore.Bool:      {"true", "false"},
	fstore.Int32:     {"-2147483648", "2147483647"},
	fstore.Int64:     {"-9223372036854775808", "9007199254740993"},
	fstore.Float32:   {"-0.0", `"NaN"`},
	fstore.Float64:   {"0.1", `"-Infinity"`},
	fstore.String:    {`"naïve \u0000"`, `""`},
	fstore.Bytes:     {`"AP8="`, `""`},
	fstore.Timestamp: {`"0001-01-01T00:00:00Z"`, `"2025-03-10T02:00:00.000001Z"`},
}

func goldenBatch(t *testing.T) *fstore.Batch {
	t.Helper()
	const rows = 3
	b := &fstore.Batch{Len: rows}
	add := func(name string, typ fstore.Type, values ...string) {
		c := fstore.NewColumn(name, typ, rows)
		for _, value := range values {
			if value == "null" {
				c.AppendNull()
			} else if err := c.AppendParsed(json.RawMessage(value)); err != nil {
				t.Fatal(err)
			}
		}
		b.Columns = append(b.Columns, c)
	}
	add("k", fstore.String, `"a\u0000b"`, `""`, `"key"`)
	add("n", fstore.Int64, "0", "-1", fmt.Sprint(math.MaxInt64))
	add("event", fstore.Timestamp, `"2025-03-10T02:00:00Z"`, `"1969-12-31T23:59:59.999999Z"`, `"2025-03-10T02:00:00Z"`)
	for _, f := range goldenVersion().View.Record() {
		values := goldenRows[f.Type.Elem()]
		if f.Type.IsList() {
			values = [2]string{"[" + values[0] + "," + values[1] + "]", "[]"}
		}
		add(f.Name, f.Type, values[0], values[1], "null")
	}
	return b
}

// encoded returns the lines of a golden file as this build writes them.
func encoded(t *testing.T, v *fstore.ViewVersion, b *fstore.Batch) string {
	t.Helper()
	s, at := New(nil, "p"), time.Date(2025, 3, 10, 2, 0, 0, 0, time.UTC)
	e, err := s.Encoder(v, goldenGeneration)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for row := range b.Len {
		key, record, err := e.Encode(b, row, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "key %x\nrecord %x\n", key, record)
	}
	pointer := fstore.Pointer{Generation: goldenGeneration, Published: at, Servable: at.Add(time.Hour), Fingerprint: v.Fingerprint, Layout: fstore.RecordLayout}
	header := fstore.Header{View: v.Ref, Generation: goldenGeneration, Fingerprint: v.Fingerprint, Layout: fstore.RecordLayout, Published: at, Run: "r", RunAt: at, Token: "t", Watermark: []byte{0, 0xff}, Complete: true}
	fmt.Fprintf(&out, "pointer %s\nheader %s\n", encodePointer(s.pointerKey(v.Ref), pointer), encodeHeader(s.headerKey(v.Ref, goldenGeneration), header))
	return out.String()
}
