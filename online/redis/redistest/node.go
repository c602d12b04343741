package redistest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	driver "github.com/redis/go-redis/v9"
)

// Node is one of the servers that hold the data.
type Node struct {
	*Server        // its URL goes to this node
	Addr    string // as the sentinels give it to clients
	port    string
	proxy   *proxy // nil with TLS
}

// Kill ends the node, and refuses connections to it.
func (n *Node) Kill() {
	n.Server.Kill()
	if n.proxy != nil {
		n.proxy.down()
	}
}

// Restart starts a killed node again, which is empty. The sentinels make it a replica of the primary.
func (n *Node) Restart() {
	n.t.Helper()
	if n.child != nil {
		return
	}
	n.Server.Restart()
	if n.proxy != nil {
		if err := n.proxy.up(); err != nil {
			n.t.Fatal(err)
		}
	}
}

// Do sends a command to the node itself.
func (n *Node) Do(words ...string) {
	n.t.Helper()
	args := make([]any, len(words))
	for i, w := range words {
		args[i] = w
	}
	if err := n.do(args...); err != nil {
		n.t.Fatal(words, err)
	}
}

// do is Do with the error.
func (n *Node) do(args ...any) error {
	_, err := n.reply(args...)
	return err
}

func (n *Node) reply(args ...any) (any, error) {
	o, err := driver.ParseURL(n.URL)
	if err != nil {
		return nil, err
	}
	return do(o, args)
}

// is returns an error if the node does not have a role.
func (n *Node) is(role string) error {
	got, err := n.info("role")
	if err == nil && got != role {
		err = fmt.Errorf("%s is a %s", n.Addr, got)
	}
	return err
}

// info returns a field of the node's INFO replication.
func (n *Node) info(name string) (string, error) {
	reply, err := n.reply("info", "replication")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(reply.(string)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value, nil
		}
	}
	return "", nil
}

var quiet = sync.OnceFunc(func() { driver.SetLogger(silent{}) })

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// do sends one command over a connection of its own. It gives up soon, because a server may be paused.
func do(o *driver.Options, args []any) (any, error) {
	quiet()
	o.Protocol, o.MaxRetries, o.DialerRetries, o.DisableIdentity, o.ContextTimeoutEnabled = 2, -1, 1, true, true
	c := driver.NewClient(o)
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return c.Do(ctx, args...).Result()
}
