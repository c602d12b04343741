// Package redis is an online.Backend in one Redis server, 6.0 or later.
//
// A look-up is one MGET, or several in one pipeline on one connection, so that no pointer is read before a record. A
// commit is WATCH, MGET, MULTI … EXEC: it applies atomically, and only if its guards hold. The backend never sends
// anything twice. If the answer to a commit is lost, the caller must find out whether it was applied.
package redis

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
	"unsafe"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	driver "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// perCommand is the maximum number of keys of one MGET, MSET or UNLINK. It bounds how long other clients wait. One MGET
// is atomic.
const perCommand = online.PerRead

// replicationTimeout bounds the wait for a replica. It is less than the driver's default timeout of a read, 3 s.
const replicationTimeout = time.Second

// Backend is a store in a Redis server. It is safe for concurrent use.
type Backend struct {
	client *driver.Client
	addr   string // for messages: without user and password
	reads  *combiner
}

// Open returns the store at redis://[user:password@]host:6379/0, rediss:// (TLS) or
// unix://[user:password@]/path?db=0, with the options of go-redis' ParseURL in its query. It does not connect. It
// returns ErrInvalid for any other URL. The message does not repeat the URL, which may contain a password.
func Open(url string) (*Backend, error) {
	o, err := options(url)
	if err != nil {
		return nil, err
	}
	logging.Disable() // the driver would otherwise also write connection errors to stderr
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1 // a commit sent again would lack its WATCH
	o.DialerRetries = 1
	o.PipelinePoolSize = -1 // no pool of its own: pool_size is the number of connections
	o.Protocol = 2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	client := driver.NewClient(o)
	return &Backend{client: client, addr: o.Addr, reads: newCombiner(client)}, nil
}

// CheckURL returns the error that Open would return for a URL.
func CheckURL(url string) error {
	_, err := options(url)
	return err
}

func options(url string) (*driver.Options, error) {
	o, err := driver.ParseURL(url)
	if err != nil || o.DB < 0 || o.Network == "tcp" && !isPort(o.Addr) {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the online store's URL is not a valid Redis URL").
			WithHint("redis://[user:password@]host:6379/0, rediss:// for TLS, or unix:///path/to/socket?db=0; write special characters in the password as %%HH")
	}
	return o, nil
}

// isPort reports whether an address ends in a port number.
func isPort(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	n, wrong := strconv.ParseUint(port, 10, 16)
	return err == nil && wrong == nil && n > 0
}

// Get implements online.Backend.
func (b *Backend) Get(ctx context.Context, r online.Read) (records, ptrs [][]byte, err error) {
	for try := 0; ; try++ {
		records, ptrs, err = b.get(ctx, r.Keys, r.Pointers)
		if err == nil {
			return records, ptrs, nil
		}
		if try > 0 || !stale(err) {
			return nil, nil, b.failed(ctx, err)
		}
	}
}

func (b *Backend) get(ctx context.Context, keys, pointers [][]byte) (records, ptrs [][]byte, err error) {
	n := len(keys) + len(pointers)
	if n == 0 {
		return nil, nil, nil
	}
	args := make([]arg, 0, n)
	for _, list := range [][][]byte{keys, pointers} {
		for _, k := range list {
			args = append(args, k)
		}
	}
	out := make([][]byte, 0, n)
	if n <= perCommand { // one command is atomic
		values, err := b.reads.read(ctx, args)
		if err != nil {
			return nil, nil, err
		}
		out = appendValues(out, values)
		return out[:len(keys):len(keys)], out[len(keys):], nil
	}
	pipe := b.client.Pipeline() // keeps the order of args: pointers last
	for len(args) > 0 {
		some := args[:min(len(args), perCommand)]
		_ = pipe.Process(ctx, driver.NewStringSliceCmd(ctx, boxed("mget", some)...)) // only queues the command
		args = args[len(some):]
	}
	cmds, err := pipe.Exec(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, cmd := range cmds {
		out = appendValues(out, cmd.(*driver.StringSliceCmd).Val())
	}
	return out[:len(keys):len(keys)], out[len(keys):], nil
}

// appendValues appends the values of an MGET. They are read-only, as Backend.Get says.
func appendValues(out [][]byte, values []string) [][]byte {
	for _, s := range values {
		out = append(out, bytesOf(s))
	}
	return out
}

// bytesOf returns the bytes of a value in the reply to an MGET, or nil if it is absent. For an absent value the
// driver returns "", whose data pointer is nil. An empty value points into the received reply.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) } //nolint:gosec // G103: nobody writes to it

// arg is a key. The driver writes it without an allocation if it gets a pointer to it.
type arg []byte

// MarshalBinary implements encoding.BinaryMarshaler.
func (a *arg) MarshalBinary() ([]byte, error) { return *a, nil }

func boxed(command string, args []arg) []any {
	out := make([]any, 1, 1+len(args))
	out[0] = command
	for i := range args {
		out = append(out, &args[i])
	}
	return out
}

// Commit implements online.Backend, in two round trips.
func (b *Backend) Commit(ctx context.Context, c online.Commit) error {
	conn := b.client.Conn() // WATCH applies to one connection
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

// Scan implements online.Backend.
func (b *Backend) Scan(ctx context.Context, prefix []byte, fn func(key []byte) error) error {
	pattern := make([]byte, 0, len(prefix)+1)
	for _, c := range prefix {
		switch c {
		case '*', '?', '[', ']', '\\':
			pattern = append(pattern, '\\')
		}
		pattern = append(pattern, c)
	}
	for cursor := uint64(0); ; {
		keys, next, err := b.client.Scan(ctx, cursor, string(append(pattern, '*')), 500).Result()
		if err != nil {
			return b.failed(ctx, err)
		}
		for _, k := range keys {
			if err := fn([]byte(k)); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// Replicated implements online.Backend with WAIT. A server without replicas has nothing to wait for.
func (b *Backend) Replicated(ctx context.Context) (warning string, err error) {
	replicas, err := b.info(ctx, "replication", "connected_slaves")
	if err != nil || replicas == "" || replicas == "0" {
		return "", b.failed(ctx, err)
	}
	conn := b.client.Conn() // WAIT counts from the last command of its connection
	defer conn.Close()
	pipe := conn.Pipeline()
	_ = pipe.Process(ctx, driver.NewStatusCmd(ctx, "ping")) // only queues the command
	reached := driver.NewIntCmd(ctx, "wait", 1, replicationTimeout.Milliseconds())
	_ = pipe.Process(ctx, reached)
	if _, err := pipe.Exec(ctx); err != nil {
		return "", b.failed(ctx, err)
	}
	if reached.Val() == 0 {
		return fmt.Sprintf("redis at %s: no replica has confirmed the writes within %s", b.addr, replicationTimeout), nil
	}
	return "", nil
}

// Close implements online.Backend.
func (b *Backend) Close() error { return b.failed(context.Background(), b.client.Close()) }
