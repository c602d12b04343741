package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock advances only while somebody sleeps.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{now: epoch} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

// secretPath is the part of the receivers' URLs that no error may have.
const secretPath = "/services/T000/B000/s3cr3tt0k3n"

// receiver answers with the given handlers in turn, and with the last one from then on.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	heads  []http.Header
}

func receive(t *testing.T, handlers ...http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		n := len(r.bodies)
		r.bodies, r.heads = append(r.bodies, string(body)), append(r.heads, req.Header)
		r.mu.Unlock()
		handlers[min(n, len(handlers)-1)](w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) target() *Target {
	return &Target{Name: "ops", URL: Secret(r.URL + secretPath), Format: JSON}
}

func (r *receiver) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bodies)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func retryAfter(code int, after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after)
		w.WriteHeader(code)
	}
}

func message(n int) Message {
	a := Alert{Event: CheckFailed, By: "check", Subject: Subject{"feature_view", "orders", "3"}, State: Firing, Summary: "2 expectations of orders@3 failed"}
	return a.Message("shop", fmt.Sprintf("msg_%d", n), epoch)
}

func TestAnswersAndWhatTheyMean(t *testing.T) {
	for name, c := range map[string]struct {
		handlers []http.HandlerFunc
		requests int
		err      string          // empty: delivered
		slept    []time.Duration // at least, for each wait
	}{
		"taken":                  {[]http.HandlerFunc{status(204)}, 1, "", nil},
		"failing then taken":     {[]http.HandlerFunc{status(500), status(503), status(202)}, 3, "", []time.Duration{250 * time.Millisecond, 500 * time.Millisecond}},
		"failing for good":       {[]http.HandlerFunc{status(502)}, attempts, "it answers with status 502", []time.Duration{250e6, 500e6, 1000e6, 2000e6}},
		"too many requests":      {[]http.HandlerFunc{retryAfter(429, "7"), status(200)}, 2, "", []time.Duration{7 * time.Second}},
		"an instant to wait for": {[]http.HandlerFunc{retryAfter(503, epoch.Add(9*time.Second).Format(http.TimeFormat)), status(200)}, 2, "", []time.Duration{9 * time.Second}},
		"too long to wait":       {[]http.HandlerFunc{retryAfter(429, "3600"), status(200)}, 1, "it answers with status 429", nil},
		"an absurd wait":         {[]http.HandlerFunc{retryAfter(429, "9223372036854775807"), status(200)}, 1, "it answers with status 429", nil},
		"a wait that is none":    {[]http.HandlerFunc{retryAfter(429, "-5; soon"), status(200)}, 2, "", []time.Duration{250e6}},
		"a mistake of ours":      {[]http.HandlerFunc{status(400)}, 1, "it answers with status 400: check the URL and the secret", nil},
		"a URL that is gone":     {[]http.HandlerFunc{status(410)}, 1, "it answers with status 410: check the URL and the secret", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, clock := receive(t, c.handlers...), newClock()
			s := &Sender{Client: r.Client(), Clock: clock}
			err := s.Send(t.Context(), r.target(), message(1), epoch.Add(15*time.Second))
			if c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
			if r.requests() != c.requests {
				t.Errorf("%d requests, want %d", r.requests(), c.requests)
			}
			if len(clock.slept) != len(c.slept) {
				t.Fatalf("slept %v, want as long as %v", clock.slept, c.slept)
			}
			for i, d := range clock.slept {
				if d < c.slept[i] || d > 2*c.slept[i]+time.Second {
					t.Errorf("wait %d is %s, want %s or a little more", i, d, c.slept[i])
				}
			}
			if clock.now.After(epoch.Add(15 * time.Second)) {
				t.Errorf("it ends at %s, after the deadline", clock.now)
			}
			for _, body := range r.bodies {
				if body != r.bodies[0] {
					t.Errorf("an attempt sends %s after %s", body, r.bodies[0])
				}
			}
		})
	}
}

func TestAReceiverThatIsDown(t *testing.T) {
	refuse := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}}
	s := &Sender{Client: &http.Client{Transport: refuse}, Clock: newClock()}
	err := s.Send(t.Context(), &Target{URL: Secret("http://down.example" + secretPath), Format: Slack}, message(1), epoch.Add(time.Minute))
	if err == nil || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "s3cr3t") {
		t.Error(err)
	}
}

// transport is a function that answers requests.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestASlowReceiver(t *testing.T) {
	tried := 0
	hang := transport(func(r *http.Request) (*http.Response, error) {
		tried++
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	s := &Sender{Client: &http.Client{Transport: hang}, Clock: newClock(), Patience: 20 * time.Millisecond}
	err := s.Send(t.Context(), &Target{URL: "http://slow.example", Format: JSON}, message(1), epoch.Add(time.Minute))
	if err == nil || err.Error() != "no answer within 20ms" {
		t.Error(err)
	}
	if tried != attempts {
		t.Errorf("%d attempts", tried)
	}
}

// A receiver that has taken the message and then writes nothing is not waited for.
func TestAnAnswerThatStalls(t *testing.T) {
	stalls := transport(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: unread{t}, Request: r}, nil
	})
	s := &Sender{Client: &http.Client{Transport: stalls}, Clock: newClock()}
	if err := s.Send(t.Context(), &Target{URL: "http://stalls.example", Format: JSON}, message(1), epoch.Add(time.Minute)); err != nil {
		t.Error(err)
	}
}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of an answer is read")
	return 0, io.EOF
}

func (unread) Close() error { return nil }

// A receiver that has taken the message and then writes without end is neither waited for nor read.
func TestAnEndlessAnswer(t *testing.T) {
	written := make(chan int, 1)
	r := receive(t, func(w http.ResponseWriter, _ *http.Request) {
		n := 0
		for {
			wrote, err := w.Write(make([]byte, 64<<10))
			if n += wrote; err != nil || n > 1<<30 {
				written <- n
				return
			}
		}
	})
	s := &Sender{Client: r.Client(), Clock: newClock()}
	if err := s.Send(t.Context(), r.target(), message(1), epoch.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if n := <-written; n > 64<<20 {
		t.Errorf("%d bytes of the answer were read", n)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := receive(t, status(200))
	for _, code := range []int{301, 302, 303, 307, 308} {
		r := receive(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere.URL+"/t0k3n")
			w.WriteHeader(code)
		})
		s := &Sender{Client: r.Client(), Clock: newClock()}
		err := s.Send(t.Context(), r.target(), message(1), epoch.Add(time.Minute))
		want := fmt.Sprintf("it answers with status %d, a redirect, which is not followed: set the URL that it leads to", code)
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if r.requests() != 1 || elsewhere.requests() != 0 {
			t.Errorf("%d: %d requests, and %d elsewhere", code, r.requests(), elsewhere.requests())
		}
	}
}

// A target that is down costs its own messages only, and one attempt at each of the others is saved. A message that a target
// refuses does not keep the next one from it.
func TestTargetsDoNotWaitForEachOther(t *testing.T) {
	down, fine := receive(t, status(503)), receive(t, status(200))
	picky := receive(t, status(400), status(200))
	a, b, c := down.target(), fine.target(), picky.target()
	var all []Delivery
	for n := range 3 {
		for _, target := range []*Target{a, b, c} {
			all = append(all, Delivery{Target: target, Message: message(n)})
		}
	}
	s := &Sender{Client: http.DefaultClient, Clock: newClock()}
	s.Deliver(t.Context(), all, epoch.Add(time.Minute))
	var failed []string
	for _, d := range all {
		if d.Err != nil {
			failed = append(failed, d.Message.ID+" "+map[*Target]string{a: "down", b: "fine", c: "picky"}[d.Target])
		}
	}
	slices.Sort(failed)
	if got, want := fmt.Sprint(failed), "[msg_0 down msg_0 picky msg_1 down msg_2 down]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if down.requests() != attempts || fine.requests() != 3 || picky.requests() != 3 {
		t.Error(down.requests(), fine.requests(), picky.requests())
	}
	for i, body := range fine.bodies {
		if !strings.Contains(body, fmt.Sprintf("msg_%d", i)) {
			t.Errorf("message %d is %s", i, body)
		}
	}
}

func TestNothingIsSentAfterTheDeadline(t *testing.T) {
	r := receive(t, status(200))
	s := &Sender{Client: r.Client(), Clock: newClock()}
	if err := s.Send(t.Context(), r.target(), message(1), epoch); err == nil || r.requests() != 0 {
		t.Error(err, r.requests())
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Send(ctx, r.target(), message(1), epoch.Add(time.Minute)); !errors.Is(err, context.Canceled) || r.requests() != 0 {
		t.Error(err, r.requests())
	}
}
