package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"
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

// Node is one of the servers that hold the data.
type Node struct {
	*Server        // its URL goes to this node
	Addr    string // as the sentinels give it to clients
	port    string
	proxy   *proxy // nil with TLS
}

// Kill ends the node, and refuses connections to it.
func (n *Node) Kill() {
	n.Server.Kill()
	if n.proxy != nil {
		n.proxy.down()
	}
}

// Restart starts a killed node again, which is empty. The sentinels make it a replica of the primary.
func (n *Node) Restart() {
	n.t.Helper()
	if n.child != nil {
		return
	}
	n.Server.Restart()
	if n.proxy != nil {
		if err := n.proxy.up(); err != nil {
			n.t.Fatal(err)
		}
	}
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

// Failover waits until the sentinels have made another node the primary, and until it is one.
func (s *Sentinels) Failover(from *Node) *Node {
	s.t.Helper()
	var primary *Node
	s.await("a failover", func() error {
		var err error
		if primary, err = s.primary(); err != nil {
			return err
		}
		if primary == from {
			return fmt.Errorf("%s is still the primary", from.Addr)
		}
		for i, sentinel := range s.sentinels {
			if sentinel.child == nil {
				continue
			}
			// One that hangs does not count.
			if reply, err := s.at(i, "get-master-addr-by-name", PrimaryName); err == nil && reply.([]any)[1] != primary.port {
				return fmt.Errorf("sentinel %d has not heard of it", i)
			}
		}
		return primary.is("master")
	})
	return primary
}

// Promote makes the sentinels fail over to a replica, although the primary is up.
func (s *Sentinels) Promote(to *Node) {
	s.t.Helper()
	for _, n := range s.Nodes {
		priority := 0 // never
		if n == to {
			priority = 1
		}
		if n.child != nil {
			s.must(n.do("config", "set", "replica-priority", priority))
		}
	}
	s.await("the priorities", func() error { return s.knowsPriority(to) })
	s.await("a forced failover", func() error { // which the sentinels may give up, or refuse while another is under way
		_, refused := s.at(s.anySentinel(), "failover", PrimaryName) // of two, each might promote another
		if got, err := s.primary(); err != nil || got != to {
			return fmt.Errorf("the primary is %v: %w", got, errors.Join(refused, err))
		}
		return to.is("master")
	})
	for _, n := range s.Nodes {
		if n.child != nil {
			s.must(n.do("config", "set", "replica-priority", 100))
		}
	}
}

// anySentinel returns the number of a sentinel that is up.
func (s *Sentinels) anySentinel() int {
	return slices.IndexFunc(s.sentinels, func(sentinel *Server) bool { return sentinel.child != nil })
}

// StopReplication holds back what replicas (all, without arguments) are sent from now on, by any primary. They keep
// what they have, and go on as if nothing was written. If their primary is killed, what was held back is lost.
func (s *Sentinels) StopReplication(replicas ...*Node) { s.hold(true, replicas) }

// ResumeReplication undoes StopReplication.
func (s *Sentinels) ResumeReplication(replicas ...*Node) { s.hold(false, replicas) }

func (s *Sentinels) hold(stopped bool, replicas []*Node) {
	if len(replicas) == 0 {
		replicas = s.Nodes
	}
	for _, from := range s.Nodes {
		for _, to := range replicas {
			from.proxy.hold(to.port, stopped)
		}
	}
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

func (s *Sentinels) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *Sentinels) primary() (*Node, error) {
	reply, err := s.ask("get-master-addr-by-name", PrimaryName)
	if err != nil {
		return nil, err
	}
	addr := reply.([]any)
	for _, n := range s.Nodes {
		if n.Addr == net.JoinHostPort(addr[0].(string), addr[1].(string)) {
			return n, nil
		}
	}
	return nil, fmt.Errorf("the sentinels know %v as the primary", addr)
}

// replicated reports whether the replicas have all that the primary has.
func (s *Sentinels) replicated() error {
	primary := s.Nodes[0]
	if s.sentinels != nil {
		var err error
		if primary, err = s.primary(); err != nil {
			return err
		}
	}
	want, err := primary.info("master_repl_offset")
	if err != nil {
		return err
	}
	for _, n := range s.Nodes {
		if n == primary || n.child == nil {
			continue
		}
		if status, err := n.info("master_link_status"); err != nil || status != "up" {
			return fmt.Errorf("the link of %s is %s: %v", n.Addr, status, err)
		}
		if port, err := n.info("master_port"); err != nil || port != primary.port {
			return fmt.Errorf("%s replicates %s: %v", n.Addr, port, err)
		}
		if got, err := n.info("slave_repl_offset"); err != nil || len(got) < len(want) || len(got) == len(want) && got < want {
			return fmt.Errorf("%s is at %s, and the primary at %s: %v", n.Addr, got, want, err)
		}
	}
	return nil
}

// watched reports whether each sentinel that is up sees the nodes that are up, and the sentinels are able to fail
// over.
func (s *Sentinels) watched() error {
	up := 0
	for _, n := range s.Nodes {
		if n.child != nil {
			up++
		}
	}
	for i, sentinel := range s.sentinels {
		if sentinel.child == nil {
			continue
		}
		_, err := s.at(i, "debug", "ping-period", 300, "info-period", 100, "publish-period", 500, "ask-period", 100, "tilt-trigger", 60_000, "tilt-period", 100)
		if err != nil && !strings.Contains(err.Error(), "Unknown") { // Redis 6 has no such command: it is slower
			return err
		}
		if _, err := s.at(i, "ckquorum", PrimaryName); err != nil {
			return err
		}
		reply, err := s.at(i, "replicas", PrimaryName)
		if err != nil {
			return err
		}
		healthy := 0
		for _, replica := range reply.([]any) {
			if field(replica, "flags") == "slave" && field(replica, "master-link-status") == "ok" {
				healthy++
			}
		}
		if healthy != up-1 {
			return fmt.Errorf("sentinel %d sees %d replicas", i, healthy)
		}
	}
	return nil
}

func (s *Sentinels) knowsPriority(to *Node) error {
	for i, sentinel := range s.sentinels {
		if sentinel.child == nil {
			continue
		}
		reply, err := s.at(i, "replicas", PrimaryName)
		if err != nil {
			return err
		}
		for _, replica := range reply.([]any) {
			if got := field(replica, "slave-priority"); (got == "1") != (field(replica, "port") == to.port) {
				return fmt.Errorf("sentinel %d sees the priority %s", i, got)
			}
		}
	}
	return nil
}

// field returns a field of a reply that is a list of names and values.
func field(reply any, name string) string {
	list := reply.([]any)
	for i := 0; i+1 < len(list); i += 2 {
		if list[i] == name {
			return list[i+1].(string)
		}
	}
	return ""
}

// ask sends a command to the first sentinel that answers.
func (s *Sentinels) ask(args ...any) (reply any, err error) {
	for i := range s.sentinels {
		if reply, err = s.at(i, args...); err == nil {
			return reply, nil
		}
	}
	return nil, err
}

func (s *Sentinels) at(i int, args ...any) (any, error) {
	o := &driver.Options{Addr: "127.0.0.1:" + s.ports[i], Password: s.config.SentinelPassword}
	if s.config.TLS != nil {
		o.TLSConfig = s.config.TLS.client()
	}
	return do(o, append([]any{"sentinel"}, args...))
}

// do sends a command to the node itself.
func (n *Node) do(args ...any) error {
	_, err := n.reply(args...)
	return err
}

func (n *Node) reply(args ...any) (any, error) {
	o, err := driver.ParseURL(n.URL)
	if err != nil {
		return nil, err
	}
	return do(o, args)
}

// is returns an error if the node does not have a role.
func (n *Node) is(role string) error {
	got, err := n.info("role")
	if err == nil && got != role {
		err = fmt.Errorf("%s is a %s", n.Addr, got)
	}
	return err
}

// info returns a field of the node's INFO replication.
func (n *Node) info(name string) (string, error) {
	reply, err := n.reply("info", "replication")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(reply.(string)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value, nil
		}
	}
	return "", nil
}

var quiet = sync.OnceFunc(func() { driver.SetLogger(silent{}) })

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// do sends one command over a connection of its own. It gives up soon, because a server may be paused.
func do(o *driver.Options, args []any) (any, error) {
	quiet()
	o.Protocol, o.MaxRetries, o.DialerRetries, o.DisableIdentity, o.ContextTimeoutEnabled = 2, -1, 1, true, true
	c := driver.NewClient(o)
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return c.Do(ctx, args...).Result()
}
