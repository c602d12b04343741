package openlineage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/fstore-dev/fstore/internal/english"
)

// The bounds of reporting.
const (
	patience  = 3 * time.Second        // Close waits so long for events that are on their way
	farewell  = 300 * time.Millisecond // likewise once the program is to stop
	perEvent  = 5 * time.Second        // for one event
	maxQueued = 1000                   // events that wait to be sent; more are lost
)

// Client sends events in the background, in order. A nil client sends nothing.
type Client struct {
	config  Config
	version string
	now     func() time.Time

	patience, farewell time.Duration

	http   http.Client
	queue  chan []byte
	cancel context.CancelFunc
	done   chan struct{} // closed once everything was sent or given up

	enqueued, lost int   // lost counts those that did not fit; both belong to the caller of the methods
	failed         int   // belongs to send, and after done to everyone
	reason         error // of the first failure, likewise
}

// New returns a client for events of a version of fstore. It returns nil if the configuration has no URL. The caller must
// close it.
func New(c Config, version string, now func() time.Time) *Client {
	if c.URL == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	client := &Client{config: c, version: version, now: now, patience: patience, farewell: farewell, queue: make(chan []byte, maxQueued), cancel: cancel, done: make(chan struct{})}
	client.http.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment}
	// A redirected POST would become a GET.
	client.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	go client.send(ctx)
	return client
}

func (c *Client) enqueue(text []byte) {
	c.enqueued++
	select {
	case c.queue <- text:
	default:
		c.lost++
	}
}

// Close waits for a bounded time until all events are sent. The error says how many were not, and why. No run may be reported
// afterwards.
func (c *Client) Close(ctx context.Context) error {
	if c == nil {
		return nil
	}
	close(c.queue)
	select {
	case <-c.done:
	case <-time.After(c.patience):
	case <-ctx.Done():
		select {
		case <-c.done:
		case <-time.After(c.farewell):
		}
	}
	c.cancel()
	<-c.done
	c.http.CloseIdleConnections()
	if c.failed+c.lost == 0 {
		return nil
	}
	if c.reason == nil {
		c.reason = errors.New("too many wait to be sent")
	}
	return fmt.Errorf("%d of %s did not reach OpenLineage at %s: %w", c.failed+c.lost, english.Count(c.enqueued, "event"), c.config.URL.Redacted(), c.reason)
}

// send sends what is queued, until the queue is closed.
func (c *Client) send(ctx context.Context) {
	defer close(c.done)
	for text := range c.queue {
		if err := c.post(ctx, text); err != nil {
			c.failed++
			if c.reason == nil {
				c.reason = err
			}
		}
	}
}

func (c *Client) post(ctx context.Context, text []byte) error {
	if ctx.Err() != nil {
		return errNoTime
	}
	ctx, cancel := context.WithTimeout(ctx, perEvent)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL.String(), bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.config.APIKey != "" {
		req.Header.Set("Authorization", "Bearer "+c.config.APIKey)
	}
	answer, err := c.http.Do(req)
	var wrapped *url.Error
	switch {
	case ctx.Err() != nil:
		return errNoTime
	case errors.As(err, &wrapped):
		return wrapped.Err // without the URL
	case err != nil:
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("it answered %s", answer.Status)
	}
	return nil
}

var errNoTime = errors.New("it did not answer in time")
