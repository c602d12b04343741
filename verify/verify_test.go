package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/verify"
	"github.com/fstore-dev/fstore/window"
)

func TestEveryWrongKeyIsFound(t *testing.T) {
	w := newWorld(t, "int64")
	w.rows[day(1)] = rows(2500, 0)
	w.load(day(1))
	if v := w.verify(0); !v.Right() || v.Keys != 2500 || v.Checked != 2500 {
		t.Fatalf("%+v", v)
	}
	w.drop(3)
	w.put(day(1), row{1999, int64(7)})                    // a wrong value
	w.put(day(2), row{2000, int64(2000)})                 // a wrong event time
	w.put(day(1), row{-5, int64(1)}, row{9000, int64(1)}) // keys that should not be there
	w.spoil(77, []byte{9})
	got := w.verify(0)
	want := verify.View{
		View: w.view.Ref, Published: day(1), Generation: generation, Keys: 2500, Checked: 2502, Missing: 1, Extra: 2, Differing: 2, Undecodable: 1,
		Differences: []verify.Difference{
			{Kind: verify.Extra, Key: `{"id":-5}`},
			{Kind: verify.Missing, Key: `{"id":3}`},
			{Kind: verify.Undecodable, Key: `{"id":77}`, Detail: fmt.Sprintf("key %x: record of v@1: 1 bytes are too few", key(77))},
			{Kind: verify.Differing, Key: `{"id":1999}`, Feature: "x", Offline: "1999", Online: "7"},
			{Kind: verify.Differing, Key: `{"id":2000}`, Feature: "event", Offline: `"2026-01-01T00:00:00Z"`, Online: `"2026-01-02T00:00:00Z"`},
			{Kind: verify.Extra, Key: `{"id":9000}`},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got.Right() {
		t.Error("that is right?")
	}
	o := w.options(0)
	o.Shown = 2
	some, err := verify.Run(context.Background(), o)
	if err != nil || len(some[0].Differences) != 2 || some[0].Extra != 2 {
		t.Error(some, err)
	}
}

// Of a view without a schedule, the tiles are compared: verify names the features that differ, and the window that shows it.
func TestDifferencesOfTiles(t *testing.T) {
	w := newWorld(t, "int64")
	const hour = fstore.Duration(time.Hour)
	w.view.View.Features = nil
	for _, name := range []string{"count_1d", "last_1d", "sum_1d"} {
		w.view.View.Features = append(w.view.View.Features, fstore.Feature{Name: name, Type: fstore.Int64, Window: &fstore.Window{
			Function: fstore.Function(strings.TrimSuffix(name, "_1d")), Expression: "x", Length: 24 * hour, Hop: hour,
		}})
	}
	first := fstore.Micros(day(1)) / hour.Micros()
	tiles := func(at []int64, values ...[]any) []byte {
		s := &window.Suffixes{}
		for _, tile := range at {
			s.Tiles = append(s.Tiles, first+tile)
		}
		for _, v := range values {
			c := fstore.NewColumn("", fstore.Int64, len(v))
			for _, x := range v {
				c.Append(x)
			}
			s.Values = append(s.Values, c)
		}
		b, err := window.NewTiles(w.view.View.Features).Append(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := tiles([]int64{-5, -1}, []any{int64(2), int64(1)}, []any{int64(7), int64(7)}, []any{int64(10), int64(3)})
	for id := range int64(6) {
		w.rows[day(1)] = append(w.rows[day(1)], row{id, good})
	}
	w.rows[day(1)][5].value = nil
	w.load(day(1))
	if v := w.verify(0); !v.Right() || v.Checked != 6 {
		t.Fatalf("%+v", v)
	}
	w.put(day(1),
		row{0, tiles([]int64{-5, -1}, []any{int64(2), int64(1)}, []any{int64(7), int64(7)}, []any{int64(10), nil})},
		row{1, tiles([]int64{-5, -2, -1}, []any{int64(3), int64(2), int64(1)}, []any{int64(7), int64(7), int64(7)}, []any{int64(11), int64(3), int64(3)})},
		row{2, nil}, row{3, good[1:]},
		row{4, tiles([]int64{-5, -2, -1}, []any{int64(2), int64(1), int64(1)}, []any{int64(7), int64(7), int64(7)}, []any{int64(10), int64(3), int64(3)})},
		row{5, good})
	got := w.verify(0)
	const seven, eleven = "in a window that starts at 2025-12-31T19:00:00Z", "in a window that starts at 2025-12-31T23:00:00Z"
	want := []verify.Difference{
		{Kind: verify.Differing, Key: `{"id":0}`, Feature: "sum_1d", Offline: "3", Online: "null", Detail: eleven},
		{Kind: verify.Differing, Key: `{"id":1}`, Feature: "count_1d", Also: []string{"sum_1d"}, Offline: "2", Online: "3", Detail: seven},
		{Kind: verify.Differing, Key: `{"id":2}`, Feature: "count_1d", Also: []string{"last_1d", "sum_1d"}, Offline: "2", Online: "null", Detail: seven},
		{Kind: verify.Undecodable, Key: `{"id":3}`, Feature: "count_1d+last_1d+sum_1d", Detail: "tiles: 2399141888 tiles in 64 bytes"},
		{Kind: verify.Differing, Key: `{"id":4}`, Feature: "count_1d+last_1d+sum_1d", Offline: fmt.Sprint([]int64{first - 5, first - 1}), Online: fmt.Sprint([]int64{first - 5, first - 2, first - 1}), Detail: "the tiles differ, and no value"},
		{Kind: verify.Differing, Key: `{"id":5}`, Feature: "count_1d", Also: []string{"last_1d", "sum_1d"}, Offline: "null", Online: "2", Detail: seven},
	}
	if d := cmp.Diff(want, got.Differences); d != "" || got.Differing != 5 || got.Undecodable != 1 {
		t.Errorf("%d differ, %d cannot be decoded (-want +got):\n%s", got.Differing, got.Undecodable, d)
	}
}

// A record under a key that no look-up asks for is extra: it costs space.
func TestARecordThatWentAstrayIsFound(t *testing.T) {
	w := newWorld(t, "int64")
	w.rows[day(1)] = rows(3, 0)
	w.load(day(1))
	astray := append([]byte("f{___}\x00\x00\x00\x00\x00\x00\x00\xaa"), key(1)...)
	if err := w.mem.Commit(context.Background(), online.Commit{Set: []online.KV{{Key: astray, Value: []byte{1}}}}); err != nil {
		t.Fatal(err)
	}
	if v := w.verify(0); v.Extra != 1 || v.Checked != 3 || !strings.Contains(v.Differences[0].Detail, "no look-up") {
		t.Errorf("%+v", v)
	}
}

// Behind a run that has begun, what the store holds is of the published instant or of the run's; never of a third.
func TestBehindAnUnfinishedRunEitherInstantIsRight(t *testing.T) {
	w := newWorld(t, "int64")
	w.rows[day(1)], w.rows[day(2)] = rows(10, 0), append(rows(8, 100), row{20, int64(20)})
	w.load(day(1))
	is := w.header
	is.Run, is.RunAt, is.Complete = "next", day(2), false
	if err := w.SetHeader(context.Background(), &w.header, is); err != nil {
		t.Fatal(err)
	}
	w.header = is
	if v := w.verify(0); !v.Right() || !v.RunAt.Equal(day(2)) || v.Keys != 11 {
		t.Errorf("nothing written yet: %+v", v)
	}
	w.put(day(2), row{0, int64(100)}, row{1, int64(101)}, row{20, int64(20)})
	w.drop(9)
	if v := w.verify(0); !v.Right() {
		t.Errorf("half written: %+v", v)
	}
	w.put(day(2), row{2, int64(2)}) // the value of one, the event of the other
	w.drop(3)
	w.put(day(1), row{30, int64(1)})
	if v := w.verify(0); v.Differing != 1 || v.Missing != 1 || v.Extra != 1 {
		t.Errorf("%+v", v)
	}
}

// A run that publishes meanwhile is no difference.
func TestARunMeanwhile(t *testing.T) {
	w := newWorld(t, "int64")
	w.rows[day(1)], w.rows[day(2)] = rows(3000, 0), rows(3100, 50)
	w.load(day(1))
	w.during = func() { w.load(day(2)) }
	if v := w.verify(0); !v.Right() || !v.Published.Equal(day(2)) || v.Keys != 3100 {
		t.Errorf("%+v", v)
	}
	n := 2
	w.always = func() {
		n++
		w.rows[day(n)] = rows(3000, int64(n))
		w.load(day(n))
	}
	if _, err := verify.Run(context.Background(), w.options(0)); !errors.Is(err, fstore.ErrUnavailable) {
		t.Errorf("a run during each attempt: %v", err)
	}
}

func TestASampleIsBounded(t *testing.T) {
	w := newWorld(t, "int64")
	w.rows[day(1)] = rows(5000, 0)
	w.load(day(1))
	if v := w.verify(10); !v.Right() || v.Checked < 10 || v.Checked > 20 || w.reads > 20 || w.scans > 201 || v.Keys != 5000 {
		t.Errorf("%+v, %d keys read, %d scanned", v, w.reads, w.scans)
	}
	w.rows[day(1)] = rows(5000, 1) // all of them are wrong now
	if v := w.verify(10); v.Differing != v.Checked {
		t.Errorf("%+v", v)
	}
	w.rows[day(1)] = nil // and now none should be there
	if v := w.verify(10); v.Extra != 10 || v.Checked != 10 {
		t.Errorf("%+v", v)
	}
	few := newWorld(t, "int64")
	few.rows[day(1)] = rows(4, 0)
	few.load(day(1))
	few.drop(2)
	if v := few.verify(100); v.Missing != 1 || v.Checked != 4 {
		t.Errorf("a sample larger than the view: %+v", v)
	}
}

func TestValuesOfEveryKind(t *testing.T) {
	for _, c := range []struct {
		typ          string
		value, other any
	}{
		{"bool", true, false},
		{"int32", int32(-1), int32(1)},
		{"int64", int64(math.MaxInt64), int64(math.MaxInt64 - 1)},
		{"float32", float32(math.NaN()), float32(0)},
		{"float64", math.NaN(), math.Inf(1)},
		{"float64", math.Copysign(0, -1), 5e-324},
		{"string", "", nil},
		{"string", "a", "b"},
		{"bytes", []byte{0}, []byte{}},
		{"timestamp", day(1), day(2)},
		{"list<int64>", []int64{1, 2}, []int64{1, 3}},
		{"list<string>", []string{"a"}, []string{"a", ""}},
		{"list<float32>", []float32{}, nil},
		{"int64", nil, int64(0)},
	} {
		t.Run(fmt.Sprint(c.typ, " ", c.value), func(t *testing.T) {
			w := newWorld(t, c.typ)
			w.rows[day(1)] = []row{{1, c.value}}
			w.load(day(1))
			if v := w.verify(0); !v.Right() {
				t.Errorf("%+v", v)
			}
			w.put(day(1), row{1, c.other})
			if v := w.verify(0); v.Differing != 1 {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestAViewWithoutKeys(t *testing.T) {
	w := newWorld(t, "int64")
	w.view.View.Keys = nil
	source := keyless{w}
	ctx := context.Background()
	h := fstore.Header{View: w.view.Ref, Generation: generation, Fingerprint: "f", Layout: fstore.RecordLayout, Partitions: fstore.Partitions, Run: "00000000000000ab", Complete: true, Published: day(1)}
	f := fstore.Fence{View: w.view.Ref, Generation: generation, Run: h.Run, At: day(1), Complete: true}
	if err := errors.Join(w.SetHeader(ctx, nil, h), w.SetFence(ctx, nil, f)); err != nil {
		t.Fatal(err)
	}
	to := fstore.Pointer{Generation: generation, Published: day(1), Fingerprint: "f", Layout: fstore.RecordLayout, Run: h.Run, Partitions: fstore.Partitions}
	if err := w.Publish(ctx, h, h, f, nil, to); err != nil {
		t.Fatal(err)
	}
	o := w.options(0)
	o.Source = source
	got, err := verify.Run(ctx, o)
	if err != nil || got[0].Missing != 1 || got[0].Differences[0].Key != "{}" {
		t.Errorf("%+v, %v", got, err)
	}
	enc, err := w.Encoder(w.view, generation)
	if err != nil {
		t.Fatal(err)
	}
	k, r, err := enc.Encode(source.one(), 0, nil, nil)
	if err != nil || len(k) != 0 {
		t.Fatal(k, err)
	}
	if err := w.WriteBatch(ctx, f, f, [][]byte{k}, [][]byte{r}, nil); err != nil {
		t.Fatal(err)
	}
	if got, err = verify.Run(ctx, o); err != nil || !got[0].Right() || got[0].Checked != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// keyless yields the one record of a view without keys.
type keyless struct{ w *world }

func (k keyless) one() *fstore.Batch {
	b := k.w.batch(day(1), []row{{0, int64(5)}})
	b.Columns = b.Columns[1:]
	return b
}

func (k keyless) AsOf(context.Context, *fstore.ViewVersion, time.Time) iter.Seq2[*fstore.Batch, error] {
	return func(yield func(*fstore.Batch, error) bool) { yield(k.one(), nil) }
}

func TestWhatCannotBeCompared(t *testing.T) {
	w := newWorld(t, "int64")
	if v := w.verify(0); v.Right() || v.Problem != "it is not published" || v.Hint != "run fstore materialize v@1" {
		t.Errorf("%+v", v)
	}
	w.rows[day(1)] = rows(3, 0)
	w.load(day(1))
	w.view.Fingerprint = "another"
	if v := w.verify(0); v.Right() || !strings.Contains(v.Problem, "another registry") {
		t.Errorf("%+v", v)
	}
	w.view.Fingerprint = "f"
	w.rows[day(1)] = []row{{2, int64(2)}, {1, int64(1)}}
	if _, err := verify.Run(context.Background(), w.options(0)); !errors.Is(err, fstore.ErrCorrupt) {
		t.Errorf("keys out of order: %v", err)
	}
	if err := w.mem.Commit(context.Background(), online.Commit{Set: []online.KV{{Key: []byte("fstore:p:p:v@1"), Value: []byte("?")}}}); err != nil {
		t.Fatal(err)
	}
	if v := w.verify(0); !strings.Contains(v.Problem, "cannot be read") {
		t.Errorf("%+v", v)
	}
}

// Many keys are sorted in files, and come back as they were.
func TestKeysAreSortedInFiles(t *testing.T) {
	w := newWorld(t, "int64")
	w.rows[day(1)] = rows(30_000, 0)
	w.load(day(1))
	w.put(day(1), row{-1, int64(0)})
	if v := w.verify(0); v.Extra != 1 || v.Checked != 30_001 || !bytes.Contains([]byte(v.Differences[0].Key), []byte("-1")) {
		t.Errorf("%+v", v)
	}
}
