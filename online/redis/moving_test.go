package redis_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis"
	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// script is what a scripted sentinel knows.
type script struct {
	primary string // host:port
	replica string // likewise; "": none
	epoch   int
}

// scripted is a sentinel that answers as a test says.
type scripted struct {
	addr string

	mu   sync.Mutex // guards the rest
	says script
	next map[string]script // by subcommand: what it knows from after its next answer to it on
}

func newScripted(t *testing.T, says script) *scripted {
	t.Helper()
	s := &scripted{says: says, next: map[string]script{}}
	s.addr = answering(t, s.answer)
	return s
}

// answering starts a server that answers as a function says, and returns its address.
func answering(t *testing.T, answer func(args []string) string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, answer) // until the client is closed
		}
	}()
	return l.Addr().String()
}

func (s *scripted) set(says script) {
	s.mu.Lock()
	s.says = says
	s.mu.Unlock()
}

// serve answers the commands of a client until it leaves.
func serve(conn net.Conn, answer func(args []string) string) {
	defer conn.Close()
	for in := bufio.NewReader(conn); ; {
		var n, size int
		if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil {
			return
		}
		args := make([]string, n)
		for i := range args {
			if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
				return
			}
			arg := make([]byte, size+len("\r\n"))
			if _, err := io.ReadFull(in, arg); err != nil {
				return
			}
			args[i] = string(arg[:size])
		}
		if _, err := io.WriteString(conn, answer(args)); err != nil {
			return
		}
	}
}

func (s *scripted) answer(args []string) string {
	if !strings.EqualFold(args[0], "sentinel") {
		return "-ERR unknown command\r\n"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	host, port, _ := net.SplitHostPort(s.says.primary)
	out := "*0\r\n"
	switch command := strings.ToLower(args[1]); command {
	case "get-master-addr-by-name":
		out = array(host, port)
	case "replicas":
		if host, port, err := net.SplitHostPort(s.says.replica); err == nil {
			out = "*1\r\n" + array("ip", host, "port", port, "flags", "slave", "master-link-status", "ok")
		}
	case "master":
		out = array("ip", host, "port", port, "config-epoch", strconv.Itoa(s.says.epoch))
	}
	if later, ok := s.next[strings.ToLower(args[1])]; ok {
		delete(s.next, strings.ToLower(args[1]))
		s.says = later
	}
	return out
}

func array(words ...string) string {
	out := fmt.Sprintf("*%d\r\n", len(words))
	for _, w := range words {
		out += fmt.Sprintf("$%d\r\n%s\r\n", len(w), w)
	}
	return out
}

// failedOver starts two servers, the primary before a failover and the one after it, that differ in the value of k.
func failedOver(t *testing.T) (before, after script, disconnect func()) {
	t.Helper()
	var scripts []script
	for i, value := range []string{"before", "after"} {
		url := redistest.StartTCP(t)
		if err := client(t, url).Set(ctx, "k", value, 0).Err(); err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, script{primary: strings.TrimSuffix(strings.TrimPrefix(url, "redis://"), "/0"), epoch: 1 + i})
	}
	return scripts[0], scripts[1], func() {
		t.Helper()
		if err := client(t, "redis://"+scripts[1].primary).Do(ctx, "client", "kill", "type", "normal", "skipme", "yes").Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func follow(t *testing.T, all ...*scripted) *redis.Backend {
	t.Helper()
	var addrs []string
	for _, s := range all {
		addrs = append(addrs, s.addr)
	}
	b := open(t, "redis+sentinel://"+strings.Join(addrs, ",")+"/features")
	t.Cleanup(func() { b.Close() })
	return b
}

// A sentinel that hears of a failover between two commands must not pass off the old primary as the new one.
func TestASentinelThatHearsOfAFailoverBetweenTwoCommands(t *testing.T) {
	before, after, _ := failedOver(t)
	for _, command := range []string{"get-master-addr-by-name", "master"} {
		t.Run(command, func(t *testing.T) {
			s := newScripted(t, before)
			s.next[command] = after
			if _, got := get(t, follow(t, s), "k", online.Read{}); got != "after" {
				t.Errorf("got %q from the old primary", got)
			}
		})
	}
}

// Sentinels that missed a failover, or have lost their configuration, do not lead back to the old primary.
func TestSentinelsThatMissedAFailoverLeadNowhere(t *testing.T) {
	before, after, disconnect := failedOver(t)
	for name, behind := range map[string]int{"one of three": 1, "two of three": 2, "all": 3} {
		t.Run(name, func(t *testing.T) {
			all := []*scripted{newScripted(t, after), newScripted(t, after), newScripted(t, after)}
			b := follow(t, all...)
			if _, got := get(t, b, "k", online.Read{}); got != "after" {
				t.Fatalf("got %q", got)
			}
			for _, s := range all[:behind] {
				s.set(before)
			}
			for range 10 {
				disconnect()
				_, ptrs, err := b.Get(ctx, online.Read{Pointers: [][]byte{[]byte("k")}})
				switch {
				case err == nil && string(ptrs[0]) != "after":
					t.Errorf("got %q from the old primary", ptrs[0])
				case err != nil && (behind == 1 || !errors.Is(err, fstore.ErrUnavailable) || !strings.Contains(err.Error(), "missed a failover")):
					t.Error(err)
				case err == nil && behind == 3:
					t.Error("sentinels that all missed the failover are believed")
				}
			}
			for _, s := range all {
				s.set(after)
			}
			succeeds(t, func() error { _, _, err := b.Get(ctx, online.Read{Pointers: [][]byte{[]byte("k")}}); return err })
		})
	}
}

// A primary that was demoted while it is up goes on answering until the sentinels tell it. Replicated asks them, so calls after it
// go to the new one: a promotion that looks again sees what that has.
func TestReplicatedHearsOfAFailover(t *testing.T) {
	before, after, _ := failedOver(t)
	s := newScripted(t, before)
	b := follow(t, s)
	isAt := func(where, value string) {
		t.Helper()
		if warning, err := b.Replicated(ctx); err != nil || !strings.Contains(warning, where+", the primary features: the primary has no replica") {
			t.Errorf("got %q, %v", warning, err)
		}
		if _, got := get(t, b, "k", online.Read{}); got != value {
			t.Errorf("got %q, want %q", got, value)
		}
	}
	isAt(before.primary, "before")
	s.set(after)
	isAt(after.primary, "after")
	s.set(before)
	_, err := b.Replicated(ctx)
	isKind(t, err, fstore.ErrUnavailable, "missed a failover")
}

// demoted is a server that has the value before, and behaves as one that is demoted: it has its own answers to some commands.
func demoted(t *testing.T, own func(command string) (answer string)) script {
	t.Helper()
	return script{epoch: 1, primary: answering(t, func(args []string) string {
		command := strings.ToLower(args[0])
		if answer := own(command); answer != "" {
			return answer
		}
		switch command {
		case "mget":
			return array(slices.Repeat([]string{"before"}, len(args)-1)...)
		case "ping", "multi", "mset":
			return "+OK\r\n"
		}
		return "-ERR unknown command\r\n"
	})}
}

// What a replica of the old primary has confirmed does not count.
func TestReplicatedHearsOfAFailoverWhileItWaits(t *testing.T) {
	_, after, _ := failedOver(t)
	s := newScripted(t, script{})
	s.set(demoted(t, func(command string) string {
		switch command {
		case "info":
			return array("connected_slaves:1")[len("*1\r\n"):]
		case "wait":
			s.set(after)
			return ":1\r\n"
		}
		return ""
	}))
	b := follow(t, s)
	if warning, err := b.Replicated(ctx); err != nil || !strings.Contains(warning, after.primary) {
		t.Errorf("got %q, %v", warning, err)
	}
	if _, got := get(t, b, "k", online.Read{}); got != "after" {
		t.Errorf("got %q from the old primary", got)
	}
}

// A server that refuses a commit as a replica is not read from as the primary, over any connection.
func TestAServerThatRefusesACommitAsAReplicaIsLeft(t *testing.T) {
	_, after, _ := failedOver(t)
	const why = "You can't write against a read only replica."
	for name, own := range map[string]map[string]string{
		"while it is queued":   {"mset": "-READONLY " + why, "exec": "-EXECABORT Transaction discarded because of previous errors."},
		"when it is executed":  {"exec": "-EXECABORT Transaction discarded because of: " + why},
		"without a reason why": {"exec": "-READONLY " + why},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScripted(t, script{})
			s.set(demoted(t, func(command string) string {
				if answer, ok := own[command]; ok {
					return answer + "\r\n"
				}
				return ""
			}))
			b := follow(t, s)
			b.AddHook(hook{func() { // the commit has one connection, and this read opens another
				if _, got := get(t, b, "k", online.Read{}); got != "before" {
					t.Errorf("got %q before the failover", got)
				}
				s.set(after)
			}})
			isKind(t, set(b, "k", "lost"), fstore.ErrUnavailable, "read only replica")
			if _, got := get(t, b, "k", online.Read{}); got != "after" {
				t.Errorf("got %q from the old primary", got)
			}
		})
	}
}

// Reads under way at the old primary, and those that wait for one, are answered by the new one.
func TestReadsUnderWayFollowAFailover(t *testing.T) {
	_, after, _ := failedOver(t)
	s := newScripted(t, script{})
	hung, asked := make(chan struct{}), make(chan struct{}, 100)
	defer close(hung)
	s.set(demoted(t, func(command string) string {
		if command == "mget" {
			asked <- struct{}{}
			<-hung
		}
		return ""
	}))
	b := follow(t, s)
	var reading sync.WaitGroup
	for range 10 {
		reading.Go(func() {
			if _, ptrs, err := b.Get(ctx, online.Read{Pointers: [][]byte{[]byte("k")}}); err != nil || string(ptrs[0]) != "after" {
				t.Errorf("got %q, %v", ptrs, err)
			}
		})
	}
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Fatal("nobody reads")
	}
	s.set(after)
	if _, err := b.Replicated(ctx); err != nil {
		t.Error(err)
	}
	reading.Wait()
}
