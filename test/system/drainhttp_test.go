package system

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// drained asks a server over HTTP that drains. HTTP cannot tell clients to go elsewhere. So a request may be cut off if the
// server had not accepted its connection, or had not received it, when it closed its port. Connections are accepted in the
// order in which they were made: that tells which.
type drained struct {
	client   *http.Client
	url      string
	answered *atomic.Int64

	mu       sync.Mutex // guards the rest
	open     time.Time  // the port was open then
	accepted time.Time  // the connections made before were accepted
	cut      []cutOff
}

// cutOff is a request that got no answer.
type cutOff struct {
	connection dialed
	reused     bool // by this request
	wrote, at  time.Time
	err        error
}

// dialed is a connection that was made between two instants.
type dialed struct {
	net.Conn
	began, done time.Time
}

func newDrained(url string, answered *atomic.Int64) *drained {
	d := &drained{url: url, answered: answered}
	d.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32, DialContext: d.dial}, Timeout: 30 * time.Second}
	return d
}

func (d *drained) dial(ctx context.Context, network, address string) (net.Conn, error) {
	began := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = later(d.open, began)
	return dialed{conn, began, time.Now()}, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// ask makes a request and reports whether the caller may ask again. A connection that is refused sent nothing.
func (d *drained) ask(t *testing.T) bool {
	var this cutOff
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			d.mu.Lock()
			defer d.mu.Unlock()
			this.connection, this.reused = info.Conn.(dialed), info.Reused
		},
		WroteRequest: func(httptrace.WroteRequestInfo) {
			d.mu.Lock()
			defer d.mu.Unlock()
			this.wrote = time.Now()
		},
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, strings.NewReader(`{"service":"churn","entities":{"customer_id":[12003,12012,99999]}}`))
	if err != nil {
		t.Error(err)
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(req)
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return false
	}
	d.mu.Lock()
	if err != nil {
		this.at, this.err = time.Now(), err
		if this.wrote.IsZero() {
			this.wrote = this.at
		}
		d.cut = append(d.cut, this)
	} else {
		d.accepted = later(d.accepted, this.connection.began)
	}
	d.mu.Unlock()
	return err == nil && d.take(t, resp)
}

// take takes in an answer and reports whether the caller may ask again.
func (d *drained) take(t *testing.T, resp *http.Response) bool {
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("an answer was cut off: %v", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		d.answered.Add(1)
		return true
	case http.StatusTooManyRequests:
		return true
	case http.StatusServiceUnavailable:
		return false
	default:
		t.Errorf("status %d", resp.StatusCode)
		return false
	}
}

// check fails the test if a request was cut off that should not have been.
func (d *drained) check(t *testing.T) {
	for _, c := range d.cut {
		accepted := c.reused || c.connection.done.Before(d.accepted)
		switch {
		case !errors.Is(c.err, syscall.ECONNRESET) && !errors.Is(c.err, syscall.EPIPE) && !errors.Is(c.err, io.EOF):
			t.Errorf("a request was lost: %v", c.err)
		case c.at.Before(d.open):
			t.Errorf("a request was lost before the port was closed: %v", c.err)
		case accepted && c.wrote.Before(d.open):
			t.Errorf("a request was lost that had arrived %s before the port was closed: %v", d.open.Sub(c.wrote), c.err)
		}
	}
	t.Logf("%d of 32 HTTP clients were cut off", len(d.cut))
}
