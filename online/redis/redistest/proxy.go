package redistest

import (
	"io"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
)

// proxy listens on a node's port and forwards each connection to the node's socket. It can hold back what the node
// sends to a replica, while both take their link for alive: neither ends it for a minute.
type proxy struct {
	addr, socket string

	gate    sync.RWMutex // guards stopped; held for reading while a replica is written to
	changed *sync.Cond   // of stopped
	stopped map[string]bool

	mu       sync.Mutex // guards the rest
	listener net.Listener
	links    map[*link]bool
	running  sync.WaitGroup
}

// link is a connection through the proxy.
type link struct {
	client, server net.Conn
	replica        atomic.Pointer[string] // the announced port, if a replica has connected
	closed         atomic.Bool
}

func newProxy(port, socket string) *proxy {
	p := &proxy{addr: "127.0.0.1:" + port, socket: socket, stopped: map[string]bool{}, links: map[*link]bool{}}
	p.changed = sync.NewCond(p.gate.RLocker())
	return p
}

// up begins to accept connections.
func (p *proxy) up() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.listener = l
	p.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.connect(c)
		}
	})
	return nil
}

// down refuses connections and drops those that are open, with everything held back.
func (p *proxy) down() {
	p.mu.Lock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	for l := range p.links {
		l.close()
	}
	p.mu.Unlock()
	p.wake()
	p.running.Wait()
}

// wake lets held connections look again whether they may go on. It takes the gate, so none can miss it.
func (p *proxy) wake() {
	p.gate.Lock()
	p.changed.Broadcast()
	p.gate.Unlock()
}

// hold stops or resumes the data that a replica gets.
func (p *proxy) hold(replica string, stopped bool) {
	p.gate.Lock()
	p.stopped[replica] = stopped
	p.changed.Broadcast()
	p.gate.Unlock()
}

func (p *proxy) connect(client net.Conn) {
	server, err := net.Dial("unix", p.socket)
	if err != nil {
		client.Close()
		return
	}
	l := &link{client: client, server: server}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		l.close()
		return
	}
	p.links[l] = true
	p.running.Go(func() {
		defer p.drop(l)
		p.toServer(l)
	})
	p.running.Go(func() {
		defer p.drop(l)
		p.toClient(l)
	})
}

func (p *proxy) drop(l *link) {
	l.close()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
	p.wake()
}

func (l *link) close() {
	l.closed.Store(true)
	l.client.Close()
	l.server.Close()
}

var listeningPort = regexp.MustCompile(`(?i)listening-port\r\n\$\d+\r\n(\d+)\r\n`)

// toServer forwards what the client sends, and finds out whether it is a replica: a replica says so in its third
// command at the latest.
func (p *proxy) toServer(l *link) {
	buf, head := make([]byte, 16<<10), []byte(nil)
	for len(head) < 1000 {
		n, err := l.client.Read(buf)
		head = append(head, buf[:n]...)
		if m := listeningPort.FindSubmatch(head); m != nil {
			port := string(m[1])
			l.replica.Store(&port)
		}
		if _, failed := l.server.Write(buf[:n]); err != nil || failed != nil {
			return
		}
	}
	_, _ = io.Copy(l.server, l.client)
}

func (p *proxy) toClient(l *link) {
	for buf := make([]byte, 16<<10); ; {
		n, err := l.server.Read(buf)
		if !p.deliver(l, buf[:n]) || err != nil {
			return
		}
	}
}

// deliver writes to the client, and to a replica once it may get data.
func (p *proxy) deliver(l *link, data []byte) bool {
	if replica := l.replica.Load(); replica != nil {
		p.gate.RLock()
		defer p.gate.RUnlock()
		for p.stopped[*replica] && !l.closed.Load() {
			p.changed.Wait()
		}
		if l.closed.Load() {
			return false
		}
	}
	_, err := l.client.Write(data)
	return err == nil
}
