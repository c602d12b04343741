package onlinetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

// concurrentTests test what holds while others read and write. They are most useful under the race detector.
var concurrentTests = []test{
	{"of_writers_with_one_guard_one_wins", func(t *testing.T, b online.Backend) {
		for round := range 10 {
			want := []byte(nil)
			if round > 0 {
				want = []byte(get(t, b, "g"))
			}
			var won atomic.Int32
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					c := online.Commit{Guards: []online.Guard{{Key: []byte("g"), Want: want}}, Set: kvs("g", fmt.Sprint(round, i), "v", fmt.Sprint(round, i))}
					switch err := b.Commit(context.Background(), c); {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, fstore.ErrConflict):
						t.Error(err)
					}
				})
			}
			all.Wait()
			if won.Load() != 1 || get(t, b, "g") != get(t, b, "v") {
				t.Fatalf("%d writers won; guard %q, value %q", won.Load(), get(t, b, "g"), get(t, b, "v"))
			}
		}
	}},
	{"pointers_are_never_older_than_records", func(t *testing.T, b online.Backend) {
		// Many records, so that a backend reads them in chunks.
		keys := make([][]byte, 2100)
		for i := range keys {
			keys[i] = fmt.Append(nil, "k", i)
		}
		const last = 40
		var all sync.WaitGroup
		all.Go(func() {
			for n := 1; n <= last; n++ {
				v := strconv.Itoa(n)
				set(t, b, "k0", v, "k2099", v, "p", v)
			}
		})
		for range 3 {
			all.Go(func() {
				for p := 0; p < last; {
					records, pointers, err := b.Get(context.Background(), online.Read{Keys: keys, Pointers: bs("p"), Primary: true})
					if err != nil {
						t.Error(err)
						return
					}
					p = number(pointers[0])
					if number(records[0]) > p || number(records[2099]) > p {
						t.Errorf("records of %q and %q with the pointer of %q", records[0], records[2099], pointers[0])
						return
					}
				}
			})
		}
		all.Wait()
	}},
	{"lookups_during_flips_and_drops_see_one_generation", func(t *testing.T, b online.Backend) {
		// Every key of generation n has the value n. Generation n is published at n, and the previous one is dropped
		// at once.
		writer, reader := newStore(b, "p"), newStore(b, "p")
		v, w := view("v", "id int64", "x int64"), view("w", "id int64", "y int64")
		rows := func(n int) (out []row) {
			for i := range 40 {
				out = append(out, row{int64(i), published, int64(n)})
			}
			return out
		}
		at := func(n int) time.Time { return published.Add(time.Duration(n) * time.Second) }
		fence := func(n int) fstore.Fence {
			return fstore.Fence{View: v.Ref, Generation: generation(n), Run: runOf(generation(n), at(n)), At: at(n), Watermark: int64(len(rows(n))), Complete: true}
		}
		load(t, writer, v, generation(0), at(0), rows(0)...)
		load(t, writer, w, generation2, published, rows(7)...)
		var ids []any
		for i := range 40 {
			ids = append(ids, int64(39-i))
		}
		prepared, err := reader.Prepare(list(use(v), use(w)))
		if err != nil {
			t.Fatal(err)
		}
		const last = 60
		var all sync.WaitGroup
		all.Go(func() {
			keys, _ := encode(t, writer, v, generation1, rows(0)...)
			for n := 1; n <= last; n++ {
				load(t, writer, v, generation(n), at(n), rows(n)...)
				p := *pointerTo(generation(n), at(n))
				if err := errors.Join(writer.DropFence(context.Background(), p, fence(n-1)), writer.Drop(context.Background(), v.Ref, p, generation(n-1), keys)); err != nil {
					t.Error(err)
				}
			}
		})
		for range 4 {
			all.Go(func() {
				for n := 0; n < last; {
					a, err := prepared.Lookup(context.Background(), online.Request{Keys: []fstore.Column{column("id", fstore.Int64, ids...)}, Now: published})
					if errors.Is(err, fstore.ErrUnavailable) {
						continue // the writer was faster every time
					}
					if err != nil {
						t.Error(err)
						return
					}
					now := int(a.Versions[0].Published.Sub(published) / time.Second)
					if now < n || a.Versions[0].Generation != generation(now) {
						t.Errorf("generation %s published at %d after %d", a.Versions[0].Generation, now, n)
						return
					}
					n = now
					for i := range 40 {
						if a.Features[0].Status(i) != online.Present || a.Features[0].Column.Int64s[i] != int64(n) || a.Features[1].Column.Int64s[i] != 7 {
							t.Errorf("row %d of generation %d: %s", i, n, show(a))
							return
						}
					}
				}
			})
		}
		all.Wait()
	}},
}

func generation(n int) fstore.Generation { return fstore.Generation(fmt.Sprintf("%016x", n+1000)) }

func number(b []byte) int {
	n, _ := strconv.Atoi(string(b)) // absent is 0
	return n
}
