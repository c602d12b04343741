package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Sender sends messages. It is safe for concurrent use.
type Sender struct {
	Client   *http.Client
	Clock    Clock
	Patience time.Duration // for one attempt; zero: 5 seconds
}

// The bounds of sending.
const (
	patience  = 5 * time.Second
	attempts  = 5
	firstWait = 500 * time.Millisecond // doubles with each attempt
)

// Delivery is a message for a target, and how its delivery went.
type Delivery struct {
	Target  *Target
	Message Message
	Err     error // nil: the target has taken it
}

// Deliver sends messages until a deadline. Targets do not wait for each other. Each gets its messages in their order. One that
// cannot be reached is not tried with the next message; one that refuses a message gets the next.
func (s *Sender) Deliver(ctx context.Context, all []Delivery, deadline time.Time) {
	byTarget := map[*Target][]*Delivery{}
	for i := range all {
		byTarget[all[i].Target] = append(byTarget[all[i].Target], &all[i])
	}
	var wait sync.WaitGroup
	for t, queue := range byTarget {
		wait.Go(func() {
			var lost error
			for _, d := range queue {
				if d.Err = lost; lost != nil {
					continue
				}
				var refused bool
				if refused, d.Err = s.send(ctx, t, d.Message, deadline); !refused {
					lost = d.Err
				}
			}
		})
	}
	wait.Wait()
}

// Send sends a message to a target, and tries again until a deadline while it may help. The error does not have the URL.
func (s *Sender) Send(ctx context.Context, t *Target, m Message, deadline time.Time) error {
	_, err := s.send(ctx, t, m, deadline)
	return err
}

// send also reports whether the target refused this message, which says nothing of the next.
func (s *Sender) send(ctx context.Context, t *Target, m Message, deadline time.Time) (refused bool, err error) {
	r, err := t.compose(m)
	if err != nil {
		return true, err
	}
	for n := 1; ; n++ {
		again, refused, err := s.attempt(ctx, t, &r, deadline)
		if err == nil || refused {
			return refused, err
		}
		wait := max(again, jitter(firstWait<<(n-1)))
		if n == attempts || ctx.Err() != nil || s.Clock.Now().Add(wait).After(deadline) || s.Clock.Sleep(ctx, wait) != nil {
			return false, err
		}
	}
}

// jitter returns between half of d and d, so that many senders do not come back at once.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1) //nolint:gosec // G404: nothing secret depends on it
}

// attempt sends a request once. If that fails, it says how long to wait at least, or that another attempt is of no use. It does not
// wait for the body of an answer: the status says all.
func (s *Sender) attempt(ctx context.Context, t *Target, r *request, deadline time.Time) (again time.Duration, refused bool, err error) {
	limit := s.Patience
	if limit == 0 {
		limit = patience
	}
	if limit = min(limit, deadline.Sub(s.Clock.Now())); limit <= 0 {
		return 0, false, errors.New("the time for messages of this run is over")
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(t.URL), bytes.NewReader(r.body))
	if err != nil {
		return 0, true, errors.New("the URL cannot be used") // the error would repeat it
	}
	r.headers(req.Header, s.Clock.Now())
	client := *s.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(req)
	if err != nil {
		return 0, false, s.unreachable(ctx, err, limit)
	}
	defer answer.Body.Close()
	return s.judge(answer)
}

// unreachable says why there is no answer, without the URL.
func (s *Sender) unreachable(ctx context.Context, err error, limit time.Duration) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", limit.Round(time.Millisecond))
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err
}

// judge says what an answer means.
func (s *Sender) judge(answer *http.Response) (again time.Duration, refused bool, err error) {
	code := answer.StatusCode
	switch {
	case code >= 200 && code < 300:
		return 0, false, nil
	case code >= 300 && code < 400:
		return 0, true, fmt.Errorf("it answers with status %d, a redirect, which is not followed: set the URL that it leads to", code)
	case code == http.StatusRequestTimeout || code == http.StatusTooManyRequests || code >= 500:
		return s.retryAfter(answer.Header.Get("Retry-After")), false, fmt.Errorf("it answers with status %d", code)
	}
	return 0, true, fmt.Errorf("it answers with status %d: check the URL and the secret", code)
}

// retryAfter reads how long a receiver wants to be left alone: seconds, or an instant. Anything else counts for nothing.
func (s *Sender) retryAfter(text string) time.Duration {
	const longest = 24 * time.Hour // beyond every deadline
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, int64(longest/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(s.Clock.Now()))
	}
	return 0
}
