package access

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/fstore-dev/fstore"
)

// A made-up JWT that names a known key costs the check of a signature: tens of microseconds. An address may cause so
// many such checks a second, and more after a pause. Beyond them, its JWTs that are not remembered are refused unchecked.
// A further address costs whoever attacks a connection, which costs the server more than a check.

const (
	failuresPerSecond = 100
	// FailuresRetry is when an address may send another JWT.
	FailuresRetry = time.Second / failuresPerSecond
	// maxFailing bounds the addresses that are remembered.
	maxFailing = 4096
)

// failures counts the JWTs that were checked and refused, by where they came from.
type failures struct {
	mu     sync.Mutex // guards byPeer
	byPeer map[netip.Prefix]*rate.Limiter
}

// peerOf returns what an address is counted as. One customer of a network has all addresses of an IPv6 /64.
func peerOf(address string) netip.Prefix {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{} // a socket of this machine
	}
	ip = ip.Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // the number of bits is right
	return p
}

// mayTry reports whether an address may cause another check.
func (f *failures) mayTry(address string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	limiter := f.byPeer[peerOf(address)]
	return limiter == nil || limiter.TokensAt(now) >= 1
}

// note counts a check that was in vain.
func (f *failures) note(address string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	peer := peerOf(address)
	limiter := f.byPeer[peer]
	if limiter == nil {
		f.makeRoom(now)
		limiter = rate.NewLimiter(failuresPerSecond, failuresPerSecond)
		f.byPeer[peer] = limiter
	}
	limiter.AllowN(now, 1)
}

// makeRoom forgets, if there are too many addresses, those that it meets which have their whole allowance again, and one
// more.
func (f *failures) makeRoom(now time.Time) {
	if len(f.byPeer) < maxFailing {
		return
	}
	for peer, limiter := range f.byPeer {
		delete(f.byPeer, peer)
		if limiter.TokensAt(now) < failuresPerSecond {
			return
		}
	}
}

func tooManyJWTs() error {
	return &Refused{Reason: TooManyJWTs, err: fstore.Errorf(fstore.ErrBusy, "this address sends too many JWTs that are not valid").WithHint("try again in a moment")}
}
