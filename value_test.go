package fstore_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"pgregory.net/rapid"
)

func TestValuesSurviveJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawColumn(t)
		got := fstore.NewColumn("c", c.Type, 0)
		for i := range c.Len {
			raw := c.AppendJSON(nil, i)
			if !json.Valid(raw) {
				t.Fatalf("%s is no JSON", raw)
			}
			if err := got.AppendParsed(raw); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
		}
		same(t, cells(&got), cells(c))
	})
}

func TestADefaultSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := fstore.NewColumn("", drawType(t), 1)
		for c.Len == 0 || c.IsNull(0) {
			c = fstore.NewColumn("", c.Type, 1)
			drawRow(t, &c)
		}
		raw, err := json.Marshal(fstore.Value{Column: c})
		if err != nil {
			t.Fatal(err)
		}
		var got fstore.Value
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		same(t, cells(&got.Column), cells(&c))
		same(t, got.Type, c.Type)
	})
}

func TestJSONIsWrittenInOneForm(t *testing.T) {
	for _, c := range []struct {
		typ   fstore.Type
		value any
		want  string
	}{
		{fstore.Int64, int64(math.MaxInt64), "9223372036854775807"},
		{fstore.Int64, nil, "null"},
		{fstore.Float64, 0.1, "0.1"},
		{fstore.Float32, float32(0.1), "0.1"},
		{fstore.Float64, 1e21, "1e+21"},
		{fstore.Float64, 100.0, "100"},
		{fstore.Float64, math.NaN(), `"NaN"`},
		{fstore.Float64, math.Inf(1), `"Infinity"`},
		{fstore.Float32, float32(math.Inf(-1)), `"-Infinity"`},
		{fstore.String, "a\"\x00é", `"a\"\u0000é"`},
		{fstore.Bytes, []byte{0, 255}, `"AP8="`},
		{fstore.Timestamp, time.Date(2011, 12, 9, 12, 50, 0, 1000, time.UTC), `"2011-12-09T12:50:00.000001Z"`},
		{fstore.Timestamp, time.Date(2011, 12, 9, 12, 50, 0, 0, time.FixedZone("", 3600)), `"2011-12-09T11:50:00Z"`},
		{fstore.List(fstore.Float64), []float64{1, math.NaN()}, `[1,"NaN"]`},
		{fstore.List(fstore.String), []string{}, `[]`},
	} {
		col := fstore.NewColumn("", c.typ, 1)
		col.Append(c.value)
		if got := string(col.AppendJSON(nil, 0)); got != c.want {
			t.Errorf("%s %v: got %s, want %s", c.typ, c.value, got, c.want)
		}
	}
}

func TestMinusZeroBecomesZero(t *testing.T) {
	for _, typ := range []fstore.Type{fstore.Float32, fstore.Float64, fstore.List(fstore.Float32), fstore.List(fstore.Float64)} {
		for _, raw := range []string{"-0", "-0.0", "-0e5", "-1e-999"} {
			c := fstore.NewColumn("", typ, 1)
			if typ.IsList() {
				raw = "[" + raw + "]"
			}
			if err := c.AppendParsed([]byte(raw)); err != nil {
				t.Fatal(err)
			}
			if len(c.Float32s) > 0 && math.Signbit(float64(c.Float32s[0])) || len(c.Float64s) > 0 && math.Signbit(c.Float64s[0]) {
				t.Errorf("%s %s stays negative", typ, raw)
			}
		}
	}
}

func TestWholeNumbersAreIntegersAndOthersAreNot(t *testing.T) {
	for raw, want := range map[string]any{
		"9007199254740993": int64(9007199254740993), "-9223372036854775808": int64(math.MinInt64), "3.0": int64(3), "1e3": int64(1000), "-0": int64(0),
		"3.5": nil, "9223372036854775808": nil, "9007199254740993.0": nil, `"3"`: nil, "true": nil, "[3]": nil, "{}": nil, "1e400": nil, "": nil,
	} {
		c := fstore.NewColumn("", fstore.Int64, 1)
		err := c.AppendParsed([]byte(raw))
		if (err == nil) != (want != nil) || err != nil && (!errors.Is(err, fstore.ErrInvalid) || c.Len != 0) {
			t.Errorf("%s: %v, %d rows", raw, err, c.Len)
		} else if err == nil && c.Value(0) != want {
			t.Errorf("%s: got %v, want %v", raw, c.Value(0), want)
		}
	}
}

func TestJSONOfAnotherTypeIsInvalidAndChangesNothing(t *testing.T) {
	for _, c := range []struct {
		typ fstore.Type
		raw string
	}{
		{fstore.Bool, "1"},
		{fstore.Bool, `"true"`},
		{fstore.Int32, "2147483648"},
		{fstore.Float64, `"1.5"`},
		{fstore.Float64, "1e999"},
		{fstore.Float32, "1e39"},
		{fstore.Float64, "true"},
		{fstore.String, "1"},
		{fstore.String, `"`},
		{fstore.Bytes, `"?"`},
		{fstore.Timestamp, `"noon"`},
		{fstore.Timestamp, "1"},
		{fstore.List(fstore.Int64), "1"},
		{fstore.List(fstore.Int64), "[1,2.5]"},
		{fstore.List(fstore.Int64), "[1,null]"},
		{fstore.List(fstore.String), `["a",1]`},
		{fstore.List(fstore.Float32), "[1,null]"},
		{fstore.List(fstore.Bool), "[true,1]"},
		{fstore.List(fstore.Bytes), `["AA==","?"]`},
	} {
		col := fstore.NewColumn("", c.typ, 1)
		if err := col.AppendParsed([]byte(c.raw)); !errors.Is(err, fstore.ErrInvalid) {
			t.Errorf("%s %s: got %v, want ErrInvalid", c.typ, c.raw, err)
		}
		col.AppendNull() // the column is still whole
		if col.Len != 1 || c.typ.IsList() && (len(col.Offsets) != 2 || col.Offsets[1] != 0) || len(col.Int64s) > 1 || c.typ.IsList() && len(col.Int64s)+len(col.Strings)+len(col.Float32s)+len(col.Bools)+len(col.Bytes) > 0 {
			t.Errorf("%s %s: something of it was added", c.typ, c.raw)
		}
	}
}

func TestTextOfAFlag(t *testing.T) {
	for _, c := range []struct {
		typ  fstore.Type
		text string
		want any // nil: invalid
	}{
		{fstore.Int64, "17850", int64(17850)},
		{fstore.Int64, "-1", int64(-1)},
		{fstore.Int64, "", nil},
		{fstore.Int64, "null", nil},
		{fstore.Int64, `"1"`, nil},
		{fstore.Int64, "x", nil},
		{fstore.Int32, "7", int32(7)},
		{fstore.Bool, "true", true},
		{fstore.Bool, "yes", nil},
		{fstore.String, "", ""},
		{fstore.String, "null", "null"},
		{fstore.String, `a"b`, `a"b`},
		{fstore.String, "17850", "17850"},
		{fstore.Bytes, "AP8=", []byte{0, 255}},
		{fstore.Bytes, "?", nil},
		{fstore.Timestamp, "2011-12-09T12:50:00Z", time.Date(2011, 12, 9, 12, 50, 0, 0, time.UTC)},
		{fstore.Timestamp, "noon", nil},
	} {
		col := fstore.NewColumn("", c.typ, 1)
		if err := col.AppendText(c.text); (err == nil) != (c.want != nil) {
			t.Errorf("%s %q: %v", c.typ, c.text, err)
		} else if err == nil {
			same(t, col.Value(0), c.want)
		}
	}
}
