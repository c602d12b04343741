package server_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
	"github.com/fstore-dev/fstore/window"
)

// Windows without a schedule end at the server's clock: the answer has it, beside the published instant. The windows empty
// without a run, and a clock before the published instant is taken for that instant.
func TestWindowsMoveWithTheServersClock(t *testing.T) {
	hour := fstore.Duration(time.Hour)
	v := servertest.View("rides", 1, servertest.CustomerKey, fstore.Feature{
		Name: "rides_1h", Type: fstore.Int64, Window: &fstore.Window{Function: fstore.Count, Length: hour, Hop: hour / 12},
	})
	published := now.Add(-time.Minute)
	event := published.Add(-20 * time.Minute)
	tiles := window.Suffixes{Tiles: []int64{window.Tile(fstore.Micros(event), int64(hour/12/1000))}, Values: []fstore.Column{{Type: fstore.Int64, Len: 1, Int64s: []int64{3}}}}
	block, err := window.NewTiles(v.View.Features).Append(nil, &tiles)
	if err != nil {
		t.Fatal(err)
	}
	var later atomic.Int64 // than now, in nanoseconds
	w := newWorld(t, func(o *server.Options) {
		o.Clock = func() time.Time { return now.Add(time.Duration(later.Load())) }
	})
	busy := servertest.ServiceOf("busy", 1, v)
	busy.OnDemand = []*fstore.OnDemandVersion{{
		Ref: fstore.ViewRef{Name: "pace", Version: 1},
		View: fstore.OnDemandView{Name: "pace", Features: []fstore.Feature{
			{Name: "since", Type: fstore.Float64, Expression: "minutes(at - timestamp(\"2026-03-01T12:00:00Z\"))"},
			{Name: "doubled", Type: fstore.Int64, Expression: "rides.rides_1h * 2"},
		}},
		Inputs: []fstore.OnDemandInput{{Name: "rides", Ref: v.Ref, Keys: busy.Uses[0].Keys, Features: []string{"rides_1h"}}},
	}}
	busy.Outputs = fstore.Outputs{fstore.OnDemandOutput{As: "since", Feature: "since"}, fstore.OnDemandOutput{As: "doubled", Feature: "doubled"}}
	w.book.Set(servertest.Page{Services: map[string]*fstore.FeatureList{"rides": servertest.ServiceOf("rides", 1, v), "busy": busy}, Views: map[string]*fstore.ViewVersion{"rides": v}})
	generation := servertest.Publish(t, w.store, v, published, servertest.Row{int64(1), event, block})
	w.start(t)
	for _, c := range []struct {
		at           time.Duration // after now
		value, event string
	}{
		{0, `[3]`, `"2026-03-01T12:00:00Z"`},
		{-time.Hour, `[3]`, `"2026-03-01T11:59:00Z"`},
		{39*time.Minute + 59*time.Second, `[3]`, `"2026-03-01T12:39:59Z"`},
		{40 * time.Minute, `[null],"statuses":["NOT_FOUND"]`, `null`},
	} {
		later.Store(int64(c.at))
		clock := now.Add(c.at)
		code, got := w.post(t, `{"service":"rides","entities":{"customer_id":[1]},"event_timestamps":true}`)
		want := `{"entities":{"customer_id":[1]},"features":[{"name":"rides_1h","type":"int64","values":` + c.value + `,"event_timestamps":[` + c.event + `]}],
			"versions":[{"view":"rides","version":1,"generation":"` + string(generation) + `","published":"2026-03-01T11:59:00Z"}],
			"service":{"name":"rides","version":1},"clock":"` + fstore.FormatTime(clock) + `"}`
		if d := cmp.Diff(indented(t, []byte(want)), indented(t, got)); code != http.StatusOK || d != "" {
			t.Errorf("%s: %d (-want +got):\n%s", clock, code, d)
		}
		answer, err := w.client.GetOnlineFeatures(t.Context(), servertest.ByService("rides", servertest.Int64s("customer_id", 1)))
		if err != nil || answer.GetClockMicros() != fstore.Micros(clock) || answer.GetViews()[0].GetPublishedMicros() != fstore.Micros(published) {
			t.Errorf("over gRPC: %v, %v", answer, err)
		}
		// On-demand features read the windows and the clock of the same instant.
		answer, err = w.client.GetOnlineFeatures(t.Context(), servertest.ByService("busy", servertest.Int64s("customer_id", 1)))
		if err != nil {
			t.Fatal(err)
		}
		since, doubled := answer.Features[0].GetFloat64Values()[0], answer.Features[1]
		if since != c.at.Minutes() || (doubled.GetInt64Values()[0] == 6) != (c.value == "[3]") || answer.GetClockMicros() != fstore.Micros(clock) {
			t.Errorf("%s: %v minutes, %v", clock, since, doubled)
		}
	}
}
