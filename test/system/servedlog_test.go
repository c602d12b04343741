package system

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server/servedlog"
)

// A server is killed while it logs what it answers. The next one seals what is there: all that was written by then, which is what
// was answered a flush earlier, in whole requests, and with the values that were answered.
func TestTheServedLogOfAKilledServer(t *testing.T) {
	r := copiedShop(t)
	customers := make([]int64, 50)
	for i := range customers {
		customers[i] = 12000 + int64(i)
	}
	const at = "2025-12-01T12:00:00Z"
	plain := r.serve("--at", at)
	want, err := churnOf(plain, within, customers...)
	if err != nil {
		t.Fatal(err)
	}
	plain.kill()
	folder := filepath.Join(r.dir, "served")
	logging := []string{"--served-log", folder, "--served-log-sample", "100%", "--at", at}
	written, asked := 0, 0
	for i := range int64(3) {
		w, a := killedWhileItLogs(t, r.serve(logging...), customers, 5000*i)
		written, asked = written+w, asked+a
	}
	last := r.serve(logging...)
	for len(logFiles(t, folder, ".arrows")) > 0 {
		select {
		case <-last.done:
			t.Fatalf("serve ended with %d; its log:\n%s", last.wait(), last.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if n := len(logFiles(t, folder, ".parquet")); n < 3 {
		t.Errorf("%d sealed files of three servers", n)
	}
	kept := loggedRows(t, folder, customers, want)
	if kept < written || kept > asked {
		t.Errorf("%d rows, of %d that were written and %d that were asked for", kept, written, asked)
	}
	t.Logf("%d rows of %d written and %d asked for", kept, written, asked)
}

// killedWhileItLogs asks a server again and again and kills it meanwhile, some rows after a flush. It returns how many rows the
// server had written at least, and how many it was asked for.
func killedWhileItLogs(t *testing.T, s *served, customers []int64, afterFlush int64) (written, asked int) {
	t.Helper()
	var sent, answered atomic.Int64
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				sent.Add(int64(len(customers)))
				if _, err := s.client.GetOnlineFeatures(ctx, churnRequest(customers...)); err == nil {
					answered.Add(int64(len(customers)))
				}
			}
		})
	}
	defer group.Wait()
	defer stop()
	reach := func(rows int64) {
		for answered.Load() < rows {
			select {
			case <-s.done:
				t.Fatalf("serve ended with %d; its log:\n%s", s.wait(), s.log)
			case <-time.After(time.Millisecond):
			}
		}
	}
	reach(1000)
	for before := answered.Load(); ; time.Sleep(time.Millisecond) { // until the next flush has written what was answered before
		all := gauges(t, s)
		written = int(all["fstore_served_log_rows_total"])
		if dropped := int(all["fstore_served_log_dropped_total"]); int64(written+dropped) >= before {
			break
		}
	}
	reach(answered.Load() + afterFlush)
	s.kill()
	stop()
	group.Wait()
	return written, int(sent.Load())
}

// loggedRows returns how many rows a log has, and fails the test where it has a part of a request, or not what was answered.
func loggedRows(t *testing.T, folder string, customers []int64, want *fstorev1.GetOnlineFeaturesResponse) (rows int) {
	t.Helper()
	seen := map[string]int{} // rows by request
	statuses := want.Features[0].Statuses
	if statuses == nil { // all are PRESENT
		statuses = make([]byte, len(customers))
	}
	unreadable := func(path string, err error) { t.Errorf("%s: %v", path, err) }
	all := func(*servedlog.Info) bool { return true }
	err := servedlog.Read(folder, servedlog.Reader{Chosen: all, Unreadable: unreadable, Do: func(b *servedlog.Rows) error {
		for row := range b.Len {
			i := int(b.Row[row])
			if seen[b.Request[row]] != i || i >= len(customers) || b.Keys[0].Int64s[row] != customers[i] {
				return fmt.Errorf("request %s: row %d is of customer %d, after %d rows", b.Request[row], i, b.Keys[0].Int64s[row], seen[b.Request[row]])
			}
			seen[b.Request[row]]++
			got, answered := b.Features[0].Float64s[row], want.Features[0].Float64Values[i]
			if status := b.Statuses[row][0]; math.Float64bits(got) != math.Float64bits(answered) || status != statuses[i] {
				return fmt.Errorf("customer %d: %v and status %d were logged, %v and %d answered", customers[i], got, status, answered, statuses[i])
			}
		}
		rows += b.Len
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for request, n := range seen {
		if n != len(customers) {
			t.Errorf("request %s has %d rows", request, n)
		}
	}
	return rows
}

// logFiles returns the files of a log whose names end so.
func logFiles(t *testing.T, folder, suffix string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, suffix) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
