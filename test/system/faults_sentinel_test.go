package system

import (
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// A primary is killed while a server runs. The sentinels make a replica the primary, and the server goes on with it:
// its breaker, which opens meanwhile, closes by itself.
func TestThePrimaryIsKilledWhileServing(t *testing.T) {
	t.Parallel() // it waits most of the time
	trio := redistest.NewSentinels(t, redistest.Config{})
	r := newRepo(t, trio.URL)
	r.must("init", ".")
	r.must("apply", "--yes")
	r.materialize("--to", "2025-12-01")
	trio.Settle()
	s := r.serve()
	want := firstAnswer(t, s)
	old := trio.Primary()
	old.Kill()
	trio.Failover(old)
	recovers(t, s, want, 5*time.Second)
	r.materialize("customer_orders", "--to", "2025-12-01")
	want = anew(t, s, want)

	// A run that begins before the sentinels have noticed waits for them.
	trio.Settle()
	trio.Primary().Kill()
	got := r.run("materialize", "customer_orders", "--to", "2025-12-01")
	if got.status != 0 || !strings.Contains(got.stderr, "waiting for the online store, up to 1m0s: ") {
		t.Errorf("exit status %d\n%s", got.status, got.stderr)
	}
	recovers(t, s, want, 5*time.Second)
}

// What a primary or a replica refuses does not pass for a set-up without faults: doctor fails and says what to do, serve warns and
// answers, and materialize does not fail for a replica.
func TestTheStoreIsDegraded(t *testing.T) {
	trio := redistest.NewSentinels(t, redistest.Config{Nodes: 2})
	primary, replica := trio.Nodes[0], trio.Nodes[1]
	cli := func(n *redistest.Node, line string) { n.Do(strings.Fields(line)...) }
	const user = "acl setuser app on >geheim ~* +@all"
	cli(primary, user)
	cli(replica, user)
	r := newRepo(t, strings.Replace(trio.URL, "://", "://app:geheim@", 1)+"&read_from=replica")
	r.must("init", ".")
	r.must("apply", "--yes")
	r.materialize("--to", "2025-12-01")
	trio.Settle()
	s := r.serve()
	want := firstAnswer(t, s)
	for _, c := range []struct {
		name        string
		do, undo    func()
		says, hint  string
		materialize int
	}{
		{"a replica without the user", func() { cli(replica, "acl deluser app") }, func() { cli(replica, user) }, "WRONGPASS", "check user and password", 0},
		{"a smaller replica", func() { cli(replica, "config set maxmemory 100mb") }, func() { cli(replica, "config set maxmemory 0") }, "maxmemory is 104857600", "set the same maxmemory", 0},
		{"a full primary", func() { cli(primary, "config set maxmemory 1") }, func() { cli(primary, "config set maxmemory 0") }, "refuses writes", "raise maxmemory", 6},
		{"a primary without replicas that must have some", func() { replica.Kill(); cli(primary, "config set min-replicas-to-write 1") }, func() {}, "refuses writes", "min-replicas-to-write", 6},
	} {
		before := len(s.log.String())
		c.do()
		for end := time.Now().Add(20 * time.Second); !strings.Contains(s.log.String()[before:], c.says); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: the log does not say %q:\n%s", c.name, c.says, s.log)
			}
		}
		right(t, s, want)
		if got := r.run("doctor"); got.status != 4 || !strings.Contains(got.stdout, c.says) || !strings.Contains(got.stdout, c.hint) || strings.Contains(got.stdout, "geheim") {
			t.Errorf("%s: doctor: exit status %d\n%s%s", c.name, got.status, got.stdout, got.stderr)
		}
		got := r.run("materialize", "customer_orders", "--to", "2025-12-01", "--store-wait", "1s")
		if got.status != c.materialize || !strings.Contains(got.stderr, c.hint) {
			t.Errorf("%s: materialize: exit status %d\n%s", c.name, got.status, got.stderr)
		}
		c.undo()
	}
	if n := strings.Count(s.log.String(), "min-replicas-to-write is 0"); n != 1 {
		t.Errorf("what was so from the start is logged %d times:\n%s", n, s.log)
	}
}
