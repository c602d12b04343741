package redistest

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	driver "github.com/redis/go-redis/v9"
)

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
	replicas := 0
	for _, n := range s.Nodes {
		if n == primary || n.child == nil {
			continue
		}
		replicas++
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
	// With min-replicas-to-write, a primary refuses writes until it has counted them, which it does once a second.
	if good, err := primary.info("min_slaves_good_slaves"); err != nil || good != "" && good != strconv.Itoa(replicas) {
		return fmt.Errorf("the primary counts %s of %d replicas: %v", good, replicas, err)
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
