package onlinetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/cache"
)

// Benchmark measures a store on a backend: look-ups of 50 float64 features in 1 and in 5 views, from the backend and from a cache, and batches as
// materialize writes them. "bare" fetches the same records without decoding them.
func Benchmark(b *testing.B, open Open) {
	const keys = 10_000
	backend := open(b)
	b.Cleanup(func() { backend.Close() })
	s := online.New(backend, "p")
	lists := map[int]*fstore.FeatureList{1: Wide(b, s, 1, 50, keys), 5: Wide(b, s, 5, 10, keys)}
	cached := online.New(backend, "p")
	cached.Cache, cached.Elapsed = cache.New(64<<20), func() time.Duration { return 0 }
	for _, rows := range []int{1, 100} {
		for _, views := range []int{1, 5} {
			benchmarkLookup(b, fmt.Sprintf("lookup/keys=%d/views=%d", rows, views), s, lists[views], rows, keys)
			benchmarkLookup(b, fmt.Sprintf("cached/keys=%d/views=%d", rows, views), cached, lists[views], rows, keys)
		}
	}
	v := lists[1].Uses[0].Version
	keys50, _ := encode(b, s, v, generation1, rowsOf(v, keys)...)
	for _, rows := range []int{1, 100} {
		b.Run(fmt.Sprintf("bare/keys=%d/views=1", rows), func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = (n + rows) % (keys - rows)
				records, err := s.Records(context.Background(), "0000000100000000", keys50[n:n+rows])
				if err != nil || records[0] == nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, features := range []int{10, 50} {
		b.Run(fmt.Sprintf("write/features=%d", features), func(b *testing.B) { benchmarkWrite(b, backend, features) })
	}
}

// benchmarkLookup looks up all keys in turn. A store with a cache has seen all of them before.
func benchmarkLookup(b *testing.B, name string, s *online.Store, l *fstore.FeatureList, rows, keys int) {
	prepared, err := s.Prepare(l)
	if err != nil {
		b.Fatal(err)
	}
	ask := func(from int) {
		a, err := prepared.Lookup(context.Background(), Keys(rows, from, keys))
		if err != nil {
			b.Fatal(err)
		}
		a.Release()
	}
	for from := 0; s.Cache != nil && from < keys; from += rows {
		ask(from)
	}
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			n++
			ask(n * rows)
		}
	})
}

// Wide publishes views with the given number of float64 features and the keys 0 to keys−1. It returns a list of all
// features.
func Wide(t testing.TB, s *online.Store, views, features, keys int) *fstore.FeatureList {
	t.Helper()
	var uses []fstore.ViewUse
	for n := range views {
		v, rows := wide(fmt.Sprintf("w%d_%d", views, n), features, keys)
		load(t, s, v, fstore.Generation(fmt.Sprintf("%08x%08x", views, n)), published, rows...)
		uses = append(uses, use(v))
	}
	return list(uses...)
}

func wide(name string, features, keys int) (*fstore.ViewVersion, []row) {
	spec := ""
	for i := range features {
		spec += fmt.Sprintf("%s_f%02d float64, ", name, i)
	}
	v := view(name, "id int64", spec)
	return v, rowsOf(v, keys)
}

func rowsOf(v *fstore.ViewVersion, keys int) []row {
	rows := make([]row, keys)
	for i := range rows {
		rows[i] = row{int64(i), published}
		for j := range v.View.Features {
			rows[i] = append(rows[i], float64(i)+float64(j)/100)
		}
	}
	return rows
}

// Keys returns a request for rows successive keys, from from on, modulo bound.
func Keys(rows, from, bound int) online.Request {
	ids := fstore.Column{Name: "id", Type: fstore.Int64, Len: rows, Int64s: make([]int64, rows)}
	for i := range ids.Int64s {
		ids.Int64s[i] = int64((from + i) % bound)
	}
	return online.Request{Keys: []fstore.Column{ids}, Now: published}
}

// benchmarkWrite fills a generation in batches of 2,000 records, like a first load: no key repeats, and the keys of a
// batch are spread over the whole store. An operation is one record.
func benchmarkWrite(b *testing.B, backend online.Backend, features int) {
	const size = 2000
	v, rows := wide("write", features, size)
	s := online.New(backend, fmt.Sprint("write", features, b.N))
	f := fstore.Fence{View: v.Ref, Generation: generation1, Run: runOf(generation1, published), At: published}
	if err := s.SetFence(context.Background(), nil, f); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	done := 0
	for n := 0; n < b.N; n += size {
		b.StopTimer()
		for i := range rows {
			rows[i][0] = int64(n + i)
		}
		keys, records := encode(b, s, v, generation1, rows...)
		b.StartTimer()
		is := f
		is.Watermark += size
		if err := s.WriteBatch(context.Background(), f, is, keys, records, nil); err != nil {
			b.Fatal(err)
		}
		f, done = is, done+size
	}
	b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "records/s")
}

// Arithmetic is Wide in one view, with the given number of on-demand features besides: each has up to three operators.
func Arithmetic(t testing.TB, s *online.Store, features, keys int) *fstore.FeatureList {
	t.Helper()
	l := Wide(t, s, 1, features, keys)
	name := l.Uses[0].Version.Ref.Name
	forms := []string{"%[1]s + %[2]s", "%[1]s * 2.0 - %[2]s", "(%[1]s - %[2]s) / (%[1]s + 1.0)"}
	var specs []string
	for i := range features {
		a, b := fmt.Sprintf("%s.%s_f%02d", name, name, i), fmt.Sprintf("%s.%s_f%02d", name, name, (i+7)%features)
		specs = append(specs, fmt.Sprintf("x%02d float64 : ", i)+fmt.Sprintf(forms[i%len(forms)], a, b))
	}
	onDemand(l, "arithmetic", "", strings.Join(specs, "; "))
	return l
}
