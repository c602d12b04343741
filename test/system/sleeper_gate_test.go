package system

import (
	"bufio"
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A gate stops a run between two writes to its store, and so that what it was about to write comes later than anything
// that happens until it is woken.
type gate interface {
	// stopAt begins a run and stops it at a moment; wake lets it go on. p is nil where the run got past the moment.
	stopAt(at moment, args ...string) (p *process, wake func())
}

// moment is how far a run has come, as the store says.
type moment string

const (
	leased    moment = "leased"    // it holds the lease and has not yet put its token into a header
	computing moment = "computing" // its token is there
	begun     moment = "begun"     // the header names the run; no batch is written
	midway    moment = "midway"    // some batches are
	written   moment = "written"   // all batches are
	published moment = "published" // what is left is to clean up
)

// sqliteGate stops runs by the write lock of the store's file, which it takes as soon as the run gives it up.
type sqliteGate struct {
	w                *liveWorld
	online, registry *sql.DB
}

func (g *sqliteGate) stopAt(at moment, args ...string) (*process, func()) {
	p, _ := g.w.r.start(args...)
	for {
		select {
		case <-p.done:
			return nil, nil
		default:
		}
		unlock, ok := lock(g.online)
		if !ok {
			continue // it writes; the next try may be just behind
		}
		now := g.w.moment(whole)
		for try := 0; at == leased && now == "" && try < 100; try++ { // it has no lease yet: it may get one, and not further
			time.Sleep(200 * time.Microsecond)
			now = g.w.moment(whole)
		}
		if now == at {
			stopped := p.stop(g.registry)
			unlock()
			if !stopped || g.w.moment(whole) != at {
				p.kill()
				return nil, nil
			}
			return p, p.wake
		}
		unlock()
		time.Sleep(g.pause(at)) // for the run to take its turn
	}
}

// pause is how long a run may write before it is looked at again: what it writes to try the store, before it has a lease,
// takes longer than what it writes later.
func (g *sqliteGate) pause(at moment) time.Duration {
	if at == leased {
		return 3 * time.Millisecond
	}
	return 200 * time.Microsecond
}

// redisGate stops runs at an EXEC on its way to the server. In turn, it waits in the gate until the run is woken, so that
// it arrives behind all that happened meanwhile, or arrives at once, and the sleeper does not know it.
type redisGate struct {
	w        *liveWorld
	registry *sql.DB
	execs    chan chan struct{} // each EXEC brings a channel and waits until that is closed
	replies  atomic.Int64       // of the server: how many times it said something
	stops    int
	url      string
}

func newRedisGate(t testing.TB, w *liveWorld, server string) *redisGate {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	g := &redisGate{w: w, registry: w.registry(), execs: make(chan chan struct{}), url: "redis://" + l.Addr().String() + "/0"}
	over := make(chan struct{})
	t.Cleanup(func() { close(over); l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go g.forward(client, u.Path, over)
		}
	}()
	return g
}

// forward passes on a connection, its EXECs when they are let through.
func (g *redisGate) forward(client net.Conn, socket string, over <-chan struct{}) {
	defer client.Close()
	server, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(io.MultiWriter(client, (*counter)(&g.replies)), server)
		client.Close()
	}()
	in := bufio.NewReaderSize(client, 1<<20)
	for {
		raw, command, err := readCommand(in)
		if err != nil {
			return
		}
		if strings.EqualFold(command, "exec") {
			pass := make(chan struct{})
			select {
			case g.execs <- pass:
			case <-over:
				return
			}
			select {
			case <-pass:
			case <-over:
				return
			}
		}
		if _, err := server.Write(raw); err != nil {
			return
		}
	}
}

// counter counts writes.
type counter atomic.Int64

func (c *counter) Write(b []byte) (int, error) {
	(*atomic.Int64)(c).Add(1)
	return len(b), nil
}

// readCommand reads one command of the Redis protocol: an array of strings.
func readCommand(in *bufio.Reader) (raw []byte, name string, err error) {
	var out bytes.Buffer
	number := func(mark byte) int {
		if err != nil {
			return 0
		}
		var line []byte
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0
		}
		out.Write(line)
		if line[0] != mark {
			err = fmt.Errorf("%q is not the protocol", line)
			return 0
		}
		var n int
		n, err = strconv.Atoi(strings.TrimSpace(string(line[1:])))
		return n
	}
	parts := number('*')
	for i := 0; i < parts && err == nil; i++ {
		size := number('$')
		from := out.Len()
		if err == nil {
			_, err = io.CopyN(&out, in, int64(size+2))
		}
		if i == 0 && err == nil {
			name = string(out.Bytes()[from : from+size])
		}
	}
	return out.Bytes(), name, err
}

func (g *redisGate) stopAt(at moment, args ...string) (*process, func()) {
	through := &repo{t: g.w.t, dir: g.w.r.dir, env: append([]string{}, g.w.r.env...)}
	through.env = append(through.env, "FSTORE_ONLINE="+g.url)
	p, _ := through.start(args...)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for {
		var pass chan struct{}
		select {
		case <-p.done:
			return nil, nil
		case pass = <-g.execs:
		case <-poll.C:
			if at != computing {
				continue // all others are just before a write
			}
		}
		now := g.w.moment(whole)
		if now != at {
			if pass != nil {
				close(pass)
			}
			continue
		}
		if !p.stop(g.registry) {
			return nil, nil
		}
		g.stops++
		if pass != nil && g.stops%2 == 0 {
			before := g.replies.Load()
			close(pass)
			pass = nil
			eventually(g.w.t, "an answer to what was on its way", func() bool { return g.replies.Load() > before })
		}
		return p, func() {
			if pass != nil {
				close(pass)
			}
			go g.drain(p)
			p.wake()
		}
	}
}

// drain lets through all that the process writes from now on.
func (g *redisGate) drain(p *process) {
	for {
		select {
		case pass := <-g.execs:
			close(pass)
		case <-p.done:
			return
		}
	}
}
