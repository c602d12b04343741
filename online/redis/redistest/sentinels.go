package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// PrimaryName is the name that the sentinels know the primary by.
const PrimaryName = "features"

// Config is what NewSentinels may be told.
type Config struct {
	Password         string   // of the servers' default user
	SentinelPassword string   // of the sentinels' default user
	TLS              *TLS     // of all servers; then StopReplication does not work
	Args             []string // further arguments of each server
	Sentinel         []string // further lines of each sentinel's configuration
	Valkey           bool     // valkey-server instead of redis-server; skips the test where there is none
	Nodes            int      // 0: three, the first of which is the primary at first
}

// Sentinels is a primary with its replicas and three sentinels, which are quick to fail over: within about two
// seconds.
type Sentinels struct {
	URL   string // of database 0
	Nodes []*Node

	t         testing.TB
	config    Config
	command   string
	sentinels []*Server
	ports     []string // of the sentinels
}

// NewSentinels starts the servers. They stop at the end of the test.
func NewSentinels(t testing.TB, c Config) *Sentinels {
	t.Helper()
	if c.Nodes == 0 {
		c.Nodes = 3
	}
	s := &Sentinels{t: t, config: c}
	if c.Valkey {
		s.command = valkey(t)
	}
	for range c.Nodes {
		s.Nodes = append(s.Nodes, s.node())
	}
	s.await("replicas", s.replicated)
	for range 3 {
		s.ports = append(s.ports, freePort(t))
	}
	for i := range s.ports {
		s.sentinels = append(s.sentinels, s.sentinel(i))
	}
	hosts := "127.0.0.1:" + strings.Join(s.ports, ",127.0.0.1:")
	user, options := "", []string(nil)
	if c.Password != "" {
		user = ":" + c.Password + "@"
	}
	if c.SentinelPassword != "" {
		options = append(options, "sentinel_password="+c.SentinelPassword)
	}
	if c.TLS != nil {
		options = append(options, c.TLS.Options())
	}
	s.URL = "redis" + s.secure() + "+sentinel://" + user + hosts + "/" + PrimaryName + "/0?" + strings.Join(options, "&")
	s.await("sentinels", s.watched)
	return s
}

func (s *Sentinels) secure() string {
	if s.config.TLS != nil {
		return "s"
	}
	return ""
}

// node starts the next node: a replica of the first one.
func (s *Sentinels) node() *Node {
	s.t.Helper()
	dir := socketDir(s.t)
	socket, port := filepath.Join(dir, "redis.sock"), freePort(s.t)
	n := &Node{Addr: "127.0.0.1:" + port, port: port}
	args := []string{
		"--unixsocket", socket, "--dir", dir, "--replica-announce-ip", "127.0.0.1", "--replica-announce-port", port,
		"--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
	}
	if len(s.Nodes) > 0 {
		args = append(args, "--replicaof", "127.0.0.1", s.Nodes[0].port)
	}
	url := "unix://" + socket + "?db=0"
	if s.config.Password != "" {
		args = append(args, "--requirepass", s.config.Password, "--masterauth", s.config.Password)
		url = "unix://:" + s.config.Password + "@" + socket + "?db=0"
	}
	if s.config.TLS == nil {
		n.proxy = newProxy(port, socket)
		args = append(args, "--port", "0")
	} else {
		args = append(append(args, "--port", "0", "--tls-port", port, "--tls-replication", "yes", "--bind", "127.0.0.1"), s.config.TLS.Args()...)
	}
	n.Server = &Server{URL: url, t: s.t, command: s.command, args: append(args, s.config.Args...)}
	n.Restart()
	s.t.Cleanup(n.Kill)
	return n
}

// sentinel starts a sentinel that knows all others.
func (s *Sentinels) sentinel(i int) *Server {
	s.t.Helper()
	dir := s.t.TempDir()
	lines := []string{
		"bind 127.0.0.1", "dir " + dir, fmt.Sprintf("sentinel myid %040d", i+1),
		"sentinel monitor " + PrimaryName + " 127.0.0.1 " + s.Nodes[0].port + " 2",
		"sentinel down-after-milliseconds " + PrimaryName + " 600",
		"sentinel failover-timeout " + PrimaryName + " 2000",
		"sentinel parallel-syncs " + PrimaryName + " 5",
	}
	if s.config.TLS == nil {
		lines = append(lines, "port "+s.ports[i])
	} else {
		lines = append(lines, "port 0", "tls-port "+s.ports[i], "tls-replication yes")
		lines = append(lines, s.config.TLS.lines()...)
	}
	if s.config.Password != "" {
		lines = append(lines, "sentinel auth-pass "+PrimaryName+" "+s.config.Password)
	}
	if s.config.SentinelPassword != "" {
		lines = append(lines, "requirepass "+s.config.SentinelPassword)
	}
	for _, n := range s.Nodes[1:] {
		lines = append(lines, "sentinel known-replica "+PrimaryName+" 127.0.0.1 "+n.port)
	}
	for other, port := range s.ports {
		if other != i {
			lines = append(lines, fmt.Sprintf("sentinel known-sentinel %s 127.0.0.1 %s %040d", PrimaryName, port, other+1))
		}
	}
	lines = append(lines, s.config.Sentinel...)
	file := filepath.Join(dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	server := &Server{t: s.t, command: s.command, args: []string{file, "--sentinel"}, sentinel: true}
	server.Restart()
	s.t.Cleanup(server.Kill)
	return server
}

// Sentinel returns a sentinel, by its number from 0.
func (s *Sentinels) Sentinel(i int) *Server { return s.sentinels[i] }

// Primary returns the node that the sentinels call the primary.
func (s *Sentinels) Primary() *Node {
	s.t.Helper()
	var primary *Node
	s.await("a primary", func() error {
		var err error
		primary, err = s.primary()
		return err
	})
	return primary
}

// Replicas returns the nodes that are up, apart from the primary.
func (s *Sentinels) Replicas() []*Node {
	s.t.Helper()
	primary, out := s.Primary(), []*Node(nil)
	for _, n := range s.Nodes {
		if n != primary && n.child != nil {
			out = append(out, n)
		}
	}
	return out
}

// Settle waits until all nodes that are up replicate the primary, and have everything, and until the sentinels know
// it. Replication must not be stopped.
func (s *Sentinels) Settle() {
	s.t.Helper()
	s.await("replicas", s.replicated)
	s.await("sentinels", s.watched)
}

// await calls a function until it succeeds.
func (s *Sentinels) await(what string, ready func() error) {
	s.t.Helper()
	var err error
	for end := time.After(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if err = ready(); err == nil {
			return
		}
		select {
		case <-end:
			s.t.Fatalf("waited a minute for %s: %v", what, err)
		default:
		}
	}
}
