package redis_test

import (
	"os"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis"
	"github.com/fstore-dev/fstore/online/redis/redistest"
	driver "github.com/redis/go-redis/v9"
)

// users returns the lines of the documentation that make users.
func users(t *testing.T) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/online.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "ACL SETUSER ") {
			lines = append(lines, strings.TrimSpace(strings.Replace(line, ">PASSWORD", ">secret", 1)))
		}
	}
	if len(lines) != 3 {
		t.Fatalf("docs/online.md has %q", lines)
	}
	return lines
}

func words(line string) (out []any) {
	for _, w := range strings.Fields(line) {
		out = append(out, w)
	}
	return out
}

// The users of the documentation may do what they are for, and nothing else.
func TestTheUsersOfTheDocumentation(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *redistest.Server{"redis": redistest.NewTCP, "valkey": redistest.NewValkey} {
		t.Run(name, func(t *testing.T) {
			url := start(t).URL
			admin := client(t, url)
			for _, line := range users(t)[:2] {
				if err := admin.Do(ctx, words(line)...).Err(); err != nil {
					t.Fatal(line, err)
				}
			}
			as := func(user string) string { return strings.Replace(url, "://", "://"+user+":secret@", 1) }
			writer, reader := open(t, as("fstore-materialize")), open(t, as("fstore-serve"))
			defer writer.Close()
			defer reader.Close()
			key, pointer := []byte("f{abc}12345678k"), []byte("fstore:shop:p:v@1")
			for _, c := range []online.Commit{
				{Set: []online.KV{{Key: key, Value: []byte("r")}, {Key: pointer, Value: []byte("p")}}},
				{Guards: []online.Guard{{Key: pointer, Want: []byte("p")}}, Delete: [][]byte{key}},
				{Guards: []online.Guard{{Key: key}}, Set: []online.KV{{Key: key, Value: []byte("r")}}},
			} {
				if err := writer.Commit(ctx, c); err != nil {
					t.Error(err)
				}
			}
			if err := writer.Scan(ctx, []byte("f{"), func([]byte) error { return nil }); err != nil {
				t.Error(err)
			}
			if _, err := writer.Replicated(ctx); err != nil {
				t.Error(err)
			}
			for _, b := range []*redis.Backend{writer, reader} {
				if warning, err := checked(b); warning != "" || err != nil {
					t.Error(warning, err)
				}
				if record, p := get(t, b, string(key), online.Read{}); record != "r" || p != "r" {
					t.Errorf("got %q and %q", record, p)
				}
			}
			isKind(t, reader.Commit(ctx, online.Commit{Delete: [][]byte{key}}), fstore.ErrInvalid, "grant")
			forbidden(t, client(t, as("fstore-serve")), append(others, "set "+string(key)+" x", "unlink "+string(key), "mset "+string(key)+" x", "scan 0", "multi", "wait 1 1"))
			forbidden(t, client(t, as("fstore-materialize")), others)
		})
	}
}

// others are commands that nobody needs.
var others = []string{
	"flushall", "flushdb", "config set maxmemory-policy allkeys-lru", "config get *", "keys *", "acl list", "acl setuser x on", "shutdown nosave", "replicaof no one",
	"eval return(1) 0", "subscribe x", "publish x y", "client kill type normal", "monitor", "mget other", "mset other x", "mget f", "save", "role", "script flush", "swapdb 0 1", "randomkey", "dbsize",
}

func forbidden(t *testing.T, c *driver.Client, commands []string) {
	t.Helper()
	for _, line := range commands {
		if err := c.Do(ctx, words(line)...).Err(); err == nil || !driver.HasErrorPrefix(err, "NOPERM") {
			t.Errorf("%s: got %v", line, err)
		}
	}
}

func TestTheSentinelsUserOfTheDocumentation(t *testing.T) {
	line := strings.Replace(users(t)[2], "ACL SETUSER ", "user ", 1)
	s := redistest.NewSentinels(t, redistest.Config{SentinelPassword: "other", Sentinel: []string{line}})
	url := strings.Replace(s.URL, "sentinel_password=other", "sentinel_username=fstore-sentinel&sentinel_password=secret", 1)
	b := open(t, url+"&read_from=replica")
	defer b.Close()
	if err := set(b, "k", "v"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Check(ctx); err != nil {
		t.Error(err)
	}
	s.Settle()
	if record, pointer := get(t, b, "k", online.Read{}); record != "v" || pointer != "v" {
		t.Errorf("got %q and %q", record, pointer)
	}
}
