package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/onlinetest"
	"github.com/fstore-dev/fstore/online/redis"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	driver "github.com/redis/go-redis/v9"
)

// replicated waits after each commit until the only replica has it.
type replicated struct{ *redis.Backend }

func (r replicated) Commit(ctx context.Context, c online.Commit) error {
	if err := r.Backend.Commit(ctx, c); err != nil {
		return err
	}
	return r.caughtUp(ctx)
}

func (r replicated) caughtUp(ctx context.Context) error {
	for {
		if warning, err := r.Replicated(ctx); warning == "" || err != nil {
			return err
		}
	}
}

// emptied returns a function that empties the primary and connects to it as the URL says.
func emptied(t testing.TB, s *redistest.Sentinels, url string) onlinetest.Open {
	return func(t testing.TB) online.Backend {
		if err := client(t, s.Primary().URL).FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		b := replicated{open(t, url)}
		if err := b.caughtUp(ctx); err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// steady keeps sentinels from failing over where a busy machine stops a server for a while.
var steady = []string{"sentinel down-after-milliseconds " + redistest.PrimaryName + " 60000"}

func TestConformanceWithSentinels(t *testing.T) {
	t.Parallel()
	s := redistest.NewSentinels(t, redistest.Config{Nodes: 2, Password: "secret", SentinelPassword: "secret2", Sentinel: steady, Args: []string{"--min-replicas-to-write", "1"}})
	t.Run("primary", func(t *testing.T) { onlinetest.Run(t, emptied(t, s, s.URL)) })
	t.Run("replica", func(t *testing.T) { onlinetest.Run(t, emptied(t, s, s.URL+"&read_from=replica")) })
}

func TestConformanceWithSentinelsOfValkey(t *testing.T) {
	s := redistest.NewSentinels(t, redistest.Config{Nodes: 2, Valkey: true, Sentinel: steady, Args: []string{"--min-replicas-to-write", "1"}})
	onlinetest.Run(t, emptied(t, s, s.URL+"&read_from=replica"))
}

func TestConformanceWithSentinelsOverTLS(t *testing.T) {
	t.Parallel()
	s := redistest.NewSentinels(t, redistest.Config{Nodes: 2, TLS: redistest.NewTLS(t, time.Now()), Sentinel: steady, Args: []string{"--min-replicas-to-write", "1"}})
	onlinetest.Run(t, emptied(t, s, s.URL))
}

// set writes a value and returns the error.
func set(b *redis.Backend, key, value string) error {
	return b.Commit(ctx, online.Commit{Set: []online.KV{{Key: []byte(key), Value: []byte(value)}}})
}

// get reads a key as a record and as a pointer.
func get(t *testing.T, b *redis.Backend, key string, from online.Read) (record, pointer string) {
	t.Helper()
	from.Keys, from.Pointers = [][]byte{[]byte(key)}, [][]byte{[]byte(key)}
	records, ptrs, err := b.Get(ctx, from)
	if err != nil {
		t.Fatal(err)
	}
	if ptrs == nil {
		return string(records[0]), "none"
	}
	return string(records[0]), string(ptrs[0])
}

// succeeds calls a function until it succeeds. Every error before must be of the kind that says so.
func succeeds(t *testing.T, call func() error) {
	t.Helper()
	for end := time.After(time.Minute); ; {
		err := call()
		switch {
		case err == nil:
			return
		case !errors.Is(err, fstore.ErrUnavailable):
			t.Fatalf("got %v, which says that it is no use to try again", err)
		}
		select {
		case <-end:
			t.Fatalf("it still fails: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// However the primary goes, calls go to the next one once it is there, and never to the old one again.
func TestCallsFollowAFailover(t *testing.T) {
	s := redistest.NewSentinels(t, redistest.Config{})
	b, reader := open(t, s.URL), open(t, s.URL+"&read_from=replica")
	defer b.Close()
	defer reader.Close()
	for name, lose := range map[string]func(*redistest.Node) (back func()){
		"killed": func(n *redistest.Node) func() { n.Kill(); return n.Restart },
		"hung with a sentinel": func(n *redistest.Node) func() {
			n.Pause()
			s.Sentinel(0).Pause()
			return func() { n.Resume(); s.Sentinel(0).Resume() }
		},
		"demoted": func(*redistest.Node) func() { s.Promote(s.Replicas()[0]); return func() {} },
	} {
		t.Run(name, func(t *testing.T) {
			old := s.Primary()
			succeeds(t, func() error { return set(b, "k", "before") })
			s.Settle()
			back := lose(old)
			primary := client(t, s.Failover(old).URL)
			for name, b := range map[string]*redis.Backend{"b": b, "reader": reader} {
				succeeds(t, func() error { _, err := b.Replicated(ctx); return err }) // an old primary that is up takes commits, and loses them
				succeeds(t, func() error { return set(b, "k", "after "+name) })
				if got, err := primary.Get(ctx, "k").Result(); err != nil || got != "after "+name {
					t.Errorf("a commit of %s is not at the new primary: %s, %v", name, got, err)
				}
			}
			succeeds(t, func() error { return set(b, "k", "after") })
			back()
			for range 20 { // while the old primary may still think that it is one
				_, got := get(t, b, "k", online.Read{})
				_, with := get(t, reader, "k", online.Read{})
				if got != "after" || with != "after" && with != "none" {
					t.Errorf("the pointers are not those of the new primary: %s, %s", got, with)
				}
			}
			s.Settle()
		})
	}
}

// hook calls a function before a commit is executed.
type hook struct{ before func() }

func (hook) DialHook(next driver.DialHook) driver.DialHook          { return next }
func (hook) ProcessHook(next driver.ProcessHook) driver.ProcessHook { return next }
func (h hook) ProcessPipelineHook(next driver.ProcessPipelineHook) driver.ProcessPipelineHook {
	return func(ctx context.Context, cmds []driver.Cmder) error {
		if cmds[0].Name() == "multi" {
			h.before()
		}
		return next(ctx, cmds)
	}
}

// The guards of a commit were compared on one server; it must not be applied on another.
func TestACommitThatMeetsAFailoverIsNotApplied(t *testing.T) {
	s := redistest.NewSentinels(t, redistest.Config{})
	for name, lose := range map[string]func(*redistest.Node) (back func()){
		"killed":  func(n *redistest.Node) func() { n.Kill(); s.Failover(n); return n.Restart },
		"demoted": func(n *redistest.Node) func() { s.Promote(s.Replicas()[0]); return func() {} },
	} {
		t.Run(name, func(t *testing.T) {
			s.Settle()
			b := open(t, s.URL)
			defer b.Close()
			succeeds(t, func() error { return set(b, "guard", "1") })
			succeeds(t, func() error { return set(b, "k", "before") })
			s.Settle()
			var back func()
			b.AddHook(hook{func() {
				if back == nil {
					back = lose(s.Primary())
				}
			}})
			err := b.Commit(ctx, online.Commit{
				Guards: []online.Guard{{Key: []byte("guard"), Want: []byte("1")}}, Set: []online.KV{{Key: []byte("k"), Value: []byte("after")}},
			})
			// One that was demoted a moment ago may still apply it, and lose it.
			if !errors.Is(err, fstore.ErrUnavailable) && (err != nil || name != "demoted") {
				t.Errorf("got %v", err)
			}
			back()
			s.Settle()
			succeeds(t, func() error { _, _, err := b.Get(ctx, online.Read{Pointers: [][]byte{[]byte("k")}}); return err })
			if _, got := get(t, b, "k", online.Read{Primary: true}); got != "before" {
				t.Errorf("the commit was applied: %s", got)
			}
		})
	}
}

func TestReadsFromAReplica(t *testing.T) {
	s := redistest.NewSentinels(t, redistest.Config{})
	b := open(t, s.URL+"&read_from=replica")
	defer b.Close()
	if err := set(b, "k", "1"); err != nil {
		t.Fatal(err)
	}
	s.Settle()
	s.StopReplication()
	if err := set(b, "k", "2"); err != nil {
		t.Fatal(err)
	}
	if record, pointer := get(t, b, "k", online.Read{}); record != "1" || pointer != "2" {
		t.Errorf("a late replica and the primary give %s and %s", record, pointer)
	}
	if record, pointer := get(t, b, "k", online.Read{Primary: true}); record != "2" || pointer != "2" {
		t.Errorf("the primary gives %s and %s", record, pointer)
	}
	for _, n := range s.Replicas() {
		n.Pause()
	}
	if record, pointer := get(t, b, "k", online.Read{}); record != "2" || pointer != "2" {
		t.Errorf("replicas that hang give %s and %s", record, pointer)
	}
	for _, n := range s.Replicas() {
		n.Kill()
	}
	if record, pointer := get(t, b, "k", online.Read{}); record != "2" || pointer != "2" {
		t.Errorf("replicas that are gone give %s and %s", record, pointer)
	}
	if warning, err := b.Replicated(ctx); err != nil || !strings.Contains(warning, "no replica") {
		t.Errorf("got %q, %v", warning, err)
	}
	s.ResumeReplication()
	for _, n := range s.Nodes {
		n.Restart()
	}
	s.Settle()
	if warning, err := b.Replicated(ctx); err != nil || warning != "" {
		t.Errorf("got %q, %v", warning, err)
	}
	s.Primary().Pause()
	if record, pointer := get(t, b, "k", online.Read{}); record != "2" || pointer != "none" {
		t.Errorf("a primary that hangs gives %s and %s", record, pointer)
	}
}

func TestReplicationThatStopsIsAWarning(t *testing.T) {
	s := redistest.NewSentinels(t, redistest.Config{})
	b := open(t, s.URL)
	defer b.Close()
	s.StopReplication()
	if err := set(b, "k", "1"); err != nil {
		t.Fatal(err)
	}
	if warning, err := b.Replicated(ctx); err != nil || !strings.Contains(warning, "no replica has confirmed") {
		t.Errorf("got %q, %v", warning, err)
	}
}

func TestCheckLooksAtWhatAFailoverWouldPromote(t *testing.T) {
	s := redistest.NewSentinels(t, redistest.Config{Nodes: 2})
	b, reader := open(t, s.URL), open(t, s.URL+"&read_from=replica")
	if warning, err := checked(b); err != nil || !strings.Contains(warning, "min-replicas-to-write is 0") {
		t.Errorf("got %q, %v", warning, err)
	}
	primary, replica := client(t, s.Nodes[0].URL), client(t, s.Nodes[1].URL)
	for _, c := range []*driver.Client{primary, replica} {
		if err := c.ConfigSet(ctx, "min-replicas-to-write", "1").Err(); err != nil {
			t.Fatal(err)
		}
	}
	succeeds(t, func() error { // the primary counts its replicas once a second
		warning, err := checked(b)
		if err == nil && warning != "" {
			err = fmt.Errorf("%w: got %q", fstore.ErrUnavailable, warning)
		}
		return err
	})
	if err := replica.ConfigSet(ctx, "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	if warning, err := checked(b); err != nil || !strings.Contains(warning, "replica 127.0.0.1:") || !strings.Contains(warning, "allkeys-lru") {
		t.Errorf("got %q, %v", warning, err)
	}
	_, err := reader.Check(ctx)
	isKind(t, err, fstore.ErrInvalid, "the replica 127.0.0.1:", "allkeys-lru")
	s.Nodes[1].Kill()
	succeeds(t, func() error {
		warning, err := checked(b)
		if err == nil && !strings.Contains(warning, "the primary has no replica") {
			err = fmt.Errorf("%w: got %q", fstore.ErrUnavailable, warning)
		}
		return err
	})
}

func TestSentinelsThatDoNotAnswerWell(t *testing.T) {
	s := redistest.NewSentinels(t, redistest.Config{Nodes: 1, SentinelPassword: "secret"})
	server := redistest.StartTCP(t)
	hosts := s.URL[strings.Index(s.URL, "127.0.0.1"):strings.Index(s.URL, "/features")]
	for url, c := range map[string]struct {
		kind error
		says string
	}{
		"redis+sentinel://" + hosts + "/other?sentinel_password=secret":                    {fstore.ErrInvalid, "know no primary other"},
		"redis+sentinel://" + hosts + "/features?sentinel_password=wrong":                  {fstore.ErrInvalid, "check sentinel_username"},
		"redis+sentinel://" + hosts + "/features":                                          {fstore.ErrInvalid, "check sentinel_username"},
		"redis+sentinel://127.0.0.1:1,127.0.0.1:2/features":                                {fstore.ErrUnavailable, "none of the sentinels 127.0.0.1:1, 127.0.0.1:2 answers"},
		strings.Replace(server, "redis://", "redis+sentinel://", 1)[:len(server)+7] + "/m": {fstore.ErrInvalid, "is not a sentinel"},
	} {
		b := open(t, url)
		for call, err := range calls(b) {
			t.Run(url+" "+call, func(t *testing.T) { isKind(t, err, c.kind, c.says) })
		}
		b.Close()
	}
	b := open(t, "redis+sentinel://127.0.0.1:1,"+hosts+"/features?sentinel_password=secret")
	defer b.Close()
	if err := set(b, "k", "v"); err != nil {
		t.Errorf("one sentinel is enough: %v", err)
	}
}

func TestAHungSentinelDelaysNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // it accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := redistest.NewSentinels(t, redistest.Config{Nodes: 1})
	b := open(t, strings.Replace(s.URL, "://", "://"+l.Addr().String()+",", 1))
	defer b.Close()
	short, cancel := context.WithTimeout(ctx, 900*time.Millisecond) // less than a sentinel may take
	defer cancel()
	if _, _, err := b.Get(short, online.Read{Keys: [][]byte{[]byte("k")}}); err != nil {
		t.Error(err)
	}
}
