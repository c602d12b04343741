package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	driver "github.com/redis/go-redis/v9"
)

// kinds maps error replies of the server to the kinds of errors. Any other reply is ErrInvalid: the server refuses
// the command.
var kinds = []struct {
	prefix string
	kind   error
	hint   string
}{
	{"LOADING", fstore.ErrUnavailable, "it is loading its data: wait"},
	{"BUSY", fstore.ErrUnavailable, "a script blocks it: wait, or run: redis-cli script kill"},
	{"TRYAGAIN", fstore.ErrUnavailable, clusterHint},
	{"MASTERDOWN", fstore.ErrUnavailable, "it is a replica that has lost its master: start that, or mend the network between them"},
	{"CLUSTERDOWN", fstore.ErrUnavailable, clusterHint},
	{"NOREPLICAS", fstore.ErrUnavailable, replicasHint},
	{"READONLY", fstore.ErrUnavailable, "it is a replica; the URL must name the primary, or sentinels that find it"},
	{"MISCONF", fstore.ErrUnavailable, "it cannot write its snapshot to disk: free space there, or see its log"},
	{"OOM", fstore.ErrUnavailable, memoryHint},
	{"EXECABORT", fstore.ErrUnavailable, "it refused a command of the transaction: see its log"},
	{"max number of clients", fstore.ErrUnavailable, "raise maxclients"},
	{"NOAUTH", fstore.ErrInvalid, authHint},
	{"WRONGPASS", fstore.ErrInvalid, authHint},
	{"NOPERM", fstore.ErrInvalid, "grant the user the rights that docs/online.md lists: reading needs fewer than materialize"},
	{"AUTH", fstore.ErrInvalid, authHint},
	{"invalid password", fstore.ErrInvalid, authHint},
	{"MOVED", fstore.ErrInvalid, clusterHint},
	{"ASK", fstore.ErrInvalid, clusterHint},
	{"CROSSSLOT", fstore.ErrInvalid, clusterHint},
	{"unknown command", fstore.ErrInvalid, "fstore needs Redis 6.0 or later, with its commands under their own names"},
	{"wrong number of arguments for 'auth'", fstore.ErrInvalid, "Redis before 6.0 has no users; fstore needs 6.0 or later"},
	{"DB index is out of range", fstore.ErrInvalid, "the server has no database with the number at the end of the URL"},
}

const (
	authHint     = "check user and password in the online store's URL"
	memoryHint   = "its memory is full: raise maxmemory, or delete data"
	replicasHint = "too few replicas are connected and in time for its min-replicas-to-write: start them, or mend the network to them"
	clusterHint  = "it is a Redis Cluster; fstore needs a single server, or sentinels"
)

// where names the server that gave an error of the primary's client, or the primary, without user and password.
func (b *Backend) where(err error) string {
	if b.sentinels != nil && !errors.As(err, new(*fstore.Error)) { // ours come from the search for the primary
		if at := b.moving[0].address(); at != "" {
			return "redis at " + at + ", the primary " + b.sentinels.primary
		}
	}
	return "redis at " + b.addr
}

// failed returns the kind of an error of a call with ctx to the primary, and adds the server. It returns nil for nil.
func (b *Backend) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	out := b.failedAt(ctx, b.where(err), err)
	if b.sentinels != nil && ctx.Err() == nil && errors.Is(out, fstore.ErrUnavailable) && !errors.As(err, new(*fstore.Error)) && !hasPrefix(err, "OOM", "MISCONF", "BUSY") {
		return failover{out}
	}
	return out
}

// failover is an error of a primary that sentinels may replace, or have just made one.
type failover struct{ error }

func (f failover) Is(target error) bool { return target == online.ErrFailover }
func (f failover) Unwrap() error        { return f.error }

// failedAt is failed for an error of any server.
func (b *Backend) failedAt(ctx context.Context, where string, err error) error {
	if done := over(ctx, err); done != nil {
		return fmt.Errorf("%s: %w: %w", where, fstore.ErrUnavailable, done)
	}
	var reply driver.Error
	if errors.As(err, &reply) {
		for _, k := range kinds {
			if driver.HasErrorPrefix(reply, k.prefix) {
				return fstore.Errorf(k.kind, "%s: %v", where, reply).WithHint("%s", k.hint)
			}
		}
		return fstore.Errorf(fstore.ErrInvalid, "%s: %v", where, reply)
	}
	var ours *fstore.Error
	if errors.As(err, &ours) {
		return fmt.Errorf("%s: %w", where, ours)
	}
	if hint, kind := b.transport.explain(err); kind != nil {
		if foreign(err) {
			where += ": what answers there is not a Redis server"
		}
		return fstore.Errorf(kind, "%s: %s", where, withoutPort(err)).WithHint("%s", hint)
	}
	return broken(where, err)
}

// over returns the error of a context that has ended the call. Its deadline appears as a timeout of the connection,
// which may come a moment before the context's own.
func over(ctx context.Context, err error) error {
	if deadline, ok := ctx.Deadline(); ok && timedOut(err) && time.Until(deadline) < 10*time.Millisecond {
		<-ctx.Done()
	}
	return ctx.Err()
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// broken explains a broken connection.
func broken(where string, err error) error {
	out := fstore.Errorf(fstore.ErrUnavailable, "%s: %s", where, withoutPort(err))
	switch {
	case errors.Is(err, driver.ErrPoolTimeout):
		return fmt.Errorf("%w: %w", online.ErrCrowded, out.WithHint("raise pool_size in the online store's URL, such as ?pool_size=40"))
	case closed(err):
		return out.WithHint("the server closes connections when it restarts and when it reaches maxclients")
	case timedOut(err):
		return out.WithHint("the server may be overloaded or hung, or a firewall may drop its packets")
	}
	return out.WithHint("check that it runs and can be reached, or name another in fstore.yaml")
}

// withoutPort returns the text of an error without this side's port, which is another for each connection: serve logs what is
// new.
func withoutPort(err error) string {
	text := err.Error()
	var op *net.OpError
	if errors.As(err, &op) && op.Source != nil {
		text = strings.ReplaceAll(text, op.Source.String()+"->", "")
	}
	return text
}

// stale reports whether a read failed because its pooled connection was closed, as after a restart of the server. It
// may succeed on a new connection.
func stale(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	return closed(err)
}

// closed reports whether the server closed the connection.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, errMoved) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
