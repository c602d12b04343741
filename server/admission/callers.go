package admission

import (
	"container/list"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// MaxCallers bounds the callers that are remembered. Beyond them the one that has not called for longest is forgotten: a flood of
// addresses takes no more memory, and a caller that is forgotten begins anew.
const MaxCallers = 10_000

// callers limits how often each caller may call.
type callers struct {
	rate  rate.Limit
	burst int

	mu    sync.Mutex // guards the rest
	byKey map[string]*list.Element
	order list.List // of callerRate, the most recent first
}

type callerRate struct {
	key     string
	limiter *rate.Limiter
}

func newCallers(perSecond float64, burst int) *callers {
	if burst == 0 {
		burst = max(1, int(math.Ceil(perSecond)))
	}
	return &callers{rate: rate.Limit(perSecond), burst: burst, byKey: map[string]*list.Element{}}
}

func (c *callers) String() string { return fmt.Sprintf("%v requests per second", float64(c.rate)) }

// take counts a call. It returns 0, or after how long the caller may call again.
func (c *callers) take(key string, now time.Time) (retry time.Duration) {
	limiter := c.of(key)
	if limiter.AllowN(now, 1) {
		return 0
	}
	missing := 1 - limiter.TokensAt(now)
	return max(time.Millisecond, time.Duration(missing/float64(c.rate)*float64(time.Second)))
}

func (c *callers) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}

func (c *callers) of(key string) *rate.Limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.byKey[key]; at != nil {
		c.order.MoveToFront(at)
		return at.Value.(*callerRate).limiter
	}
	if oldest := c.order.Back(); c.order.Len() >= MaxCallers {
		delete(c.byKey, c.order.Remove(oldest).(*callerRate).key)
	}
	found := &callerRate{key, rate.NewLimiter(c.rate, c.burst)}
	c.byKey[key] = c.order.PushFront(found)
	return found.limiter
}
