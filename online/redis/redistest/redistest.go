// Package redistest starts a real redis-server for tests.
package redistest

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Start starts a redis-server that keeps nothing on disk, on a unix socket, with extra arguments such as
// "--maxmemory", "1mb", and returns the URL of its database 0. It is stopped at the end of the test, and also when the
// test's process dies. Where redis-server is missing the test fails: a suite that is skipped proves nothing.
func Start(t testing.TB, args ...string) (url string) {
	t.Helper()
	// not t.TempDir: the path of a socket has at most about 100 bytes
	dir, err := os.MkdirTemp("", "fstore-redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "redis.sock")
	run(t, append([]string{"--port", "0", "--unixsocket", socket, "--dir", dir}, args...))
	return "unix://" + socket + "?db=0"
}

// StartTCP is Start on a free port of 127.0.0.1, for what does not speak over unix sockets.
func StartTCP(t testing.TB, args ...string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close() // another program could take the port before redis does; then the test fails and says so
	run(t, append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir()}, args...))
	return "redis://" + addr + "/0"
}

// supervise runs redis-server until standard input ends, which it does when the test's process is gone.
const supervise = `redis-server "$@" & pid=$!; read -r _; kill "$pid"; wait "$pid"`

func run(t testing.TB, args []string) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is needed for this test; run: sudo apt-get install -y redis-server   (or: brew install redis)")
	}
	args = append([]string{"-c", supervise, "sh", "--save", "", "--appendonly", "no"}, args...)
	cmd := exec.Command("sh", args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	drained := make(chan struct{})
	t.Cleanup(func() {
		in.Close()
		<-drained
		_ = cmd.Wait() // by signal: that is how it ends
	})
	lines, said := bufio.NewScanner(out), []string(nil)
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(strings.ToLower(lines.Text()), "ready to accept connections") {
			go func() {
				defer close(drained)
				_, _ = io.Copy(io.Discard, out) // so that the server never blocks on a full pipe
			}()
			return
		}
	}
	close(drained)
	t.Fatalf("redis-server did not start:\n%s", strings.Join(said, "\n"))
}
