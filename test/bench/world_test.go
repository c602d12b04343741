package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// wideView returns a view version of n float64 features by an int64 key.
func wideView(name string, n int) *fstore.ViewVersion {
	v := &fstore.ViewVersion{Ref: fstore.ViewRef{Name: name, Version: 1}, Fingerprint: name}
	v.View = fstore.View{
		Name: name, Entities: []string{"customer"}, Keys: []fstore.Field{{Name: "customer_id", Type: fstore.Int64}},
		Event: "event",
	}
	for i := range n {
		feature := fmt.Sprintf("f%02d", i)
		v.View.Features = append(v.View.Features, fstore.Feature{Name: feature, Type: fstore.Float64, Column: feature})
	}
	return v
}

// listOf returns the list of all features of views.
func listOf(views ...*fstore.ViewVersion) *fstore.FeatureList {
	l := &fstore.FeatureList{Service: fstore.ViewRef{Name: "bench", Version: 1}}
	for i, v := range views {
		binding := fstore.KeyBinding{Key: v.View.Keys[0], Column: v.View.Keys[0].Name}
		l.Uses = append(l.Uses, fstore.ViewUse{Version: v, Keys: []fstore.KeyBinding{binding}})
		for _, f := range v.View.Features {
			l.Outputs = append(l.Outputs, fstore.FeatureOutput{As: v.View.Name + "_" + f.Name, Use: i, Feature: f.Name})
		}
	}
	return l
}

// rowsOf returns keys from..to-1 of a wide view with random-looking values.
func rowsOf(v *fstore.ViewVersion, from, to int) *fstore.Batch {
	n := to - from
	b := &fstore.Batch{Len: n}
	key, event := fstore.NewColumn("customer_id", fstore.Int64, n), fstore.NewColumn("event", fstore.Timestamp, n)
	for i := range n {
		key.Append(int64(from + i))
		event.Append(epoch)
	}
	b.Columns = append(b.Columns, key, event)
	for f := range v.View.Features {
		c := fstore.NewColumn(v.View.Features[f].Name, fstore.Float64, n)
		for i := range n {
			c.Float64s = append(c.Float64s, float64((from+i)*(f+7)%1000003)/997)
		}
		c.Len = n
		b.Columns = append(b.Columns, c)
	}
	return b
}

// fill publishes rows of a view in a store, by the write side alone.
func fill(b *testing.B, store *online.Store, v *fstore.ViewVersion, rows *fstore.Batch) {
	b.Helper()
	ctx := context.Background()
	g := fstore.Generation(fmt.Sprintf("%016x", len(v.Ref.Name)*31+int(v.Ref.Name[len(v.Ref.Name)-1])))
	h := fstore.Header{View: v.Ref, Generation: g, Fingerprint: v.Fingerprint, Layout: fstore.RecordLayout, Partitions: fstore.Partitions, Run: string(g), RunAt: epoch, Token: "t"}
	f := fstore.Fence{View: v.Ref, Generation: g, Run: h.Run, At: epoch, Complete: true}
	if err := errors.Join(store.SetHeader(ctx, nil, h), store.SetFence(ctx, nil, f)); err != nil {
		b.Fatal(err)
	}
	enc, err := store.Encoder(v, g)
	if err != nil {
		b.Fatal(err)
	}
	var keys, values [][]byte
	for i := range rows.Len {
		k, r, err := enc.Encode(rows, i, nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		keys, values = append(keys, k), append(values, r)
		if len(keys) == 5000 || i == rows.Len-1 {
			if err := store.WriteBatch(ctx, f, f, keys, values, nil); err != nil {
				b.Fatal(err)
			}
			keys, values = keys[:0], values[:0]
		}
	}
	is := h
	is.Published, is.Complete = epoch, true
	to := fstore.Pointer{Generation: g, Published: epoch, Fingerprint: v.Fingerprint, Layout: fstore.RecordLayout, Run: h.Run, Partitions: fstore.Partitions}
	if err := store.Publish(ctx, h, is, f, nil, to); err != nil {
		b.Fatal(err)
	}
}

func openRedis(b *testing.B, url string) *online.Store {
	b.Helper()
	backend, err := redis.Open(url)
	if err != nil {
		b.Fatal(err)
	}
	s := online.New(backend, "bench")
	b.Cleanup(func() { s.Close() })
	return s
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
