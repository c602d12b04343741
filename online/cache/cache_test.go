package cache_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/fstore-dev/fstore/online/cache"
)

var one, other = cache.Publication{Generation: [8]byte{1}, Run: [8]byte{1}}, cache.Publication{Generation: [8]byte{1}, Run: [8]byte{2}}

func TestARecordIsFoundByAllOfItsKey(t *testing.T) {
	c := cache.New(1 << 20)
	record := []byte("record")
	c.Put(7, one, []byte("key"), record)
	record[0] = 'R' // the cache has a copy
	if got, found := c.Get(7, one, []byte("key")); !found || string(got) != "record" {
		t.Errorf("got %q %v", got, found)
	}
	for name, found := range map[string]func() ([]byte, bool){
		"another hash":        func() ([]byte, bool) { return c.Get(8, one, []byte("key")) },
		"another publication": func() ([]byte, bool) { return c.Get(7, other, []byte("key")) },
		"another key":         func() ([]byte, bool) { return c.Get(7, one, []byte("kez")) },
		"a shorter key":       func() ([]byte, bool) { return c.Get(7, one, []byte("ke")) },
		"a longer key":        func() ([]byte, bool) { return c.Get(7, one, []byte("keyr")) },
	} {
		if got, ok := found(); ok {
			t.Errorf("%s: got %q", name, got)
		}
	}
	c.Put(7, one, []byte("key"), []byte("later"))
	if got, _ := c.Get(7, one, []byte("key")); string(got) != "later" {
		t.Errorf("got %q after a change", got)
	}
}

func TestAbsentRecordsAreNotEmptyOnes(t *testing.T) {
	c := cache.New(1 << 20)
	for _, record := range [][]byte{nil, {}, nil, []byte("x"), nil} {
		c.Put(7, one, []byte("key"), record)
		if got, found := c.Get(7, one, []byte("key")); !found || (got == nil) != (record == nil) || !bytes.Equal(got, record) {
			t.Errorf("got %#v %v, want %#v", got, found, record)
		}
	}
}

// Bytes is never more than Most: with records of all sizes, keys that come again, and many at once.
func TestTheBytesAreBounded(t *testing.T) {
	for _, size := range []int64{1 << 20, 3_000_000} {
		c := cache.New(size)
		if c.Most() > size+size/16 {
			t.Fatalf("most is %d for %d", c.Most(), size)
		}
		var all sync.WaitGroup
		for worker := range uint64(4) {
			all.Go(func() {
				r := rand.New(rand.NewPCG(worker, 1))
				record := make([]byte, 1<<18)
				for range 5_000 {
					n := r.IntN(200)
					switch r.IntN(100) {
					case 0:
						n = r.IntN(len(record))
					case 1, 2, 3, 4:
						n = r.IntN(20_000)
					}
					at := r.Uint64N(3000)
					c.Put(at, one, binary.AppendUvarint(nil, at), record[:n])
					if got := c.Bytes(); got > c.Most() {
						t.Errorf("%d bytes, at most %d are allowed", got, c.Most())
						return
					}
				}
			})
		}
		all.Wait()
		if got := c.Bytes(); got > c.Most() || got < size/3 {
			t.Errorf("%d bytes of %d at the end", got, size)
		}
	}
}

// A hot record stays while many others come once.
func TestHotRecordsStay(t *testing.T) {
	c := cache.New(1 << 20)
	record := make([]byte, 400)
	hot := 0
	for i := range uint64(8_000) {
		c.Put(1000+i, one, binary.AppendUvarint(nil, 1000+i), record)
		at := i % 100
		key := binary.AppendUvarint(nil, at)
		if _, found := c.Get(at, one, key); found {
			hot++
		} else {
			c.Put(at, one, key, record)
		}
	}
	if hot < 7_000 {
		t.Errorf("%d of 8000 look-ups of hot records found them", hot)
	}
}

// What the cache counts is what its entries take in memory, no less and not much more.
func TestTheBytesAreThoseInMemory(t *testing.T) {
	for _, size := range []int{0, 430} {
		before := heap()
		c := cache.New(4 << 20)
		record := make([]byte, size)
		for i := range uint64(30_000) {
			c.Put(i*0x9e3779b97f4a7c15, one, binary.BigEndian.AppendUint64(nil, i), record)
		}
		took, counted := heap()-before, c.Bytes()
		t.Logf("records of %d bytes: %d bytes in memory, %d counted", size, took, counted)
		if took > counted || took < counted*2/3 {
			t.Errorf("records of %d bytes: %d bytes in memory, %d counted", size, took, counted)
		}
		runtime.KeepAlive(c)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAHitAllocatesNothing(t *testing.T) {
	c := cache.New(1 << 20)
	key := []byte("key")
	c.Put(7, one, key, make([]byte, 400))
	if n := testing.AllocsPerRun(100, func() { c.Get(7, one, key) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
