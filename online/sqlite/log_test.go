package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fstore-dev/fstore/online"
)

// TestTheLogStaysSmallUnderConstantReads writes many times the log's limit while others read without a pause. A log that
// is only copied back as far as no reader needs it would never be empty, and so never begin anew.
func TestTheLogStaysSmallUnderConstantReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "online.db")
	writer := at(t, path)
	const limit = 512 << 10
	writer.LogBytes(limit)
	var batch online.Commit
	keys := make([][]byte, 500)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key %04d", i*7919%5000)
		batch.Set = append(batch.Set, online.KV{Key: keys[i], Value: make([]byte, 200)})
	}
	if err := writer.Commit(ctx, batch); err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	var done atomic.Bool
	var reads atomic.Int64
	for range 3 {
		reader := at(t, path)
		readers.Go(func() {
			for !done.Load() {
				if _, _, err := reader.Get(ctx, online.Read{Keys: keys}); err != nil {
					t.Error(err)
					return
				}
				reads.Add(1)
			}
		})
	}
	largest, total := int64(0), int64(0)
	for n := range 80 {
		for i := range batch.Set {
			batch.Set[i].Value[0] = byte(n)
		}
		before := logSize(t, path)
		if err := writer.Commit(ctx, batch); err != nil {
			t.Fatal(err)
		}
		after := logSize(t, path)
		if largest = max(largest, after); after > before {
			total += after - before
		}
	}
	done.Store(true)
	readers.Wait()
	if largest > 3*limit || total < 10*limit {
		t.Errorf("of %d bytes in all the log had up to %d at once; its limit is %d", total, largest, limit)
	}
	t.Logf("%d reads; the log had up to %d bytes, of %d", reads.Load(), largest, total)
}

func logSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
