// Package client reads features from a running fstore server over gRPC. It is for serving code: it needs no cgo, no
// engine and no store.
//
// Values stay in typed columns in both directions. Errors have the kinds of package fstore, so errors.Is works with
// its sentinels, and with context.DeadlineExceeded and context.Canceled. Calls that fail with UNAVAILABLE are retried
// within their deadline, and so are those that a busy server refuses, after the time that it asks for.
package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// Options say how a Client calls. Zero values are the defaults.
type Options struct {
	// Timeout limits a call whose context has no deadline, including all attempts. The default is DefaultTimeout.
	Timeout time.Duration
	// Attempts is the maximum number of attempts if the server is unavailable or busy. By default the deadline is the only
	// limit. 1 means no retries.
	Attempts int
	// TLS secures Open's connection. The default is plain text.
	TLS *TLS
	// Token says to the server who calls: a token of fstore token create, or a JWT. It is sent with every call, in plain
	// text only to this machine or where PlainToken allows it.
	Token string
	// TokenFrom returns the token of each attempt, for tokens that expire. It is called within the call's deadline, and by
	// several calls at once.
	TokenFrom func(ctx context.Context) (string, error)
	// PlainToken allows the token to be sent without TLS to any machine, for networks that encrypt by themselves.
	PlainToken bool
	// Dial are more options for Open's connection. They take precedence.
	Dial []grpc.DialOption
}

// DefaultTimeout limits a call if nothing else does.
const DefaultTimeout = 5 * time.Second

const (
	firstPause   = 20 * time.Millisecond // before the second attempt; each later pause is twice as long
	longestPause = time.Second
	maxAnswer    = 64 << 20 // bytes; no answer is larger
)

// Client calls one server. It is safe for concurrent use.
type Client struct {
	stub    fstorev1.FeatureStoreClient
	options Options
	conn    *grpc.ClientConn // nil if New was given a connection
	address string
	plain   bool // tokens may be sent without TLS
}

// New returns a client that uses the caller's connection. The caller still has to close the connection.
func New(conn grpc.ClientConnInterface, o Options) *Client {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	return &Client{stub: fstorev1.NewFeatureStoreClient(conn), options: o, plain: o.PlainToken}
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
// published yet), ErrUnauthenticated (no token or client certificate, or not a valid one), ErrForbidden (no grant), ErrTooLarge (over a limit), ErrBusy (the
// server is overloaded, or the caller sends more than it may), ErrUnavailable, ErrCorrupt, and
// context.DeadlineExceeded.
func (c *Client) Get(ctx context.Context, r Request) (*Answer, error) {
	req := requestOf(&r)
	var traffic Traffic
	reply, err := call(ctx, c, c.stub.GetOnlineFeatures, req, &traffic)
	if err != nil {
		return nil, err
	}
	answer, err := answerFrom(reply, r.EventTimes)
	if err != nil {
		return nil, fstore.Errorf(fstore.ErrCorrupt, "read the server's answer: %v", err)
	}
	answer.Traffic = traffic
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
	reply, err := call(ctx, c, c.stub.DescribeFeatures, describeRequestOf(s), &Traffic{})
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

// call sends a request. While the server is unavailable or busy and the deadline allows, it pauses and tries again.
func call[Q, A any](ctx context.Context, c *Client, send method[Q, A], req *Q, traffic *Traffic) (*A, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.options.Timeout)
		defer cancel()
	}
	pause := firstPause
	for attempt := 1; ; attempt++ {
		options := []grpc.CallOption{grpc.MaxCallRecvMsgSize(maxAnswer), grpc.ForceCodecV2(codec{wireCodec, traffic})}
		if token, err := c.authorize(ctx); err != nil {
			return nil, err
		} else if token != nil {
			options = append(options, token)
		}
		answer, sent := send(ctx, req, options...)
		if sent == nil {
			return answer, nil
		}
		err := kindOf(sent)
		again, _ := retryAfter(sent)
		switch {
		case errors.Is(err, fstore.ErrUnavailable):
			if err = c.unreachable(err); !errors.Is(err, fstore.ErrUnavailable) {
				return nil, err
			}
		case errors.Is(err, fstore.ErrBusy) && !endsWithin(ctx, again):
		default:
			return nil, err
		}
		if attempt == c.options.Attempts {
			return nil, err
		}
		if over := wait(ctx, again, pause); over != nil {
			return nil, fmt.Errorf("%w; %d attempts, then %w", err, attempt, over)
		}
		pause = min(2*pause, longestPause)
	}
}

// endsWithin reports whether a context ends by its deadline before some time has passed.
func endsWithin(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < d
}

// wait returns nil after a pause, or the context's error if the context ends first. It waits at least as long as the server
// asks for. Pauses vary by half, so that clients that failed together do not retry together.
func wait(ctx context.Context, least, pause time.Duration) error {
	pause = max(least, pause)
	timer := time.NewTimer(max(least, pause/2) + rand.N(pause)) //nolint:gosec // no secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
