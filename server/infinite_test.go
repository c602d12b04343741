package server_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/fstore-dev/fstore"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// What JSON has no numbers for, and what is no date: both protocols say exactly which value it is. The event time of a row
// that always held is -infinity; a row of +infinity never holds, and timestamps of features and keys are finite.
func TestInfiniteValuesAreTold(t *testing.T) {
	nan, inf, always := math.NaN(), math.Inf(1), fstore.FromMicros(-math.MaxInt64)
	features := []fstore.Feature{
		{Name: "a", Type: fstore.Float32},
		{Name: "b", Type: fstore.Float64},
		{Name: "c", Type: fstore.List(fstore.Float32)},
		{Name: "d", Type: fstore.List(fstore.Float64)},
	}
	v := view("v", 1, []fstore.Field{{Name: "k", Type: fstore.String}}, features...)
	expires := view("brief", 1, []fstore.Field{{Name: "k", Type: fstore.String}}, fstore.Feature{Name: "e", Type: fstore.Int64})
	ttl := fstore.Duration(time.Hour)
	expires.View.TTL = &ttl
	w := newWorld(t, nil)
	w.book.Set(page{Services: map[string]*fstore.FeatureList{"s": serviceOf("s", 1, v, expires)}})
	publish(t, w.store, v, now,
		row{"i", always, float32(inf), inf, []float32{float32(inf)}, []float64{inf, 1}},
		row{"m", always, float32(-inf), -inf, []float32{float32(-inf)}, []float64{-inf, 1}},
		row{"n", now, float32(nan), nan, []float32{float32(nan)}, []float64{nan, 1}})
	publish(t, w.store, expires, now, row{"i", always, int64(1)})
	w.start(t)

	_, body := w.post(t, `{"service":"s","entities":{"k":["n","i","m"]},"event_timestamps":true}`)
	const events = `"event_timestamps":["2026-03-01T12:00:00Z","-infinity","-infinity"]}`
	for _, want := range []string{
		`{"name":"a","type":"float32","values":["NaN","Infinity","-Infinity"],` + events,
		`{"name":"b","type":"float64","values":["NaN","Infinity","-Infinity"],` + events,
		`{"name":"c","type":"list<float32>","values":[["NaN"],["Infinity"],["-Infinity"]],` + events,
		`{"name":"d","type":"list<float64>","values":[["NaN",1],["Infinity",1],["-Infinity",1]],` + events,
		`{"name":"e","type":"int64","values":[null,null,null],"statuses":["NOT_FOUND","OUTSIDE_MAX_AGE","NOT_FOUND"],"event_timestamps":[null,"-infinity",null]}`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}

	req := byService("s", &fstorev1.Column{Name: "k", StringValues: []string{"n", "i", "m"}})
	req.EventTimestamps = true
	got, err := w.client.GetOnlineFeatures(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	times := []int64{now.UnixMicro(), -math.MaxInt64, -math.MaxInt64}
	f32, f64 := []float32{float32(nan), float32(inf), float32(-inf)}, []float64{nan, inf, -inf}
	want := []*fstorev1.Feature{
		{Name: "a", Type: "float32", Float32Values: f32, EventTimestamps: times},
		{Name: "b", Type: "float64", Float64Values: f64, EventTimestamps: times},
		{Name: "c", Type: "list<float32>", Float32Values: f32, Offsets: []int32{0, 1, 2, 3}, EventTimestamps: times},
		{Name: "d", Type: "list<float64>", Float64Values: []float64{nan, 1, inf, 1, -inf, 1}, Offsets: []int32{0, 2, 4, 6}, EventTimestamps: times},
	}
	if diff := cmp.Diff(want, got.Features[:4], protocmp.Transform(), cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("gRPC (-want +got):\n%s", diff)
	}
	if e := got.Features[4]; string(e.Statuses) != "\x02\x03\x02" || e.EventTimestamps[1] != -math.MaxInt64 {
		t.Errorf("a row that always held, with a ttl: %v", e)
	}
}
