package redistest

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// child is a running server and its supervisor.
type child struct {
	pid     int // of the server
	cmd     *exec.Cmd
	in      io.Closer
	drained chan struct{}
}

// end kills the server, and waits for it and its supervisor.
func (c *child) end() {
	_ = syscall.Kill(c.pid, syscall.SIGKILL)
	c.in.Close()
	<-c.drained
	_ = c.cmd.Wait() // the error is the signal that ended it
}

// supervise runs a server until standard input is closed, as it is when the test's process dies.
const supervise = `"$0" "$@" & pid=$!; echo "pid $pid"; read -r _; kill -9 "$pid"; wait "$pid"`

// run starts a server and returns once it has printed ready.
func run(t testing.TB, server, ready string, args []string) *child {
	t.Helper()
	if _, err := exec.LookPath(server); err != nil {
		t.Fatalf("%s is needed for this test; run: sudo apt-get install -y redis-server   (or: brew install redis)", server)
	}
	c := &child{cmd: exec.Command("sh", append([]string{"-c", supervise, server}, args...)...), drained: make(chan struct{})}
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
	lines, said, started := bufio.NewScanner(out), []string(nil), false
	for lines.Scan() {
		said = append(said, lines.Text())
		if pid, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
			if c.pid, err = strconv.Atoi(pid); err != nil {
				t.Fatal(err)
			}
		}
		started = started || strings.Contains(strings.ToLower(lines.Text()), ready)
		if c.pid != 0 && started { // either line may come first
			go func() {
				defer close(c.drained)
				_, _ = io.Copy(io.Discard, out) // so that the server never blocks on a full pipe
			}()
			return c
		}
	}
	in.Close()
	_ = c.cmd.Wait()
	t.Fatalf("%s did not start:\n%s", server, strings.Join(said, "\n"))
	return nil
}

// freePort returns a port of 127.0.0.1 that nobody listens on. It is none of those that systems give to outgoing
// connections, so that it stays free while its server is down.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(10000 + rand.IntN(22000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("127.0.0.1 has no free port")
	return ""
}
