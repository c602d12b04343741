package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/fstore-dev/fstore/online"
	driver "github.com/redis/go-redis/v9"
)

// maxPatience bounds what one server of several may take, before the read goes on without it.
const maxPatience = 500 * time.Millisecond

// withPatience returns a context for one of two steps, so that the other still has time.
func withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	patience := maxPatience
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline)/2)
	}
	return context.WithTimeout(ctx, patience)
}

// getFromReplica reads the keys from a replica and the pointers from the primary, concurrently. If the replica fails,
// the primary is read. If the primary fails, there are no pointers.
func (b *Backend) getFromReplica(ctx context.Context, r online.Read) (records, ptrs [][]byte, err error) {
	step, cancel := withPatience(ctx)
	defer cancel()
	pointers := make(chan [][]byte, 1)
	go func() {
		_, ptrs, _ := b.read(step, b.primary, nil, r.Pointers)
		pointers <- ptrs
	}()
	records, _, err = b.read(step, b.replicas, r.Keys, nil)
	ptrs = <-pointers
	switch {
	case err != nil:
		return b.read(ctx, b.primary, r.Keys, r.Pointers)
	case ctx.Err() != nil:
		return nil, nil, b.failed(ctx, ctx.Err())
	}
	return records, ptrs, nil
}

// replicationTimeout bounds the wait for a replica. It is less than the driver's default timeout of a read, 3 s.
const replicationTimeout = time.Second

// Replicated implements online.Backend with WAIT. A primary that was demoted while it is up goes on answering until the
// sentinels tell it. So they are asked too: if it is another one now, that has to confirm.
func (b *Backend) Replicated(ctx context.Context) (warning string, err error) {
	if b.sentinels == nil {
		return b.waitForReplica(ctx)
	}
	primary := b.moving[0]
	err = primary.refresh(ctx)
	for at := ""; err == nil && at != primary.address(); err = primary.refresh(ctx) {
		at = primary.address()
		if warning, err = b.waitForReplica(ctx); err != nil {
			return "", err
		}
	}
	return warning, b.failed(ctx, err)
}

// waitForReplica waits until a replica has what the primary has. A single server without replicas has nothing to wait for. A
// primary that sentinels watch is meant to have some.
func (b *Backend) waitForReplica(ctx context.Context) (warning string, err error) {
	conn := b.primary.Conn() // WAIT counts from the last command of its connection
	defer conn.Close()
	told, err := info(ctx, conn)
	if err != nil {
		return "", b.failed(ctx, err)
	}
	switch replicas := told["connected_slaves"]; {
	case replicas == "0" && b.sentinels != nil:
		return b.where(nil) + ": the primary has no replica: a failover would lose the writes", nil
	case replicas == "0" || replicas == "" && b.sentinels == nil:
		return "", nil
	}
	pipe := conn.Pipeline()
	_ = pipe.Process(ctx, driver.NewStatusCmd(ctx, "ping")) // only queues the command
	reached := driver.NewIntCmd(ctx, "wait", 1, replicationTimeout.Milliseconds())
	_ = pipe.Process(ctx, reached)
	if _, err := pipe.Exec(ctx); err != nil {
		return "", b.failed(ctx, err)
	}
	if reached.Val() == 0 {
		return fmt.Sprintf("%s: no replica has confirmed the writes within %s", b.where(nil), replicationTimeout), nil
	}
	return "", nil
}
