package redis

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fstore-dev/fstore"
	driver "github.com/redis/go-redis/v9"
)

// sentinels find the primary and its replicas. Each question goes to all sentinels at once, so one that hangs, perhaps
// because it died together with the primary, does not delay the answer.
type sentinels struct {
	primary   string
	addrs     string // for messages
	transport *transport
	clients   []*driver.SentinelClient
	asking    sync.WaitGroup
}

func newSentinels(l *sentinelLocation, t *transport) *sentinels {
	s := &sentinels{primary: l.primary, addrs: strings.Join(l.addrs, ", "), transport: t}
	for _, addr := range l.addrs {
		o := l.options(addr)
		o.Dialer = t.dial
		s.clients = append(s.clients, driver.NewSentinelClient(o))
	}
	return s
}

// servers are where a client may connect, as the sentinels say.
type servers struct {
	addrs []string
	epoch int64 // of the primary's configuration: each failover has a higher one; 0 for replicas
}

// findPrimary returns the address of the primary. A sentinel that has not heard of a failover yet has an older epoch.
func (s *sentinels) findPrimary(ctx context.Context) (servers, error) {
	newest := servers{epoch: -1}
	err := s.ask(ctx, func(ctx context.Context, c *driver.SentinelClient) (func(), error) {
		found, err := s.primaryOf(ctx, c)
		return func() {
			if found.epoch > newest.epoch {
				newest = found
			}
		}, err
	})
	return newest, err
}

// primaryOf asks one sentinel. MASTER has the epoch, but while a failover reconfigures the replicas, it still has the old
// address. A sentinel may hear of a failover between two commands, so the address counts only if the epoch is the same before
// and after it.
func (s *sentinels) primaryOf(ctx context.Context, c *driver.SentinelClient) (servers, error) {
	epoch := func() (int64, error) {
		reply, err := c.Master(ctx, s.primary).Result()
		if err != nil {
			return 0, err
		}
		return strconv.ParseInt(reply["config-epoch"], 10, 64)
	}
	for before, err := epoch(); ; {
		if err != nil {
			return servers{}, err
		}
		addr, err := c.GetMasterAddrByName(ctx, s.primary).Result()
		if err != nil {
			return servers{}, err
		}
		after, err := epoch()
		if err != nil {
			return servers{}, err
		}
		if after == before {
			return servers{[]string{net.JoinHostPort(addr[0], addr[1])}, after}, nil
		}
		before = after
	}
}

// findReplicas returns the addresses of the replicas that are up and have their primary's data. There may be none.
func (s *sentinels) findReplicas(ctx context.Context) (servers, error) {
	var out servers
	err := s.ask(ctx, func(ctx context.Context, c *driver.SentinelClient) (func(), error) {
		reply, err := c.Replicas(ctx, s.primary).Result()
		return func() {
			if out.addrs != nil {
				return
			}
			for _, r := range reply {
				if down := strings.Contains(r["flags"], "down") || strings.Contains(r["flags"], "disconnected"); !down && r["master-link-status"] == "ok" {
					out.addrs = append(out.addrs, net.JoinHostPort(r["ip"], r["port"]))
				}
			}
		}, err
	})
	return out, err
}

// ask asks all sentinels, and applies the replies one after the other: those of a majority, or those that come soon
// after the first. It returns an error if there is no reply.
func (s *sentinels) ask(ctx context.Context, question func(context.Context, *driver.SentinelClient) (apply func(), err error)) error {
	limited, cancel := context.WithTimeout(ctx, sentinelTimeout)
	type reply struct {
		apply func()
		err   error
	}
	replies := make(chan reply, len(s.clients)) // with room for those that nobody waits for
	var asked sync.WaitGroup
	for _, c := range s.clients {
		asked.Go(func() {
			apply, err := question(limited, c)
			replies <- reply{apply, err}
		})
	}
	s.asking.Go(func() {
		asked.Wait()
		cancel()
	})
	var failed []error
	var grace <-chan time.Time
	answers := 0
	for late := false; !late && answers <= len(s.clients)/2 && answers+len(failed) < len(s.clients); {
		select {
		case r := <-replies:
			if r.err != nil {
				failed = append(failed, r.err)
				continue
			}
			r.apply()
			if answers++; answers == 1 {
				grace = time.After(sentinelGrace)
			}
		case <-grace:
			late = true
		case <-ctx.Done():
			late = true
			failed = append(failed, ctx.Err())
		}
	}
	if answers == 0 {
		return s.failed(failed)
	}
	return nil
}

// failed explains why no sentinel has answered. What one of them refuses is said before what cannot be reached.
func (s *sentinels) failed(errs []error) error {
	for _, err := range errs {
		var refused driver.Error
		if !errors.As(err, &refused) {
			continue
		}
		message := fstore.Errorf(fstore.ErrInvalid, "the sentinels %s: %v", s.addrs, refused)
		switch {
		case strings.Contains(refused.Error(), "No such master"):
			return fstore.Errorf(fstore.ErrInvalid, "the sentinels %s know no primary %s", s.addrs, s.primary).
				WithHint("the online store's URL names it after the sentinels; redis-cli -p 26379 sentinel masters lists those that they know")
		case hasPrefix(refused, "NOAUTH", "WRONGPASS", "AUTH"):
			return message.WithHint("check sentinel_username and sentinel_password in the online store's URL: the sentinels have users of their own")
		case hasPrefix(refused, "NOPERM"):
			return message.WithHint("grant the sentinels' user SENTINEL GET-MASTER-ADDR-BY-NAME, MASTER and REPLICAS")
		case strings.Contains(refused.Error(), "unknown command"):
			return message.WithHint("what answers there is not a sentinel: they usually listen on port 26379")
		}
		return message
	}
	hint := "check that they run and can be reached"
	for _, err := range errs {
		if errors.Is(err, fstore.ErrInvalid) {
			return err
		}
		switch reason, kind := s.transport.explain(err); kind {
		case nil:
		case fstore.ErrInvalid:
			return fstore.Errorf(kind, "the sentinels %s: %v", s.addrs, err).WithHint("%s", reason)
		default:
			hint = reason
		}
	}
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = withoutPort(err)
	}
	slices.Sort(texts) // whichever failed first: serve logs what is new
	return fstore.Errorf(fstore.ErrUnavailable, "none of the sentinels %s answers: %s", s.addrs, strings.Join(slices.Compact(texts), "; ")).WithHint("%s", hint)
}

func hasPrefix(err error, prefixes ...string) bool {
	for _, p := range prefixes {
		if driver.HasErrorPrefix(err, p) {
			return true
		}
	}
	return false
}

func (s *sentinels) close() {
	for _, c := range s.clients {
		_ = c.Close() // no command is sent, so nothing can be lost
	}
	s.asking.Wait()
}
