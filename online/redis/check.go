package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	driver "github.com/redis/go-redis/v9"
)

// Check implements online.Backend. It checks that the server answers, lets this user read, evicts nothing and has evicted nothing. Only a
// write shows whether the server can be written. A replica is a warning, since it can answer look-ups.
func (b *Backend) Check(ctx context.Context) (warning string, err error) {
	if err := b.primary.Ping(ctx).Err(); err != nil {
		return "", b.failed(ctx, err)
	}
	probe := online.Probe()
	if _, _, err := b.read(ctx, b.primary, probe.Keys, probe.Pointers); err != nil {
		return "", err
	}
	memory, err := b.info(ctx, b.primary.Client, "memory")
	if err != nil {
		return "", b.failed(ctx, err)
	}
	replication, err := b.info(ctx, b.primary.Client, "replication")
	if err != nil {
		return "", b.failed(ctx, err)
	}
	var warnings []string
	switch policy := memory["maxmemory_policy"]; policy {
	case "noeviction":
	case "":
		warnings = append(warnings, "maxmemory-policy cannot be read; make sure that it is noeviction")
	default:
		return "", evicts("redis at "+b.addr, policy)
	}
	stats, err := b.info(ctx, b.primary.Client, "stats")
	if err != nil {
		return "", b.failed(ctx, err)
	}
	if err := hasEvicted("redis at "+b.addr, stats); err != nil {
		return "", err
	}
	if replication["role"] == "slave" {
		warnings = append(warnings, "it is a replica: look-ups work, but materialize needs its primary")
	}
	if b.sentinels != nil {
		more, err := b.checkFailover(ctx, replication)
		if err != nil {
			return "", err
		}
		warnings = append(warnings, more...)
	}
	if warnings == nil {
		return "", nil
	}
	return "redis at " + b.addr + ": " + strings.Join(warnings, "; "), nil
}

func evicts(where, policy string) error {
	return fstore.Errorf(fstore.ErrInvalid, "%s: maxmemory-policy is %s: under memory pressure it would drop features", where, policy).
		WithHint("run: redis-cli config set maxmemory-policy noeviction, and set it in redis.conf")
}

// checkFailover checks what a failover would promote.
func (b *Backend) checkFailover(ctx context.Context, primary map[string]string) (warnings []string, err error) {
	if primary["connected_slaves"] == "0" {
		warnings = append(warnings, "the primary has no replica")
	}
	if _, set := primary["min_slaves_good_slaves"]; primary != nil && !set {
		warnings = append(warnings, "min-replicas-to-write is 0: a primary that is cut off from its sentinels goes on taking writes, which are lost; "+
			"set min-replicas-to-write 1 and min-replicas-max-lag 10")
	}
	replicas, err := b.sentinels.findReplicas(ctx)
	if err != nil {
		return nil, b.failed(ctx, err)
	}
	for _, addr := range replicas.addrs {
		policy, err := b.replicaPolicy(ctx, addr)
		switch {
		case err != nil:
			warnings = append(warnings, fmt.Sprintf("its replica %s: %v", addr, err))
		case policy == "" || policy == "noeviction":
		case b.replicas != nil:
			return nil, evicts("the replica "+addr+" of redis at "+b.addr, policy)
		default:
			warnings = append(warnings, fmt.Sprintf("its replica %s has maxmemory-policy %s: once promoted it would drop features under memory pressure; set noeviction there too", addr, policy))
		}
	}
	return warnings, nil
}

// replicaPolicy returns the eviction policy of a replica, or "" if it does not tell.
func (b *Backend) replicaPolicy(ctx context.Context, addr string) (string, error) {
	o := *b.primary.Options()
	o.Addr, o.Dialer, o.PoolSize, o.MinIdleConns = addr, b.transport.dial, 1, 0
	c := driver.NewClient(&o)
	defer c.Close()
	ctx, cancel := withPatience(ctx)
	defer cancel()
	info, err := b.info(ctx, c, "memory")
	return info["maxmemory_policy"], err
}

// info returns a section of INFO, or nil if the server does not tell: some managed servers do not.
func (b *Backend) info(ctx context.Context, from *driver.Client, section string) (map[string]string, error) {
	info, err := from.Info(ctx, section).Result()
	if err != nil {
		var refused driver.Error
		if errors.As(err, &refused) {
			return nil, nil
		}
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out[name] = value
		}
	}
	return out, nil
}
