package system

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// A process that hangs with the write lock of the online store's file holds up no reader; who has to write waits, and
// is told.
func TestTheOnlineFileIsLocked(t *testing.T) {
	t.Parallel() // it waits
	r, s := servedShop(t)
	want := firstAnswer(t, s)
	release := writeLock(t, r, "online.db")
	defer release()
	stop := asking(t, s, want)
	written := make(chan result, 1)
	go func() { written <- r.run("materialize", "customer_orders", "--to", "2025-12-02") }()
	if got := r.run("get", "--service", "churn", "--entity", "customer_id=12003"); got.status != 0 {
		t.Errorf("get: exit status %d\n%s", got.status, got.stderr)
	}
	if *slow { // the lock is held for longer than is waited for it
		if got := <-written; got.status != 6 || !strings.Contains(got.stderr, "online store") || !strings.Contains(got.stderr, "locked") {
			t.Errorf("materialize: exit status %d\n%s", got.status, got.stderr)
		}
		stop()
		release()
		r.materialize("customer_orders", "--to", "2025-12-02")
	} else {
		stop() // it publishes now
		release()
		if got := <-written; got.status != 0 {
			t.Errorf("materialize: exit status %d\n%s", got.status, got.stderr)
		}
	}
	unharmed(t, s, anew(t, s, want))
}

// The file is deleted while it is served, with what belongs to it or alone: callers are told what to run; once that was
// done they get answers, and no process stumbles over what the deleted file has left.
func TestTheOnlineFileIsDeleted(t *testing.T) {
	r, s := servedShop(t)
	want := firstAnswer(t, s)
	for _, c := range []struct {
		with  []string // deleted too
		asked bool     // between deletion and the next materialize
	}{{nil, false}, {nil, true}, {[]string{"online.db-wal", "online.db-shm"}, false}} {
		if log, err := os.Stat(r.path("online.db-wal")); err != nil || log.Size() == 0 {
			r.materialize("customer_orders", "--full", "--to", "2025-12-01") // so that there is a log to be left
		}
		anew(t, s, want)
		for _, name := range append([]string{"online.db"}, c.with...) {
			if err := os.Remove(r.path(name)); err != nil {
				t.Fatal(err)
			}
		}
		if c.asked {
			if _, err := churnOf(s, within); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "fstore materialize") {
				t.Errorf("%+v: got %v", c, err)
			}
		}
		r.materialize("customer_orders", "customer_large_orders", "customer_totals", "customer_profile", "shop", "--to", "2025-12-01")
		for range 3 { // by several connections
			anew(t, s, want)
		}
		if got := r.must("get", "--service", "churn", "--entity", "customer_id=12003"); !strings.Contains(got, "77.58") {
			t.Errorf("%+v: get: %s", c, got)
		}
	}
	unharmed(t, s, anew(t, s, want))
	ends(t, s)
	if got := r.must("get", "--service", "churn", "--entity", "customer_id=12003"); !strings.Contains(got, "77.58") {
		t.Errorf("once the server is gone: %s", got)
	}
}

// Pages of the file are overwritten while it is served: a caller gets the right answer or none, and right ones again
// once a good file is in its place.
func TestTheOnlineFileIsCorrupted(t *testing.T) {
	r, before := servedShop(t)
	want := firstAnswer(t, before)
	ends(t, before) // the log is copied back
	good, err := os.ReadFile(r.path("online.db"))
	if err != nil {
		t.Fatal(err)
	}
	s := r.serve()
	right(t, s, want)
	for at := 0; at < len(good); at += 4096 {
		spoilt := bytes.Clone(good)
		copy(spoilt[at:], bytes.Repeat([]byte{0xa5}, 4096))
		if err := os.WriteFile(r.path("spoilt.db"), spoilt, 0o644); err != nil {
			t.Fatal(err)
		}
		r.move("spoilt.db", "online.db")
		begin := time.Now()
		got, err := churnOf(s, within)
		if err == nil && !proto.Equal(got, want) { // what is spoilt may be no page of this answer
			t.Fatalf("page %d: got %v, want %v", at/4096, got, want)
		}
		switch status.Code(err) {
		case codes.OK, codes.DataLoss, codes.Unavailable, codes.FailedPrecondition:
		default:
			t.Errorf("page %d: got %v", at/4096, err)
		}
		if took := time.Since(begin); took > within {
			t.Errorf("page %d: it took %s", at/4096, took)
		}
	}
	for name, spoilt := range map[string][]byte{"half": good[:len(good)/2], "nothing": {}, "text": []byte(strings.Repeat("text ", 1000))} {
		if err := os.WriteFile(r.path("online.db"), spoilt, 0o644); err != nil { // in place, under the server's hands
			t.Fatal(err)
		}
		got, err := churnOf(s, within)
		if err == nil && !proto.Equal(got, want) {
			t.Fatalf("%s: got %v, want %v", name, got, want)
		}
	}
	if err := os.WriteFile(r.path("good.db"), good, 0o644); err != nil {
		t.Fatal(err)
	}
	r.move("good.db", "online.db")
	recovers(t, s, want, 3*time.Second)
	ends(t, s)
}
