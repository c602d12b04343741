// Package redis is an online.Backend in Redis or Valkey, 6.0 or later: one server, or a primary with replicas that
// sentinels watch.
//
// A look-up is one MGET, or several in one pipeline on one connection, so that no pointer is read before a record. A
// commit is WATCH, MGET, MULTI … EXEC: it applies atomically, and only if its guards hold. It goes over one
// connection, so none begins on one server and ends on another. The backend never sends anything twice. If the answer
// to a commit is lost, the caller must find out whether it was applied.
package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"github.com/fstore-dev/fstore/online"
	driver "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// perCommand is the maximum number of keys of one MGET, MSET or UNLINK. It bounds how long other clients wait. One MGET
// is atomic.
const perCommand = online.PerRead

// Backend is a store in Redis. It is safe for concurrent use.
type Backend struct {
	primary   *source
	replicas  *source // nil: the primary answers all reads
	addr      string  // for messages: without user and password
	transport *transport

	sentinels *sentinels // nil: one server; then what follows is not used
	observers *observers
	moving    []*moving
	watched   sync.Once
	done      chan struct{}
	watching  sync.WaitGroup
}

// source is a client of the servers that answer some reads.
type source struct {
	*driver.Client
	reads *combiner
}

func newSource(o *driver.Options) *source {
	client := driver.NewClient(o)
	return &source{client, newCombiner(client)}
}

// Open returns the store at redis://[user:password@]host:6379/0, rediss:// (TLS) or
// unix://[user:password@]/path?db=0, or at the primary that sentinels know:
// redis+sentinel://[user:password@]host1:26379,host2:26379/PRIMARY/0, or rediss+sentinel://. The query may have the
// options of go-redis' ParseURL, and those in docs/online.md. It does not connect, but reads the files that the URL
// names. It returns ErrInvalid for any other URL. The message does not repeat the URL, which may contain a password.
func Open(url string) (*Backend, error) {
	l, err := parse(url)
	if err != nil {
		return nil, err
	}
	logging.Disable() // the driver would otherwise also write connection errors to stderr
	b := &Backend{addr: l.servers.Addr, done: make(chan struct{}), transport: &transport{config: l.tlsConfig(), files: l.files}}
	if _, err := b.transport.configFor(l.servers.Addr); err != nil {
		return nil, err
	}
	settle(&l.servers)
	if l.sentinel == nil {
		if b.transport.config != nil {
			l.servers.Dialer = b.transport.dial
		}
		b.primary = newSource(&l.servers)
		return b, nil
	}
	b.addr = fmt.Sprintf("%s (sentinels %s)", l.sentinel.primary, strings.Join(l.sentinel.addrs, ", "))
	b.sentinels = newSentinels(l.sentinel, b.transport)
	b.observers = newObservers(l.servers, b.transport)
	b.primary = b.follow(l.servers, b.sentinels.findPrimary)
	if l.sentinel.readReplicas {
		b.replicas = b.follow(l.servers, b.sentinels.findReplicas)
	}
	return b, nil
}

// follow returns a source for the servers that find finds.
func (b *Backend) follow(o driver.Options, find func(context.Context) (servers, error)) *source {
	m := newMoving(find, b.transport, func() {
		b.watched.Do(func() { b.watching.Go(func() { b.followSentinels(b.done) }) })
	})
	b.moving = append(b.moving, m)
	o.Network, o.Addr, o.Dialer = "tcp", b.addr, m.dial
	return newSource(&o)
}

// Get implements online.Backend.
func (b *Backend) Get(ctx context.Context, r online.Read) (records, ptrs [][]byte, err error) {
	if b.replicas == nil || r.Primary || len(r.Keys) == 0 {
		return b.read(ctx, b.primary, r.Keys, r.Pointers)
	}
	return b.getFromReplica(ctx, r)
}

// read reads from one server. It reads once more if the connection was closed.
func (b *Backend) read(ctx context.Context, from *source, keys, pointers [][]byte) (records, ptrs [][]byte, err error) {
	for try := 0; ; try++ {
		records, ptrs, err = readOnce(ctx, from, keys, pointers)
		if err == nil {
			return records, ptrs, nil
		}
		if try > 0 || !stale(err) {
			return nil, nil, b.failed(ctx, err)
		}
	}
}

func readOnce(ctx context.Context, from *source, keys, pointers [][]byte) (records, ptrs [][]byte, err error) {
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
		values, err := from.reads.read(ctx, args)
		if err != nil {
			return nil, nil, err
		}
		out = appendValues(out, values)
		return out[:len(keys):len(keys)], out[len(keys):], nil
	}
	pipe := from.Pipeline() // keeps the order of args: pointers last
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
		keys, next, err := b.primary.Scan(ctx, cursor, string(append(pattern, '*')), 500).Result()
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

// Close implements online.Backend.
func (b *Backend) Close() error {
	err := b.primary.Close()
	if b.sentinels != nil {
		close(b.done)
		if b.replicas != nil {
			err = errors.Join(err, b.replicas.Close())
		}
		b.observers.of(nil)
		b.sentinels.close()
		b.watching.Wait()
	}
	return b.failed(context.Background(), err)
}
