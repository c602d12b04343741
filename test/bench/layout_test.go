package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// layoutKeys is how many entities each layout holds.
const layoutKeys = 100_000

// BenchmarkRedisLayouts measures what an entity takes in Redis, keys and values and the server's own share, and how long a read of
// 100 entities takes: fstore's layout beside the two it was chosen over, a hash per entity with a field per view that
// holds the same record, and a hash per entity with a field of 8 bytes per feature.
func BenchmarkRedisLayouts(b *testing.B) {
	for _, shape := range []struct{ features, views int }{{10, 1}, {50, 1}, {50, 5}} {
		var views []*fstore.ViewVersion
		for i := range shape.views {
			views = append(views, wideView(fmt.Sprintf("v%d", i), shape.features/shape.views))
		}
		name := fmt.Sprintf("features=%d/views=%d/", shape.features, shape.views)
		b.Run(name+"record per view", func(b *testing.B) { measureLayout(b, views, records) })
		b.Run(name+"hash with a field per view", func(b *testing.B) { measureLayout(b, views, fieldPerView) })
		b.Run(name+"hash with a field per feature", func(b *testing.B) { measureLayout(b, views, fieldPerFeature) })
	}
}

// layout fills a Redis with entities 0 to layoutKeys − 1 and returns a command that reads one.
type layout func(b *testing.B, client *goredis.Client, url string, views []*fstore.ViewVersion) func(key int) []any

func measureLayout(b *testing.B, views []*fstore.ViewVersion, fill layout) {
	url := redistest.StartTCP(b)
	o, err := goredis.ParseURL(url)
	if err != nil {
		b.Fatal(err)
	}
	o.ReadTimeout = time.Minute
	client := goredis.NewClient(o)
	b.Cleanup(func() { client.Close() })
	empty := usedMemory(b, client)
	read := fill(b, client, url, views)
	full := usedMemory(b, client)
	var took []time.Duration
	r := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		took = append(took, timed(b, func() error {
			_, err := client.Pipelined(b.Context(), func(p goredis.Pipeliner) error {
				for range 100 {
					p.Do(b.Context(), read(r.IntN(layoutKeys))...)
				}
				return nil
			})
			return err
		}))
	}
	b.ReportMetric((full-empty)/layoutKeys, "B/entity")
	b.ReportMetric(float64(median(took).Microseconds()), "read100_µs")
	b.ReportMetric(0, "ns/op")
}

func usedMemory(b *testing.B, client *goredis.Client) float64 {
	b.Helper()
	info, err := client.Info(b.Context(), "memory").Result()
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(info, "used_memory:")
	line, _, _ := strings.Cut(rest, "\r\n")
	n, err := strconv.ParseFloat(line, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// records is fstore's own layout: a key per entity and view.
func records(b *testing.B, client *goredis.Client, url string, views []*fstore.ViewVersion) func(int) []any {
	store := openRedis(b, url)
	for _, v := range views {
		fill(b, store, v, rowsOf(v, 0, layoutKeys))
	}
	var keys [layoutKeys][]any
	for i := range keys {
		keys[i] = []any{"mget"}
	}
	for iter := client.Scan(b.Context(), 0, "f{*", 10_000).Iterator(); iter.Next(b.Context()); {
		key := iter.Val()
		i := decodeID(b, key[14:])
		keys[i] = append(keys[i], key)
	}
	return func(i int) []any { return keys[i] }
}

// decodeID reads an int64 key as records have it.
func decodeID(b *testing.B, key string) int64 {
	c := fstore.NewColumn("customer_id", fstore.Int64, 1)
	if err := fstore.DecodeKey([]byte(key), []*fstore.Column{&c}); err != nil {
		b.Fatal(err)
	}
	return c.Int64s[0]
}

// fieldPerView has a hash per entity whose fields are the views, and whose values are the same records.
func fieldPerView(b *testing.B, client *goredis.Client, _ string, views []*fstore.ViewVersion) func(int) []any {
	pipe := client.Pipeline()
	for i := range layoutKeys {
		args := []any{"hset", entityKey(i)}
		for _, v := range views {
			args = append(args, v.Ref.String(), make([]byte, 13+len(v.View.Features)/8+8*len(v.View.Features)))
		}
		send(b, pipe, i, args)
	}
	fields := []any{}
	for _, v := range views {
		fields = append(fields, v.Ref.String())
	}
	return func(i int) []any { return append([]any{"hmget", entityKey(i)}, fields...) }
}

// fieldPerFeature has a hash per entity whose fields are the features: a hash of 4 bytes of their names, as others
// keep them, with 8 bytes of value; and an event time per view.
func fieldPerFeature(b *testing.B, client *goredis.Client, _ string, views []*fstore.ViewVersion) func(int) []any {
	field := func(v, f int) string {
		return string(binary.LittleEndian.AppendUint32(nil, uint32(v*1_000_003+f*7919+99)))
	}
	pipe := client.Pipeline()
	r := rand.New(rand.NewPCG(3, 4))
	for i := range layoutKeys {
		args := []any{"hset", entityKey(i)}
		for v := range views {
			args = append(args, "_ts:"+views[v].Ref.Name, binary.LittleEndian.AppendUint64(nil, r.Uint64()))
			for f := range views[v].View.Features {
				args = append(args, field(v, f), binary.LittleEndian.AppendUint64(nil, math.Float64bits(r.Float64())))
			}
		}
		send(b, pipe, i, args)
	}
	fields := []any{}
	for v := range views {
		fields = append(fields, "_ts:"+views[v].Ref.Name)
		for f := range views[v].View.Features {
			fields = append(fields, field(v, f))
		}
	}
	return func(i int) []any { return append([]any{"hmget", entityKey(i)}, fields...) }
}

// entityKey is a key of an entity that is as short as fstore's own: 18 bytes.
func entityKey(i int) string { return fmt.Sprintf("f{abc}%012d", i) }

func send(b *testing.B, pipe goredis.Pipeliner, i int, args []any) {
	b.Helper()
	pipe.Do(b.Context(), args...)
	if i%500 == 499 || i == layoutKeys-1 {
		if _, err := pipe.Exec(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
