package bench

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/window"
)

// BenchmarkGetMovingWindows measures the p50 of GetOnlineFeatures of 20 features whose windows move with the clock, 4 windows of
// 5 functions, beside 20 plain features in records of as many bytes, alternating within one run. The goal is 1.5 times. The keys
// have an event every hour, so that every tile has rows, or three in all.
func BenchmarkGetMovingWindows(b *testing.B) {
	const day = 24 * time.Hour
	var hourly []time.Duration
	for at := time.Minute; at < 100*day; at += time.Hour {
		hourly = append(hourly, at)
	}
	for _, c := range []struct {
		name   string
		events []time.Duration // before the published instant, the newest first
	}{{"dense", hourly}, {"sparse", []time.Duration{2 * time.Hour, 3 * day, 20 * day}}} {
		for _, keys := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/keys=%d", c.name, keys), func(b *testing.B) { measureMoving(b, c.events, keys) })
		}
	}
}

func measureMoving(b *testing.B, events []time.Duration, keys int) {
	ctx, stored := b.Context(), 1000
	store := openRedis(b, redistest.StartTCP(b))
	moving := movingView("moving")
	rows := movingRows(b, moving, events, stored)
	fill(b, store, moving, rows)
	size := recordSize(b, store, moving, rows)

	plain := wideView("plain", len(moving.View.Features))
	list, padded := listOf(plain), rowsOf(plain, 0, stored)
	rest := max(0, size-recordSize(b, store, plain, padded))
	plain.View.Features = append(plain.View.Features, fstore.Feature{Name: "pad", Type: fstore.Bytes})
	pad := fstore.NewColumn("pad", fstore.Bytes, stored)
	for range stored {
		pad.Append(make([]byte, rest))
	}
	padded.Columns = append(padded.Columns, pad)
	fill(b, store, plain, padded)

	lists := shelf{"moving": listOf(moving), "plain": list}
	srv := server.New(server.Options{Catalog: lists, Store: store, Clock: func() time.Time { return epoch.Add(10 * time.Minute) }})
	conn := serve(b, func(ctx context.Context, l net.Listener) error { return srv.Serve(ctx, overGRPC(b, srv, l)) })
	client := fstorev1.NewFeatureStoreClient(conn)
	request := func(service string) *fstorev1.GetOnlineFeaturesRequest {
		req := ask(keys)
		req.Selection = &fstorev1.GetOnlineFeaturesRequest_Service{Service: service}
		return req
	}
	for name := range lists {
		for _, f := range firstAnswer(b, client, request(name)).Features {
			if f.Statuses != nil && name == "plain" {
				b.Fatalf("%s: %v", f.Name, f.Statuses)
			}
		}
	}
	get := map[string][]time.Duration{}
	for b.Loop() {
		for name := range lists {
			get[name] = append(get[name], timed(b, func() error { _, err := client.GetOnlineFeatures(ctx, request(name)); return err }))
		}
	}
	b.ReportMetric(float64(median(get["moving"]).Nanoseconds())/1000, "p50_µs")
	b.ReportMetric(float64(median(get["plain"]).Nanoseconds())/1000, "plain_µs")
	b.ReportMetric(float64(median(get["moving"]))/float64(median(get["plain"])), "x_of_plain")
	b.ReportMetric(float64(size), "record_B")
	b.ReportMetric(0, "ns/op") // two calls an iteration
}

// movingView returns a view of 20 features without a schedule.
func movingView(name string) *fstore.ViewVersion {
	v := wideView(name, 0)
	for _, w := range []int{1, 7, 30, 90} {
		length := fstore.Duration(w) * fstore.Duration(24*time.Hour)
		for _, f := range []fstore.Function{fstore.Count, fstore.Sum, fstore.Mean, fstore.Max, fstore.Stddev} {
			feature := fstore.Feature{Name: fmt.Sprintf("%s_%dd", f, w), Type: fstore.Float64}
			if f == fstore.Count {
				feature.Type = fstore.Int64
			}
			feature.Window = &fstore.Window{Function: f, Expression: "x", Length: length, Hop: window.DefaultHop(length)}
			v.View.Features = append(v.View.Features, feature)
		}
	}
	return v
}

// movingRows returns what a run writes for keys that all have an event at each of some times before it.
func movingRows(b *testing.B, v *fstore.ViewVersion, events []time.Duration, keys int) *fstore.Batch {
	b.Helper()
	all := window.SeriesOf(v.View.ByName())
	in := []fstore.Column{fstore.NewColumn("", fstore.Timestamp, 0), fstore.NewColumn("", fstore.Timestamp, 0)}
	for _, s := range all {
		passes, values := fstore.NewColumn("", fstore.Bool, 0), fstore.NewColumn("", s.Type, 0)
		for i := range events {
			passes.Append(true)
			values.Append(float64(i*7%101) / 9)
		}
		in = append(in, passes, values)
	}
	r := window.NewRecorder(v.View.TileGroups(), all)
	r.Reset()
	for i := len(events) - 1; i >= 0; i-- {
		at := fstore.Micros(epoch.Add(-events[i]))
		in[0].AppendInt64(at)
		in[1].AppendInt64(at)
		r.Enter(in, len(events)-1-i)
	}
	made := &fstore.Batch{Len: 1}
	for _, f := range v.View.Record() {
		made.Columns = append(made.Columns, fstore.NewColumn(f.Name, f.Type, 1))
	}
	if err := r.Record(fstore.Micros(epoch), made.Columns); err != nil {
		b.Fatal(err)
	}
	out := rowsOf(wideView("", 0), 0, keys)
	for i := range made.Columns {
		c := fstore.NewColumn(made.Columns[i].Name, fstore.Bytes, keys)
		for range keys {
			c.AppendFrom(&made.Columns[i], 0)
		}
		out.Columns = append(out.Columns, c)
	}
	for i := range out.Len {
		out.Columns[1].Int64s[i] = r.Newest()
	}
	return out
}

// recordSize returns the bytes of the first row's record.
func recordSize(b *testing.B, store *online.Store, v *fstore.ViewVersion, rows *fstore.Batch) int {
	b.Helper()
	e, err := store.Encoder(v, "0000000000000001")
	if err != nil {
		b.Fatal(err)
	}
	_, record, err := e.Encode(rows, 0, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	return len(record)
}

// shelf is a catalog of lists by the names of their services.
type shelf map[string]*fstore.FeatureList

func (s shelf) Revision(context.Context) (server.Revision, error) {
	return server.Revision{Number: 1}, nil
}
func (s shelf) Load(context.Context) (server.Names, error)       { return s, nil }
func (s shelf) Service(name string) (*fstore.FeatureList, error) { return s[name], nil }
func (s shelf) Features([]string) (*fstore.FeatureList, error)   { return nil, fstore.ErrNotFound }

func (s shelf) Model(fstore.ModelRef) (*fstore.FeatureList, error) { return nil, fstore.ErrNotFound }
func (s shelf) SentColumns() map[string]bool                       { return nil }
func (s shelf) Live() (out []*fstore.ViewVersion) {
	for _, l := range s {
		out = append(out, l.Uses[0].Version)
	}
	return out
}
