package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	driver "github.com/redis/go-redis/v9"
)

// Check implements online.Backend. It checks that the primary answers, lets this user read, evicts nothing and has evicted
// nothing. Behind sentinels it looks at every replica that is up: look-ups may read from it, and a failover may promote it. It
// does not write, so it finds only those refusals of writes that INFO tells.
func (b *Backend) Check(ctx context.Context) (warnings []error, err error) {
	info, err := inspect(ctx, b.primary.Client)
	if err != nil {
		return nil, b.failed(ctx, err)
	}
	primary := instance{b.where(nil), info}
	if err := primary.loses(); err != nil {
		return nil, err
	}
	if info["maxmemory_policy"] == "" {
		warnings = append(warnings, fmt.Errorf("%s: maxmemory-policy cannot be read; make sure that it is noeviction", primary.where))
	}
	if info["role"] == "slave" {
		warnings = append(warnings, fmt.Errorf("%s: it is a replica: look-ups work, but materialize needs its primary", primary.where))
	}
	if err := primary.refusesWrites(); err != nil {
		warnings = append(warnings, degraded(err))
	}
	if b.sentinels == nil {
		return warnings, nil
	}
	more, err := b.checkReplicas(ctx, primary)
	return append(warnings, more...), err
}

// degraded marks a warning that online.ErrDegraded describes.
func degraded(err error) error { return fmt.Errorf("%w: %w", online.ErrDegraded, err) }

// checkReplicas checks what look-ups may read and what a failover would promote.
func (b *Backend) checkReplicas(ctx context.Context, primary instance) (warnings []error, err error) {
	if primary.info["connected_slaves"] == "0" {
		warnings = append(warnings, fmt.Errorf("%s: the primary has no replica", primary.where))
	}
	if _, set := primary.info["min_slaves_good_slaves"]; primary.info != nil && !set {
		warnings = append(warnings, fmt.Errorf("%s: min-replicas-to-write is 0: a primary that is cut off from its sentinels goes on taking writes, which are lost; "+
			"set min-replicas-to-write 1 and min-replicas-max-lag 10", primary.where))
	}
	replicas, err := b.sentinels.findReplicas(ctx)
	if err != nil {
		return nil, b.failed(ctx, err)
	}
	for i, client := range b.observers.of(replicas.addrs) {
		replica := instance{where: "the replica " + replicas.addrs[i] + " of redis at " + b.addr}
		if replica.info, err = observe(ctx, client); err != nil {
			warnings = append(warnings, degraded(b.failedAt(ctx, replica.where, err)))
			continue
		}
		lossy := replica.loses()
		if lossy != nil && b.replicas != nil {
			return nil, lossy
		}
		for _, err := range []error{lossy, replica.smallerThan(primary)} {
			if err != nil {
				warnings = append(warnings, degraded(err))
			}
		}
	}
	return warnings, nil
}

// inspect reads from a server as a look-up does, and returns its INFO: nil if it does not tell.
func inspect(ctx context.Context, c *driver.Client) (map[string]string, error) {
	if err := c.Ping(ctx).Err(); err != nil {
		return nil, err
	}
	probe := online.Probe()
	if err := c.MGet(ctx, string(probe.Keys[0]), string(probe.Pointers[0])).Err(); err != nil {
		return nil, err
	}
	return info(ctx, c)
}

// informant is a client, or a connection.
type informant interface {
	Info(ctx context.Context, sections ...string) *driver.StringCmd
}

// info returns the INFO of a server, or nil if it does not tell: some managed servers do not, and some users may not ask. Any
// other error is one.
func info(ctx context.Context, c informant) (map[string]string, error) {
	text, err := c.Info(ctx).Result()
	var refused driver.Error
	switch {
	case errors.As(err, &refused) && hasPrefix(refused, "NOPERM", "unknown command"):
		return nil, nil
	case err != nil:
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out[name] = value
		}
	}
	return out, nil
}

// instance is what INFO says of one server. Its errors have no figures that change by themselves: serve logs what is new.
type instance struct {
	where string
	info  map[string]string // nil: it does not tell
}

// loses returns an error if the server drops records, or has dropped some. Its eviction policy may be right again, but what it
// has dropped may have been records, and these would be answered as not found. Nobody but its operator can say that the
// store is whole again: by a reset of the statistics.
func (s instance) loses() error {
	if policy := s.info["maxmemory_policy"]; policy != "noeviction" && policy != "" {
		return fstore.Errorf(fstore.ErrInvalid, "%s: maxmemory-policy is %s: under memory pressure it would drop features", s.where, policy).
			WithHint("run: redis-cli config set maxmemory-policy noeviction, and set it in redis.conf")
	}
	if count, told := s.number("evicted_keys"); told && count > 0 {
		return fmt.Errorf("%w: %w", online.ErrLost, fstore.Errorf(fstore.ErrInvalid, "%s has evicted %d keys: features may be missing", s.where, count).
			WithHint("run fstore materialize --full, unless fstore verify finds nothing missing, and then redis-cli config resetstat; "+
				"where CONFIG is not allowed, restart the node before materialize instead"))
	}
	return nil
}

// refusesWrites returns an error if INFO shows that the server, a primary, refuses writes.
func (s instance) refusesWrites() error {
	limit, _ := s.number("maxmemory")
	uncounted, _ := s.number("mem_not_counted_for_evict")
	if used, told := s.number("used_memory"); told && limit > 0 && used-uncounted > limit {
		return fstore.Errorf(fstore.ErrUnavailable, "%s refuses writes: it uses more memory than its maxmemory, %d bytes", s.where, limit).WithHint("%s", memoryHint)
	}
	if good, told := s.number("min_slaves_good_slaves"); told && good == 0 && s.info["role"] != "slave" {
		return fstore.Errorf(fstore.ErrUnavailable, "%s refuses writes: no replica is connected and in time, and min-replicas-to-write asks for some", s.where).
			WithHint("%s", replicasHint)
	}
	return nil
}

// smallerThan returns an error if the server, once promoted, would refuse writes that the primary takes.
func (s instance) smallerThan(primary instance) error {
	limit, told := s.number("maxmemory")
	theirs, theyTold := primary.number("maxmemory")
	if !told || !theyTold || limit == 0 || theirs != 0 && limit >= theirs {
		return nil
	}
	have := strconv.FormatInt(theirs, 10)
	if theirs == 0 {
		have = "no limit"
	}
	return fstore.Errorf(fstore.ErrInvalid, "%s: maxmemory is %d, and %s at the primary: once promoted it would refuse writes sooner", s.where, limit, have).
		WithHint("set the same maxmemory on every server")
}

func (s instance) number(name string) (value int64, told bool) {
	value, err := strconv.ParseInt(s.info[name], 10, 64)
	return value, err == nil
}
