// Package client reads features from a running fstore server over gRPC. It is for serving code: it needs no cgo, no
// engine and no store.
//
// Values stay in typed columns in both directions. Errors have the kinds of package fstore, so errors.Is works with
// its sentinels, and with context.DeadlineExceeded and context.Canceled. Calls that fail with UNAVAILABLE are retried
// within their deadline.
package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// Options say how a Client calls. Zero values are the defaults.
type Options struct {
	// Timeout limits a call whose context has no deadline, including all attempts. The default is 5 s.
	Timeout time.Duration
	// Attempts is the maximum number of attempts if the server is unavailable. By default the deadline is the only
	// limit. 1 means no retries.
	Attempts int
	// Dial are options for Open's connection, such as transport credentials. The default is no TLS.
	Dial []grpc.DialOption
}

const (
	defaultTimeout = 5 * time.Second
	firstPause     = 20 * time.Millisecond // before the second attempt; each later pause is twice as long
	longestPause   = time.Second
	maxAnswer      = 64 << 20 // bytes; no answer is larger
)

// Client calls one server. It is safe for concurrent use.
type Client struct {
	stub    fstorev1.FeatureStoreClient
	options Options
	conn    *grpc.ClientConn // nil if New was given a connection
	address string
}

// Open returns a client of the server at an address: HOST:PORT, or a target that gRPC resolves, such as
// dns:///fstore:6566. It does not wait for the server: the first call connects. The caller must close it. It returns
// ErrInvalid for a bad address.
func Open(address string, o Options) (*Client, error) {
	target := address
	if !strings.Contains(address, "://") {
		target = "passthrough:///" + address
	}
	dial := append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, o.Dial...)
	conn, err := grpc.NewClient(target, dial...)
	if err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "%s: %v", address, err)
	}
	c := New(conn, o)
	c.conn, c.address = conn, address
	return c, nil
}

// New returns a client that uses the caller's connection. The caller still has to close the connection.
func New(conn grpc.ClientConnInterface, o Options) *Client {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	return &Client{stub: fstorev1.NewFeatureStoreClient(conn), options: o}
}

// Close closes the connection that Open made. Calls in flight end with ErrUnavailable or context.Canceled.
func (c *Client) Close() error {
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
}

// Selection names features. Set one of its fields.
type Selection struct {
	Service  string          // a feature service, answered from its serving version
	Model    fstore.ModelRef // a version of a model, or an alias of one
	Features []string        // references: view.feature, view.*, view.feature=name, view@2.feature
}

// Request asks for features of keys.
type Request struct {
	Selection
	// Keys are the join keys and the request columns of on-demand features, one column each and all of one length. They are
	// empty if no view has an entity and no expression reads a column. See Keys, and fstore.Column for nulls and lists.
	Keys []fstore.Column
	// EventTimes also requests the event time of each value.
	EventTimes answers.EventTimes
}

// Get returns the features of all rows of keys. Its errors are fstore.ErrInvalid, ErrNotFound, ErrNotReady (not
// published yet), ErrTooLarge (over a limit, or the server is busy), ErrUnavailable, ErrCorrupt, and
// context.DeadlineExceeded.
func (c *Client) Get(ctx context.Context, r Request) (*Answer, error) {
	req := requestOf(&r)
	reply, err := call(ctx, c, c.stub.GetOnlineFeatures, req)
	if err != nil {
		return nil, err
	}
	answer, err := answerFrom(reply, r.EventTimes)
	if err != nil {
		return nil, fstore.Errorf(fstore.ErrCorrupt, "read the server's answer: %v", err)
	}
	return answer, nil
}

// Description says what a selection needs and returns, and which service or model version answers.
type Description struct {
	fstore.Description
	Service fstore.ViewRef
	Model   fstore.ModelRef
}

// Describe returns the key columns and the request columns of a request with this selection, and the features of its answer. It reads
// no values. Its errors are those of Get.
func (c *Client) Describe(ctx context.Context, s Selection) (*Description, error) {
	reply, err := call(ctx, c, c.stub.DescribeFeatures, describeRequestOf(s))
	if err != nil {
		return nil, err
	}
	d, err := descriptionFrom(reply)
	if err != nil {
		return nil, fstore.Errorf(fstore.ErrCorrupt, "read the server's answer: %v", err)
	}
	return d, nil
}

type method[Q, A any] func(context.Context, *Q, ...grpc.CallOption) (*A, error)

// call sends a request. While the server is unavailable and the deadline allows, it pauses and tries again.
func call[Q, A any](ctx context.Context, c *Client, send method[Q, A], req *Q) (*A, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.options.Timeout)
		defer cancel()
	}
	pause := firstPause
	for attempt := 1; ; attempt++ {
		answer, sent := send(ctx, req, grpc.MaxCallRecvMsgSize(maxAnswer), grpc.ForceCodecV2(wireCodec))
		if sent == nil {
			return answer, nil
		}
		err := kindOf(sent)
		if !errors.Is(err, fstore.ErrUnavailable) {
			return nil, err
		}
		err = c.unreachable(err)
		if attempt == c.options.Attempts || !errors.Is(err, fstore.ErrUnavailable) {
			return nil, err
		}
		if over := wait(ctx, pause); over != nil {
			return nil, fmt.Errorf("%w; %d attempts, then %w", err, attempt, over)
		}
		pause = min(2*pause, longestPause)
	}
}

// wait returns nil after a pause, or the context's error if the context ends first. Pauses vary by half, so that
// clients that failed together do not retry together.
func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause/2 + rand.N(pause)) //nolint:gosec // no secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unreachable explains an error if no server answers at all: gRPC's text begins with its internals and ends with the
// cause.
func (c *Client) unreachable(err error) error {
	why := err.Error()
	// The state does not matter here: the connection may be dialing again.
	if strings.Contains(why, "reading server preface") && strings.Contains(why, "looked like an HTTP/1.1 header") {
		return fstore.Errorf(fstore.ErrInvalid, "the server at %s is not a gRPC server: it speaks HTTP/1.1", c.address).
			WithHint("give the address that fstore serve prints after grpc")
	}
	if c.conn == nil || c.conn.GetState() != connectivity.TransientFailure {
		return err
	}
	if _, dialing, ok := strings.Cut(why, "Error while dialing: "); ok {
		why = strings.TrimSuffix(dialing, `"`)
	}
	return fstore.Errorf(fstore.ErrUnavailable, "no server answers at %s: %s", c.address, why).WithHint("start one there with fstore serve, or use another address")
}
