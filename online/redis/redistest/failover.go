package redistest

import (
	"errors"
	"fmt"
	"slices"
)

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
			s.await("a priority", func() error { return n.do("config", "set", "replica-priority", priority) })
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
			s.await("a priority", func() error { return n.do("config", "set", "replica-priority", 100) })
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
