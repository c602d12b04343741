package feast

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/columntest"
	"github.com/fstore-dev/fstore/online"
	feastpb "github.com/fstore-dev/fstore/proto/feast"
	"github.com/fstore-dev/fstore/server"
)

// draw returns a random column whose instants Feast can carry.
func draw(t *rapid.T, name string, rows int) fstore.Column {
	c := columntest.Draw(t, rapid.SampledFrom(columntest.Types()).Draw(t, "type"), rows)
	c.Name = name
	if c.Type.Elem() == fstore.Timestamp {
		for i := range c.Int64s {
			c.Int64s[i] = c.Int64s[i] / microsOfSecond * microsOfSecond
		}
	}
	return c
}

// TestAnAnswersBytesAreItsMessages reads random answers of every type with protobuf's own decoder.
func TestAnAnswersBytesAreItsMessages(t *testing.T) {
	budget := server.New(server.Options{Store: &online.Store{}}).InFlight()
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(0, 12).Draw(t, "rows")
		r := &reply{Answer: &online.Answer{Rows: rows}, names: &names{}, versions: rapid.Bool().Draw(t, "with versions")}
		want := &feastpb.GetOnlineFeaturesResponse{Metadata: &feastpb.GetOnlineFeaturesResponseMetadata{FeatureNames: &feastpb.FeatureList{}}, Status: true}
		add := func(name string, v *feastpb.GetOnlineFeaturesResponse_FeatureVector) {
			want.Metadata.FeatureNames.Val = append(want.Metadata.FeatureNames.Val, name)
			want.Results = append(want.Results, v)
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "keys") {
			r.keys = append(r.keys, draw(t, fmt.Sprint("k", i), rows))
			v := &feastpb.GetOnlineFeaturesResponse_FeatureVector{Values: valuesOf(&r.keys[i]).Val}
			for range rows {
				v.Statuses = append(v.Statuses, feastpb.FieldStatus_PRESENT)
				v.EventTimestamps = append(v.EventTimestamps, &timestamppb.Timestamp{})
			}
			add(r.keys[i].Name, v)
		}
		for i := range rapid.IntRange(0, 30).Draw(t, "features") {
			f := drawFeature(t, fmt.Sprint("f", i), rows)
			if i > 0 && rapid.Bool().Draw(t, "of the same view") {
				f.Events, f.EventsValid = r.Features[i-1].Events, r.Features[i-1].EventsValid
			}
			r.Features = append(r.Features, f)
			r.names.wire = appendText(r.names.wire, 1, f.Column.Name)
			v := &feastpb.GetOnlineFeaturesResponse_FeatureVector{Values: valuesOf(&f.Column).Val}
			for row := range rows {
				v.Statuses = append(v.Statuses, feastpb.FieldStatus(f.Status(row)+1))
				at := &timestamppb.Timestamp{}
				if event, ok := f.Event(row); ok {
					at = timestamppb.New(event)
				}
				v.EventTimestamps = append(v.EventTimestamps, at)
			}
			add(f.Column.Name, v)
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "versions") {
			ref := fstore.ViewRef{Name: fmt.Sprint("v", i), Version: rapid.IntRange(1, 300).Draw(t, "version")}
			r.Versions = append(r.Versions, online.AnswerVersion{Ref: ref})
			if r.versions {
				want.Metadata.FeatureViewMetadata = append(want.Metadata.FeatureViewMetadata, &feastpb.FeatureViewMetadata{Name: ref.Name, Version: int32(ref.Version)})
			}
		}
		h := server.NewHold(budget)
		defer h.Release()
		buf, err := r.encode(&h, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Buffers.Put(buf)
		var got feastpb.GetOnlineFeaturesResponse
		if err := proto.Unmarshal(*buf, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, &got, protocmp.Transform(), cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
		if _, err := r.encode(&h, len(*buf)); err != nil {
			t.Errorf("an answer of as many bytes as the limit: %v", err)
		}
		if _, err := r.encode(&h, len(*buf)-1); len(*buf) > 1 && (err == nil || !strings.Contains(err.Error(), "an answer of more than")) {
			t.Errorf("an answer of one byte more than the limit: %v", err)
		}
	})
}

func drawFeature(t *rapid.T, name string, rows int) online.AnswerFeature {
	f := online.AnswerFeature{Column: draw(t, name, rows)}
	if rapid.Bool().Draw(t, "has statuses") {
		f.Statuses = rapid.SliceOfN(rapid.SampledFrom([]online.Status{online.Present, online.NullValue, online.NotFound, online.OutsideMaxAge}), rows, rows).Draw(t, "statuses")
	}
	if rapid.Bool().Draw(t, "has events") {
		f.Events = rapid.SliceOfN(rapid.Int64(), rows, rows).Draw(t, "events")
		if rapid.Bool().Draw(t, "some without") {
			f.EventsValid = rapid.SliceOfN(rapid.Byte(), (rows+7)/8, (rows+7)/8).Draw(t, "valid")
		}
	}
	return f
}

// TestColumnsOfEveryTypeArrive sends random columns of every type, and reads them as they were.
func TestColumnsOfEveryTypeArrive(t *testing.T) {
	budget := server.New(server.Options{Store: &online.Store{}}).InFlight()
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(0, 12).Draw(t, "rows")
		want := draw(t, "c", rows)
		request := &feastpb.GetOnlineFeaturesRequest{Kind: &feastpb.GetOnlineFeaturesRequest_FeatureService{FeatureService: "s"}}
		columns := map[string]*feastpb.RepeatedValue{"c": valuesOf(&want)}
		if rapid.Bool().Draw(t, "as context") {
			request.RequestContext = columns
		} else {
			request.Entities = columns
		}
		b, err := proto.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		h := server.NewHold(budget)
		defer h.Release()
		call := &grpcCall{}
		if err := call.Take(b, &h); err != nil {
			t.Fatal(err)
		}
		got, err := call.keys(&server.Target{Keys: []fstore.Field{{Name: "c", Type: want.Type}}})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0].Type != want.Type || got[0].Len != rows || !got[0].Whole() {
			t.Fatalf("got %d columns: %+v", len(got), got)
		}
		if diff := cmp.Diff(columntest.Rows(&want), columntest.Rows(&got[0])); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

// TestWhatARequestMayNotBring sends values and columns that no client of Feast sends, or that fstore has no types for.
func TestWhatARequestMayNotBring(t *testing.T) {
	w := newWorld(t)
	keys := func(values ...any) *feastpb.GetOnlineFeaturesRequest {
		r := byService("churn")
		list := &feastpb.RepeatedValue{}
		for _, v := range values {
			list.Val = append(list.Val, valueOf(v))
		}
		r.Entities = map[string]*feastpb.RepeatedValue{"customer_id": list}
		return r
	}
	raw := func(value ...byte) []byte { // a request with one value, given as bytes
		entry := appendText(nil, 1, "customer_id")
		list := appendText(nil, 1, string(value))
		entry = appendText(entry, 2, string(list))
		return appendText(appendText(nil, 1, "churn"), 3, string(entry))
	}
	ragged, both := keys(int64(1), int64(2)), keys(int64(1))
	ragged.RequestContext = map[string]*feastpb.RepeatedValue{"other": int64s(1)}
	both.RequestContext = map[string]*feastpb.RepeatedValue{"customer_id": int64s(2)}
	for name, c := range map[string]struct {
		request *feastpb.GetOnlineFeaturesRequest
		raw     []byte
		want    string
	}{
		"a text for a number":      {request: keys("1"), want: "key column customer_id is string, not int64"},
		"a float for a number":     {request: keys(1.0), want: "key column customer_id is float64, not int64"},
		"an int32 is a number":     {request: keys(int32(1)), want: ""},
		"nulls match nothing":      {request: keys(nil, nil), want: ""},
		"a null among others":      {request: keys(nil, int64(1), nil), want: ""},
		"one of another kind":      {request: keys(int64(1), nil, "3"), want: `column "customer_id", row 3 is string, and those before it are int64`},
		"a list for a number":      {request: keys([]int64{1}), want: "key column customer_id is list<int64>, not int64"},
		"text that is not UTF-8":   {raw: raw(0x12, 1, 0xff), want: `column "customer_id", row 1 is not UTF-8`},
		"two kinds at once":        {raw: raw(0x18, 1, 0x20, 1), want: `column "customer_id", row 1 has 2 kinds of values at once`},
		"a map":                    {raw: raw(0xa2, 1, 0), want: `column "customer_id", row 1 is a kind of value that fstore does not have: field 20 of feast.types.Value`},
		"a kind in another form":   {raw: raw(0x22, 1, 1), want: `column "customer_id", row 1 is a kind of value that fstore does not have: field 4 of feast.types.Value`},
		"an instant out of range":  {raw: raw(0x40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), want: `column "customer_id", row 1 is an instant out of range: 72057594037927935 seconds`},
		"a value cut short":        {raw: raw(0x20), want: notFeasts().Error()},
		"a packed list cut short":  {raw: raw(0x72, 3, 0x0a, 1, 0x80), want: notFeasts().Error()},
		"no selection":             {request: &feastpb.GetOnlineFeaturesRequest{}, want: notOneSelection().Error()},
		"a service and features":   {raw: append(raw(0x20, 1), appendText(nil, 2, "")...), want: notOneSelection().Error()},
		"columns of other lengths": {request: ragged, want: "unknown key column other (the key columns are customer_id)"},
		"a column twice":           {request: both, want: "key column customer_id is given twice"},
		"a column with two lists":  {raw: appendText(appendText(nil, 1, "churn"), 3, string(appendText(appendText(nil, 2, ""), 2, ""))), want: notFeasts().Error()},
		"no columns":               {request: &feastpb.GetOnlineFeaturesRequest{Kind: &feastpb.GetOnlineFeaturesRequest_FeatureService{FeatureService: "churn"}}, want: "key column customer_id is missing"},
		"not a message":            {raw: []byte{0xff}, want: notFeasts().Error()},
		"too many values":          {request: byService("churn", make([]int64, server.MaxElements+1)...), want: fmt.Sprintf("the request has more than %d values (ask for fewer rows at a time)", server.MaxElements)},
		"a field of the future":    {raw: append(raw(0x20, 1), 0x78, 1), want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := c.raw
			if c.request != nil {
				var err error
				if b, err = proto.Marshal(c.request); err != nil {
					t.Fatal(err)
				}
			}
			_, methods := w.GRPC()
			_, err := w.call(t.Context(), methods["GetOnlineFeatures"], b)
			if got := errorText(err); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestTooManyColumns sends a column more than there may be.
func TestTooManyColumns(t *testing.T) {
	w := newWorld(t)
	r := byService("churn", 1)
	for i := range server.MaxColumns {
		r.Entities[fmt.Sprint("c", i)] = int64s(1)
	}
	if _, err := w.grpc(t, r); err == nil || err.Error() != "the request has more than 1000 columns" {
		t.Error(err)
	}
}

// TestFractionsOfSecondsAreRefused holds that an instant which Feast's types would round is not sent.
func TestFractionsOfSecondsAreRefused(t *testing.T) {
	c := fstore.NewColumn("since", fstore.Timestamp, 1)
	c.AppendInt64(-1_500_000)
	want := "since is 1969-12-31T23:59:58.5Z, and Feast's instants are whole seconds (round the feature in its view, or ask fstore's own API)"
	if got := errorText(wholeSeconds(&c)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	c.Int64s[0] = -2_000_000
	if err := wholeSeconds(&c); err != nil {
		t.Error(err)
	}
}

// TestFloatsHaveAPointOrAnExponent holds that clients in Python read every float as a float, and as the same one.
func TestFloatsHaveAPointOrAnExponent(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 1: "1.0", -3: "-3.0", 0.1: "0.1", 1e15: "1e+15", 1e300: "1e+300", 1e-7: "1e-07", 123456789: "123456789.0",
		float64(float32(0.1)): "0.10000000149011612", math.Inf(1): `"Infinity"`, math.Inf(-1): `"-Infinity"`,
	} {
		if got := string(appendFloatJSON(nil, f)); got != want {
			t.Errorf("%g: %s, want %s", f, got, want)
		}
	}
	if got := string(appendFloatJSON(nil, math.NaN())); got != `"NaN"` {
		t.Error(got)
	}
}
