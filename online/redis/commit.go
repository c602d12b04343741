package redis

import (
	"context"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	driver "github.com/redis/go-redis/v9"
)

// Commit implements online.Backend, in two round trips.
func (b *Backend) Commit(ctx context.Context, c online.Commit) error {
	conn := b.primary.Conn() // WATCH applies to one connection
	defer conn.Close()
	if len(c.Guards) > 0 {
		if err := b.watch(ctx, conn, c.Guards); err != nil {
			return err
		}
	}
	pipe := conn.TxPipeline()
	for set := c.Set; len(set) > 0; {
		n := min(len(set), perCommand)
		args := make([]arg, 0, 2*n)
		for _, kv := range set[:n] {
			args = append(args, kv.Key, kv.Value)
		}
		_ = pipe.Process(ctx, driver.NewStatusCmd(ctx, boxed("mset", args)...)) // only queues the command
		set = set[n:]
	}
	for gone := c.Delete; len(gone) > 0; {
		n := min(len(gone), perCommand)
		args := make([]arg, 0, n)
		for _, k := range gone[:n] {
			args = append(args, k)
		}
		_ = pipe.Process(ctx, driver.NewIntCmd(ctx, boxed("unlink", args)...)) // only queues the command
		gone = gone[n:]
	}
	if pipe.Len() == 0 {
		return nil
	}
	cmds, err := pipe.Exec(ctx)
	if err == driver.TxFailedErr {
		return fstore.Errorf(fstore.ErrConflict, "%q was changed concurrently", c.Guards[0].Key)
	}
	if driver.HasErrorPrefix(err, "EXECABORT") { // nothing was applied; one of the commands has the reason
		for _, cmd := range cmds {
			if cmd.Err() != nil && !driver.HasErrorPrefix(cmd.Err(), "EXECABORT") {
				err = cmd.Err()
				break
			}
		}
	}
	if b.sentinels != nil && hasPrefix(err, "READONLY", "EXECABORT") { // it was demoted, perhaps
		b.moving[0].leave()
	}
	return b.failed(ctx, err)
}

// watch watches and compares the guards' keys. It begins with UNWATCH, because a commit whose guards did not hold may
// have left the connection watching.
func (b *Backend) watch(ctx context.Context, conn *driver.Conn, guards []online.Guard) error {
	args := make([]arg, len(guards))
	for i, g := range guards {
		args[i] = g.Key
	}
	pipe := conn.Pipeline()
	_ = pipe.Process(ctx, driver.NewStatusCmd(ctx, "unwatch")) // only queues the command
	_ = pipe.Process(ctx, driver.NewStatusCmd(ctx, boxed("watch", args)...))
	values := driver.NewStringSliceCmd(ctx, boxed("mget", args)...)
	_ = pipe.Process(ctx, values)
	if _, err := pipe.Exec(ctx); err != nil {
		return b.failed(ctx, err)
	}
	for i, have := range values.Val() {
		if want := guards[i].Want; have != string(want) || (bytesOf(have) == nil) != (want == nil) {
			return fstore.Errorf(fstore.ErrConflict, "%q was changed concurrently", guards[i].Key)
		}
	}
	return nil
}
