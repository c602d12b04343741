// Package program builds the fstore command for tests that run it, and collects what it prints.
package program

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
)

var (
	build = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "fstore-built")
		if err != nil {
			return "", err
		}
		built = dir
		path := filepath.Join(dir, "fstore")
		cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "../../cmd/fstore") //nolint:gosec // G204: path is in the folder just made
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w\n%s", err, out)
		}
		return path, nil
	})
	built string // the folder of what build built; empty: nothing was
)

// ours are variables that change what the command does.
var ours = regexp.MustCompile(`^(FSTORE_|SHOP_|OTEL_|OPENLINEAGE_|TRACEPARENT=)`)

// Environ returns the environment that the tests run in, without what it says to the command.
func Environ() []string {
	return slices.DeleteFunc(os.Environ(), ours.MatchString)
}

// Built returns where the command is. It builds it once in a run of tests, of a package two folders below the root.
func Built(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Main runs the tests of a package, removes what Built built, and exits. TestMain calls it.
func Main(m *testing.M) {
	status := m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // it is temporary
	}
	os.Exit(status)
}

// Output is a buffer that one goroutine may write while another reads.
type Output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
