package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/onlinetest"
	"github.com/fstore-dev/fstore/online/redis"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	driver "github.com/redis/go-redis/v9"
)

// fresh returns a function that empties the server and connects to it.
func fresh(t testing.TB, url string) onlinetest.Open {
	admin := client(t, url)
	return func(t testing.TB) online.Backend {
		if err := admin.FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		return open(t, url)
	}
}

func open(t testing.TB, url string) *redis.Backend {
	t.Helper()
	b, err := redis.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// commands are those that the backend may send: Redis and Valkey have had them since 6.0.
var commands = []string{"hello", "auth", "select", "ping", "mget", "info", "mset", "unlink", "watch", "unwatch", "multi", "exec", "scan", "wait"}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, ...string) *redistest.Server{"redis": redistest.New, "valkey": redistest.NewValkey} {
		t.Run(name, func(t *testing.T) {
			url := start(t).URL
			admin := client(t, url)
			if err := admin.ConfigResetStat(ctx).Err(); err != nil { // a server has sent itself some at its start
				t.Fatal(err)
			}
			onlinetest.Run(t, fresh(t, url))
			sendsOnlyCommands(t, admin)
		})
	}
}

// sendsOnlyCommands looks at what the server has been sent so far.
func sendsOnlyCommands(t *testing.T, admin *driver.Client) {
	t.Helper()
	stats, err := admin.Info(ctx, "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	own := []string{"flushall", "client|setinfo", "client|maint_notifications", "config|resetstat"} // this test's
	for _, m := range regexp.MustCompile(`(?m)^cmdstat_([^:]*):`).FindAllStringSubmatch(stats, -1) {
		if !slices.Contains(commands, m[1]) && !slices.Contains(own, m[1]) {
			t.Errorf("the backend sends %s", m[1])
		}
	}
	docs, err := admin.Do(ctx, append([]any{"command", "docs"}, boxed(commands)...)...).Result()
	if err != nil { // Redis 6
		t.Log(err)
		return
	}
	since := map[string]string{}
	for name, doc := range docs.(map[any]any) {
		since[name.(string)] = doc.(map[any]any)["since"].(string)
	}
	for _, c := range commands {
		if v := since[c]; v == "" || v > "6.0.0" && !strings.HasPrefix(v, "6.0.") {
			t.Errorf("the server has %s since %q", c, v)
		}
	}
}

func boxed(list []string) (out []any) {
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

func BenchmarkBackend(b *testing.B) { onlinetest.Benchmark(b, fresh(b, redistest.Start(b))) }

var ctx = context.Background()

func isKind(t *testing.T, err, kind error, says ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("got %q, which does not say %q", err, s)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("%q holds the password", err)
	}
}

// calls makes each kind of call and returns the errors.
func calls(b *redis.Backend) map[string]error {
	_, _, get := b.Get(ctx, online.Read{Keys: [][]byte{[]byte("k")}, Pointers: [][]byte{[]byte("p")}})
	_, check := b.Check(ctx)
	return map[string]error{
		"get": get, "check": check,
		"commit": b.Commit(ctx, online.Commit{Guards: []online.Guard{{Key: []byte("g")}}, Set: []online.KV{{Key: []byte("k"), Value: []byte("v")}}}),
		"delete": b.Commit(ctx, online.Commit{Delete: [][]byte{[]byte("k")}}),
		"scan":   b.Scan(ctx, nil, func([]byte) error { return nil }),
	}
}

func TestAServerThatIsNotThereIsUnavailable(t *testing.T) {
	for _, url := range []string{"unix://u:secret@" + filepath.Join(t.TempDir(), "none.sock"), "redis://u:secret@127.0.0.1:1/0"} {
		b := open(t, url)
		for name, err := range calls(b) {
			t.Run(name, func(t *testing.T) { isKind(t, err, fstore.ErrUnavailable, "redis at ") })
		}
	}
}

func TestAServerThatDoesNotAnswerIsUnavailable(t *testing.T) {
	url := redistest.Start(t)
	admin := client(t, url)
	b := open(t, url+"&read_timeout=50ms")
	if err := admin.Do(ctx, "client", "pause", "60000", "all").Err(); err != nil {
		t.Fatal(err)
	}
	_, _, err := b.Get(ctx, online.Read{Keys: [][]byte{[]byte("k")}})
	isKind(t, err, fstore.ErrUnavailable, "timeout")
	isKind(t, b.Commit(ctx, online.Commit{Delete: [][]byte{[]byte("k")}}), fstore.ErrUnavailable, "timeout")
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, _, err = open(t, url).Get(short, online.Read{Keys: [][]byte{[]byte("k")}})
	isKind(t, err, fstore.ErrUnavailable, "redis at ")
}

func TestWrongPasswordsAreInvalidAndNotRepeated(t *testing.T) {
	url := redistest.Start(t, "--requirepass", "right")
	as := func(user string) *redis.Backend { return open(t, strings.Replace(url, "unix://", "unix://"+user, 1)) }
	for _, user := range []string{"", ":secret@", "nobody:secret@"} {
		for name, err := range calls(as(user)) {
			t.Run(user+name, func(t *testing.T) { isKind(t, err, fstore.ErrInvalid, "check user and password") })
		}
	}
	for name, err := range calls(as(":right@")) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAUserWithoutPermissionIsInvalid(t *testing.T) {
	url := redistest.Start(t)
	if err := client(t, url).Do(ctx, "acl", "setuser", "weak", "on", ">secret", "~*", "+ping").Err(); err != nil {
		t.Fatal(err)
	}
	b := open(t, strings.Replace(url, "unix://", "unix://weak:secret@", 1))
	for name, err := range calls(b) {
		t.Run(name, func(t *testing.T) { isKind(t, err, fstore.ErrInvalid, "grant") })
	}
	if err := client(t, url).Do(ctx, "acl", "setuser", "reader", "on", ">secret", "~*", "+ping", "+mget").Err(); err != nil {
		t.Fatal(err)
	}
	b = open(t, strings.Replace(url, "unix://", "unix://reader:secret@", 1))
	warning, err := checked(b) // it may neither CONFIG GET nor INFO
	if err != nil || !strings.Contains(warning, "maxmemory-policy cannot be read") {
		t.Errorf("got %q, %v", warning, err)
	}
	if _, _, err := b.Get(ctx, online.Read{Keys: [][]byte{[]byte("k")}, Pointers: [][]byte{[]byte("p")}}); err != nil {
		t.Error(err)
	}
	isKind(t, calls(b)["commit"], fstore.ErrInvalid, "grant")
}

func TestAServerThatEvictsIsRefused(t *testing.T) {
	url := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	_, err := open(t, url).Check(ctx)
	isKind(t, err, fstore.ErrInvalid, "allkeys-lru", "noeviction")
	if err := client(t, url).Do(ctx, "acl", "setuser", "info", "on", ">secret", "~*", "+ping", "+mget", "+info").Err(); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, strings.Replace(url, "unix://", "unix://info:secret@", 1)).Check(ctx) // as where CONFIG is not allowed
	isKind(t, err, fstore.ErrInvalid, "allkeys-lru")
}

func TestAFullServerIsUnavailableAndChangesNothing(t *testing.T) {
	b := open(t, redistest.Start(t, "--maxmemory", "3mb"))
	if err := b.Commit(ctx, online.Commit{Set: []online.KV{{Key: []byte("g"), Value: []byte("1")}}}); err != nil {
		t.Fatal(err)
	}
	var err error
	for n := 0; err == nil && n < 1000; n++ {
		c := online.Commit{Guards: []online.Guard{{Key: []byte("g"), Want: []byte("1")}}}
		for i := range 100 {
			c.Set = append(c.Set, online.KV{Key: fmt.Append(nil, n, "-", i), Value: make([]byte, 1000)})
		}
		err = b.Commit(ctx, c)
		keys := 0
		if err := b.Scan(ctx, fmt.Append(nil, n, "-"), func([]byte) error { keys++; return nil }); err != nil {
			t.Fatal(err)
		}
		if (err == nil) != (keys == 100) || err != nil && keys != 0 {
			t.Fatalf("%v, and %d of 100 keys are there", err, keys)
		}
	}
	isKind(t, err, fstore.ErrUnavailable, "raise maxmemory")
	if err := b.Commit(ctx, online.Commit{Guards: []online.Guard{{Key: []byte("g"), Want: []byte("1")}}, Delete: [][]byte{[]byte("0-0")}}); err != nil {
		t.Errorf("a full server must still be emptied: %v", err)
	}
}

func TestAReplicaIsUnavailableForWriting(t *testing.T) {
	b := open(t, redistest.Start(t, "--replicaof", "127.0.0.1", "1"))
	isKind(t, b.Commit(ctx, online.Commit{Delete: [][]byte{[]byte("k")}}), fstore.ErrUnavailable, "replica")
	if warning, err := checked(b); err != nil || !strings.Contains(warning, "it is a replica") {
		t.Errorf("got %q, %v", warning, err)
	}
}

// A Redis that is too old, or a managed one, lacks commands.
func TestAServerWithoutTheCommandsIsInvalid(t *testing.T) {
	b := open(t, redistest.Start(t, "--rename-command", "UNLINK", "", "--rename-command", "CONFIG", "", "--rename-command", "INFO", ""))
	isKind(t, b.Commit(ctx, online.Commit{Delete: [][]byte{[]byte("k")}}), fstore.ErrInvalid, "unknown command", "Redis 6.0 or later")
	if warning, err := checked(b); err != nil || !strings.Contains(warning, "maxmemory-policy cannot be read") {
		t.Errorf("got %q, %v", warning, err)
	}
}

func TestADatabaseThatTheServerDoesNotHaveIsInvalid(t *testing.T) {
	b := open(t, strings.Replace(redistest.Start(t), "db=0", "db=99", 1))
	for name, err := range calls(b) {
		t.Run(name, func(t *testing.T) { isKind(t, err, fstore.ErrInvalid, "the server has no database with the number") })
	}
}

// What answers at the address may be anything.
func TestAServerThatIsNoRedisIsInvalid(t *testing.T) {
	for name, reply := range map[string]string{
		"http": "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "ssh": "SSH-2.0-OpenSSH_9.6\r\n", "tls": "\x15\x03\x01\x00\x02\x02\x46\r\n", "lines": "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var served sync.WaitGroup
			defer served.Wait()
			defer l.Close()
			served.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					served.Go(func() {
						defer c.Close()
						for buf := make([]byte, 1000); ; {
							if _, err := c.Read(buf); err != nil {
								return
							}
							_, _ = c.Write([]byte(reply))
						}
					})
				}
			})
			b := open(t, "redis://u:secret@"+l.Addr().String())
			defer b.Close()
			for call, err := range calls(b) {
				t.Run(call, func(t *testing.T) { isKind(t, err, fstore.ErrInvalid, "not a Redis server", "check host and port") })
			}
		})
	}
}

// More calls than connections wait, and say what they waited for where that takes too long.
func TestCallsBeyondTheConnectionsWait(t *testing.T) {
	server := redistest.New(t)
	b := open(t, server.URL+"&pool_size=1&pool_timeout=50ms&read_timeout=10s")
	if _, err := b.Check(ctx); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	results := make(chan error)
	for range 2 { // one has the connection
		go func() {
			_, _, err := b.Get(ctx, online.Read{Keys: [][]byte{[]byte("k")}})
			results <- err
		}()
	}
	isKind(t, <-results, fstore.ErrUnavailable, "pool_size")
	server.Resume()
	if err := <-results; err != nil {
		t.Error(err)
	}
	if _, _, err := b.Get(ctx, online.Read{Keys: [][]byte{[]byte("k")}}); err != nil {
		t.Error(err)
	}
}

func TestReadsSurviveConnectionsThatWereClosed(t *testing.T) {
	url := redistest.Start(t)
	b, admin := open(t, url), client(t, url)
	for range 5 {
		if _, _, err := b.Get(ctx, online.Read{Keys: [][]byte{[]byte("k")}}); err != nil {
			t.Fatal(err)
		}
		if err := admin.Do(ctx, "client", "kill", "type", "normal", "skipme", "yes").Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOverTCP(t *testing.T) {
	for name, err := range calls(open(t, redistest.StartTCP(t))) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A value of another type, which only another program can have put there, is no record.
func TestAKeyOfAnotherTypeIsAbsent(t *testing.T) {
	url := redistest.Start(t)
	if err := client(t, url).LPush(ctx, "k", "v").Err(); err != nil {
		t.Fatal(err)
	}
	records, _, err := open(t, url).Get(ctx, online.Read{Keys: [][]byte{[]byte("k")}})
	if err != nil || records[0] != nil {
		t.Errorf("got %q, %v", records[0], err)
	}
}

func client(t testing.TB, url string) *driver.Client {
	t.Helper()
	o, err := driver.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := driver.NewClient(o)
	t.Cleanup(func() { c.Close() })
	return c
}

// A server that has evicted keys is refused although its policy is right again, until its statistics are reset, also by a
// process that has not seen it before.
func TestAServerThatHasEvictedIsRefused(t *testing.T) {
	url := redistest.Start(t, "--maxmemory-policy", "noeviction")
	admin := client(t, url)
	do := func(args ...any) {
		t.Helper()
		if err := admin.Do(ctx, args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	evict := func() {
		t.Helper()
		do("config", "set", "maxmemory-policy", "allkeys-lru")
		for i := range 100 {
			do("set", fmt.Sprint("key-", i), strings.Repeat("x", 1000))
		}
		do("config", "set", "maxmemory", "1")
		_ = admin.Do(ctx, "set", "one", "more") // evicts all others; it may not fit itself
		do("config", "set", "maxmemory", "0")
		do("config", "set", "maxmemory-policy", "noeviction")
	}
	b := open(t, url)
	check := func(b *redis.Backend, kind error, says ...string) {
		t.Helper()
		warning, err := checked(b)
		if kind != nil {
			isKind(t, err, kind, says...)
			return
		}
		if err != nil || len(says) == 0 != (warning == "") {
			t.Fatalf("got %q, %v", warning, err)
		}
	}
	check(b, nil)
	evict()
	check(b, fstore.ErrInvalid, "has evicted", "keys", "materialize --full", "resetstat")
	check(b, fstore.ErrInvalid, "has evicted")
	check(open(t, url), online.ErrLost, "has evicted", "keys", "materialize --full", "resetstat")
	do("config", "resetstat")
	check(b, nil)
	check(open(t, url), nil)
	evict()
	check(b, fstore.ErrInvalid, "has evicted")
	do("config", "resetstat")
	evict() // before the next look
	check(b, fstore.ErrInvalid, "has evicted")
}

// A pipeline that gets no connection fails all its reads: the driver leaves their commands without an error.
func TestReadsOfAPipelineWithoutAConnectionFail(t *testing.T) {
	url := redistest.Start(t, "--requirepass", "right")
	b := open(t, strings.Replace(url, "unix://", "unix://:secret@", 1))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				if _, _, err := b.Get(ctx, online.Read{Keys: [][]byte{[]byte("k")}}); !errors.Is(err, fstore.ErrInvalid) {
					t.Errorf("got %v, want ErrInvalid", err)
				}
			}
		})
	}
	all.Wait()
}

// checked returns the warnings of Check as one text.
func checked(b *redis.Backend) (warnings string, err error) {
	all, err := b.Check(ctx)
	if len(all) > 0 {
		warnings = errors.Join(all...).Error()
	}
	return warnings, err
}
