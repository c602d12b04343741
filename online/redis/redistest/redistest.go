// Package redistest starts real servers for tests: a redis-server, or a primary with replicas and sentinels.
package redistest

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Server is a real redis-server. A test may kill, restart, pause and resume it.
type Server struct {
	URL string // of database 0

	t        testing.TB
	args     []string
	command  string // "": redis-server
	sentinel bool
	child    *child // nil while the server is not running
}

// New starts a redis-server on a unix socket that keeps nothing on disk. args are further arguments, such as
// "--maxmemory", "1mb". The server stops at the end of the test, and when the test's process dies. If redis-server is
// missing, the test fails: a skipped suite proves nothing.
func New(t testing.TB, args ...string) *Server {
	t.Helper()
	return newServer(t, "", args)
}

// NewValkey is New with a valkey-server. It skips the test where there is none: unlike Redis, not every system has a
// package of it.
func NewValkey(t testing.TB, args ...string) *Server {
	t.Helper()
	return newServer(t, valkey(t), args)
}

func newServer(t testing.TB, command string, args []string) *Server {
	t.Helper()
	dir := socketDir(t)
	socket := filepath.Join(dir, "redis.sock")
	return begin(t, &Server{
		URL: "unix://" + socket + "?db=0", t: t, command: command, args: append([]string{"--port", "0", "--unixsocket", socket, "--dir", dir}, args...),
	})
}

// valkey returns the valkey-server that is installed, or that .ci/valkey has put into bin of the repo.
func valkey(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("valkey-server"); err == nil {
		return path
	}
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if path := filepath.Join(dir, "bin", "valkey-server"); isFile(path) && isFile(filepath.Join(dir, "go.mod")) {
			return path
		}
		dir = filepath.Dir(dir)
	}
	t.Skip("there is no valkey-server, neither installed nor in bin; make valkey installs it where it can")
	return ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// socketDir returns a folder for a socket. It is not t.TempDir: the path of a socket is limited to about 100 bytes.
func socketDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fstore-redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// NewTCP is New on a free port of 127.0.0.1, for clients without unix sockets.
func NewTCP(t testing.TB, args ...string) *Server {
	t.Helper()
	port := freePort(t)
	return begin(t, &Server{
		URL: "redis://127.0.0.1:" + port + "/0", t: t, args: append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir()}, args...),
	})
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

func begin(t testing.TB, s *Server) *Server {
	t.Helper()
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
	command := cmp.Or(s.command, "redis-server")
	switch {
	case s.child != nil:
	case s.sentinel:
		s.child = run(s.t, command, "+monitor master", s.args)
	default:
		s.child = run(s.t, command, "ready to accept connections", append([]string{"--save", "", "--appendonly", "no"}, s.args...))
	}
}

// Pause stops the server as if its machine hung: connections stay open, but nothing answers.
func (s *Server) Pause() { _ = syscall.Kill(s.child.pid, syscall.SIGSTOP) }

// Resume continues a paused server.
func (s *Server) Resume() { _ = syscall.Kill(s.child.pid, syscall.SIGCONT) }

// PID returns the process id of redis-server itself.
func (s *Server) PID() int { return s.child.pid }
