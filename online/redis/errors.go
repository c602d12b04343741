package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/fstore-dev/fstore"
	driver "github.com/redis/go-redis/v9"
)

// Check implements online.Backend: the server answers, lets this user read and write, and evicts nothing.
func (b *Backend) Check(ctx context.Context) (warning string, err error) {
	if err := b.client.Ping(ctx).Err(); err != nil {
		return "", b.failed(ctx, err)
	}
	policy, err := b.evictionPolicy(ctx)
	if err != nil {
		return "", b.failed(ctx, err)
	}
	switch policy {
	case "noeviction":
		return "", nil
	case "":
		return "redis at " + b.addr + ": maxmemory-policy cannot be read; make sure that it is noeviction", nil
	}
	return "", fstore.Errorf(fstore.ErrInvalid, "redis at %s: maxmemory-policy is %s: under memory pressure it would drop features", b.addr, policy).
		WithHint("run: redis-cli config set maxmemory-policy noeviction, and set it in redis.conf")
}

// evictionPolicy returns "" where the server does not tell: managed ones often have no CONFIG.
func (b *Backend) evictionPolicy(ctx context.Context) (string, error) {
	config, err := b.client.ConfigGet(ctx, "maxmemory-policy").Result()
	if err == nil {
		return config["maxmemory-policy"], nil
	}
	var refused driver.Error
	if !errors.As(err, &refused) {
		return "", err
	}
	info, err := b.client.Info(ctx, "memory").Result()
	if err != nil {
		if errors.As(err, &refused) {
			return "", nil
		}
		return "", err
	}
	for line := range strings.Lines(info) {
		if policy, ok := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:"); ok {
			return policy, nil
		}
	}
	return "", nil
}

// kinds says what an error reply of the server means. Any other is ErrInvalid: the server does not do what is asked.
var kinds = []struct {
	prefix string
	kind   error
	hint   string
}{
	{"LOADING", fstore.ErrUnavailable, "it is loading its data"},
	{"BUSY", fstore.ErrUnavailable, "a script holds it up"},
	{"TRYAGAIN", fstore.ErrUnavailable, ""},
	{"MASTERDOWN", fstore.ErrUnavailable, "it is a replica that has lost its master"},
	{"CLUSTERDOWN", fstore.ErrUnavailable, ""},
	{"NOREPLICAS", fstore.ErrUnavailable, ""},
	{"READONLY", fstore.ErrUnavailable, "it is a replica; the URL must name the master"},
	{"MISCONF", fstore.ErrUnavailable, "it cannot write its snapshot to disk"},
	{"OOM", fstore.ErrUnavailable, "it is full: raise maxmemory, or remove what is not needed"},
	{"EXECABORT", fstore.ErrUnavailable, ""},
	{"max number of clients", fstore.ErrUnavailable, "raise maxclients"},
	{"NOAUTH", fstore.ErrInvalid, authHint},
	{"WRONGPASS", fstore.ErrInvalid, authHint},
	{"NOPERM", fstore.ErrInvalid, "grant the user MGET, MSET, UNLINK, WATCH, MULTI, EXEC, SCAN and PING on all keys"},
	{"AUTH", fstore.ErrInvalid, authHint},
	{"invalid password", fstore.ErrInvalid, authHint},
	{"MOVED", fstore.ErrInvalid, clusterHint},
	{"ASK", fstore.ErrInvalid, clusterHint},
	{"CROSSSLOT", fstore.ErrInvalid, clusterHint},
}

const (
	authHint    = "check user and password in the online store's URL"
	clusterHint = "it is a Redis Cluster; fstore needs a single server"
)

// failed says what kind an error of a call with ctx is and which server it is about; nil stays nil.
func (b *Backend) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if done := ctx.Err(); done != nil { // a deadline shows itself as a timeout of the connection
		return fmt.Errorf("redis at %s: %w: %w", b.addr, fstore.ErrUnavailable, done)
	}
	var reply driver.Error
	if errors.As(err, &reply) {
		for _, k := range kinds {
			if driver.HasErrorPrefix(reply, k.prefix) {
				out := fstore.Errorf(k.kind, "redis at %s: %v", b.addr, reply)
				if k.hint != "" {
					out = out.WithHint("%s", k.hint)
				}
				return out
			}
		}
		return fstore.Errorf(fstore.ErrInvalid, "redis at %s: %v", b.addr, reply)
	}
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return fstore.Errorf(fstore.ErrInvalid, "redis at %s: %v", b.addr, err).
			WithHint("add its authority to the system's, or name it in SSL_CERT_FILE")
	}
	return fstore.Errorf(fstore.ErrUnavailable, "redis at %s: %v", b.addr, err)
}

// stale reports whether a read failed because its pooled connection had been closed, as after a restart of the
// server: with a new one it may succeed.
func stale(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
