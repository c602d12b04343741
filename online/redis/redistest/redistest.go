// Package redistest starts a real redis-server for tests.
package redistest

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Server is a real redis-server on a unix socket. A test may kill, restart, pause and resume it.
type Server struct {
	URL string // of database 0

	t     testing.TB
	args  []string
	child *child // nil while the server is not running
}

// New starts a redis-server on a unix socket that keeps nothing on disk. args are further arguments, such as
// "--maxmemory", "1mb". The server stops at the end of the test, and when the test's process dies. If redis-server is
// missing, the test fails: a skipped suite proves nothing.
func New(t testing.TB, args ...string) *Server {
	t.Helper()
	// Not t.TempDir: the path of a socket is limited to about 100 bytes.
	dir, err := os.MkdirTemp("", "fstore-redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "redis.sock")
	return begin(t, "unix://"+socket+"?db=0", append([]string{"--port", "0", "--unixsocket", socket, "--dir", dir}, args...))
}

// NewTCP is New on a free port of 127.0.0.1, for clients without unix sockets.
func NewTCP(t testing.TB, args ...string) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close() // if another program takes the port first, the test fails and says so
	return begin(t, "redis://"+addr+"/0", append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir()}, args...))
}

// Start is New for tests that need only the URL.
func Start(t testing.TB, args ...string) (url string) {
	t.Helper()
	return New(t, args...).URL
}

// StartTCP is NewTCP for tests that need only the URL.
func StartTCP(t testing.TB, args ...string) (url string) {
	t.Helper()
	return NewTCP(t, args...).URL
}

func begin(t testing.TB, url string, args []string) *Server {
	s := &Server{URL: url, t: t, args: args}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// Kill ends the server at once, like kill -9. It may be called again.
func (s *Server) Kill() {
	if s.child != nil {
		s.child.end()
		s.child = nil
	}
}

// Restart starts a killed server again, with the data that it kept on disk, if any.
func (s *Server) Restart() {
	s.t.Helper()
	if s.child == nil {
		s.child = run(s.t, s.args)
	}
}

// Pause stops the server as if its machine hung: connections stay open, but nothing answers.
func (s *Server) Pause() { _ = syscall.Kill(s.child.pid, syscall.SIGSTOP) }

// Resume continues a paused server.
func (s *Server) Resume() { _ = syscall.Kill(s.child.pid, syscall.SIGCONT) }

// PID returns the process id of redis-server itself.
func (s *Server) PID() int { return s.child.pid }

// child is a running redis-server and its supervisor.
type child struct {
	pid     int // of redis-server
	cmd     *exec.Cmd
	in      io.Closer
	drained chan struct{}
}

// end kills redis-server, and waits for it and its supervisor.
func (c *child) end() {
	_ = syscall.Kill(c.pid, syscall.SIGKILL)
	c.in.Close()
	<-c.drained
	_ = c.cmd.Wait() // the error is the signal that ended it
}

// supervise runs redis-server until standard input is closed, as it is when the test's process dies.
const supervise = `redis-server "$@" & pid=$!; echo "pid $pid"; read -r _; kill -9 "$pid"; wait "$pid"`

func run(t testing.TB, args []string) *child {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is needed for this test; run: sudo apt-get install -y redis-server   (or: brew install redis)")
	}
	args = append([]string{"-c", supervise, "sh", "--save", "", "--appendonly", "no"}, args...)
	c := &child{cmd: exec.Command("sh", args...), drained: make(chan struct{})}
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in = in
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stderr = c.cmd.Stdout
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, said, ready := bufio.NewScanner(out), []string(nil), false
	for lines.Scan() {
		said = append(said, lines.Text())
		if pid, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
			if c.pid, err = strconv.Atoi(pid); err != nil {
				t.Fatal(err)
			}
		}
		ready = ready || strings.Contains(strings.ToLower(lines.Text()), "ready to accept connections")
		if c.pid != 0 && ready { // either line may come first
			go func() {
				defer close(c.drained)
				_, _ = io.Copy(io.Discard, out) // so that the server never blocks on a full pipe
			}()
			return c
		}
	}
	t.Fatalf("redis-server did not start:\n%s", strings.Join(said, "\n"))
	return nil
}
