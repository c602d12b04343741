package system

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// with returns the repo with another online store.
func (s *redisShop) with(url string) *repo {
	return &repo{t: s.t, dir: s.dir, env: append(slices.Clone(s.env), "FSTORE_ONLINE="+url)}
}

// A Redis that cannot be used as it is set up, or cannot be used now: what each command says and ends with. No message
// holds the password.
func TestARedisThatCannotBeUsed(t *testing.T) {
	shop := newRedisShop(t, "")
	shop.cli("acl", "setuser", "app", "on", ">right", "~*", "+@all")
	shop.cli("acl", "setuser", "weak", "on", ">geheim", "~*", "+@all", "-mget")
	shop.cli("acl", "setuser", "reader", "on", ">geheim", "~*", "+mget", "+ping")
	url := func(user string) string { return strings.Replace(shop.wire.URL, "redis://", "redis://"+user, 1) }
	nobody := newWire(t, shop.dir+"/no.sock")
	const auth = "check user and password"
	for _, c := range []struct {
		name, url string
		answer    string // of the wire, whatever is asked
		swallow   bool   // the wire lets no answer through
		do, undo  []string
		says      string

		materialize, get, serve, doctor int // exit statuses; -1: serve begins
	}{
		{name: "a wrong password", url: url("app:geheim@"), says: auth, materialize: 1, get: 1, serve: 1, doctor: 4},
		{name: "a user that there is not", url: url("nobody:geheim@"), says: auth, materialize: 1, get: 1, serve: 1, doctor: 4},
		{name: "a user who may not read", url: url("weak:geheim@"), says: "grant the user", materialize: 1, get: 1, serve: 1, doctor: 4},
		{name: "a user who may only read", url: url("reader:geheim@"), says: "grant the user", materialize: 1, serve: -1},
		{name: "a database that there is not", url: strings.TrimSuffix(url("app:right@"), "0") + "99", says: "no database with the number", materialize: 1, get: 1, serve: 1, doctor: 4},
		{
			name: "it evicts", url: url("app:right@"), says: "maxmemory-policy is allkeys-lru", materialize: 1, serve: 1, doctor: 4,
			do: []string{"config", "set", "maxmemory-policy", "allkeys-lru"}, undo: []string{"config", "set", "maxmemory-policy", "noeviction"},
		},
		{
			name: "it is a replica", url: url("app:right@"), says: "the URL must name the primary", materialize: 6, serve: -1, doctor: 4,
			do: []string{"replicaof", "127.0.0.1", "1"}, undo: []string{"replicaof", "no", "one"},
		},
		{name: "it is no Redis", url: url("app:geheim@"), answer: "HTTP/1.1 400 Bad Request\r\n\r\n", says: "not a Redis server", materialize: 1, get: 1, serve: 1, doctor: 4},
		{name: "it loads its data", url: url("app:geheim@"), answer: "-LOADING Redis is loading the dataset in memory\r\n", says: "it is loading its data", materialize: 6, get: 6, serve: -1, doctor: 4},
		{name: "it closes connections", url: strings.Replace(nobody.URL, "redis://", "redis://app:geheim@", 1), says: "the server closes connections", materialize: 6, get: 6, serve: -1, doctor: 4},
		{name: "it hangs", url: url("app:geheim@") + "?dial_timeout=200ms&read_timeout=200ms", swallow: true, says: "the server may be overloaded or hung", materialize: 6, get: 6, serve: -1, doctor: 4},
		{name: "nobody is there", url: "redis://app:geheim@127.0.0.1:1/0", says: "connection refused", materialize: 6, get: 6, serve: -1, doctor: 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.do != nil {
				shop.cli(c.do...)
				defer shop.cli(c.undo...)
			}
			shop.wire.set(wireMode{answer: c.answer, swallow: c.swallow})
			r := shop.with(c.url)
			r.t = t
			for _, run := range []struct {
				want int
				args []string
			}{
				{c.materialize, []string{"materialize", "customer_orders", "--to", "2025-12-01"}},
				{c.get, []string{"get", "--service", "churn", "--entity", "customer_id=12003"}},
				{c.doctor, []string{"doctor"}},
				{0, []string{"apply", "--yes"}}, // it does not depend on the store
				{c.serve, []string{"serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}},
			} {
				if run.want < 0 {
					s := r.serveUnready()
					if code, text := s.get(t, "/healthz"); code != 200 {
						t.Errorf("healthz: %d %s", code, text)
					}
					s.kill()
					continue
				}
				got := unlessLate(r.run(run.args...))
				text := got.stdout + got.stderr
				if got.status != run.want {
					t.Errorf("%s: exit status %d, want %d\n%s", run.args[0], got.status, run.want, text)
				}
				if run.want > 0 && !strings.Contains(text, c.says) {
					t.Errorf("%s does not say %q:\n%s", run.args[0], c.says, text)
				}
				if strings.Contains(text, "geheim") {
					t.Errorf("%s tells the password:\n%s", run.args[0], text)
				}
			}
		})
	}
}

// What the program is told while it serves: a password that is changed, a right that is taken away.
func TestRedisRefusesWhileServing(t *testing.T) {
	shop := newRedisShop(t, "")
	shop.cli("acl", "setuser", "app", "on", ">geheim", "~*", "+@all")
	r := shop.with(strings.Replace(shop.wire.URL, "redis://", "redis://app:geheim@", 1))
	s := r.serve()
	want := firstAnswer(t, s)
	for _, c := range []struct {
		do, undo []string
		says     string // in the log
	}{
		{[]string{"acl", "setuser", "app", "-mget"}, []string{"acl", "setuser", "app", "+mget"}, "grant the user"},
		{[]string{"acl", "setuser", "app", "resetpass", ">other"}, []string{"acl", "setuser", "app", ">geheim"}, "WRONGPASS"},
	} {
		shop.cli(c.do...)
		shop.wire.cut()                                                                                     // a password counts for new connections
		for end := time.Now().Add(patience(10 * time.Second)); !strings.Contains(s.log.String(), c.says); { // which tells once a second
			answer, err := churnOf(s, 0)
			if status.Code(err) != codes.Unavailable || strings.Contains(err.Error(), "app") {
				t.Fatalf("%v: got %v, %v\n%s", c.do, answer, err, s.log)
			}
			if time.Now().After(end) {
				t.Fatalf("the log does not say %q:\n%s", c.says, s.log)
			}
		}
		if code, text := s.get(t, "/readyz"); code != 200 {
			t.Errorf("%v: readyz: %d %s", c.do, code, text)
		}
		shop.cli(c.undo...)
		recovers(t, s, want, 3*time.Second)
	}
	if log := s.log.String(); strings.Contains(log, "geheim") {
		t.Errorf("the log tells the password:\n%s", log)
	}
}
