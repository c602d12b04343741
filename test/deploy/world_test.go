package deploy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/test/program"
)

// folder is what the tests check.
const folder = "../../deploy"

func TestMain(m *testing.M) { program.Main(m) }

// need returns where a command is. A test whose command is missing is left out; with FSTORE_CI it fails.
func need(t testing.TB, command, how string) string {
	t.Helper()
	path, err := exec.LookPath(command)
	if err == nil {
		return path
	}
	if os.Getenv("FSTORE_CI") != "" {
		t.Fatalf("%s is missing: %s", command, how)
	}
	t.Skipf("%s is missing: %s", command, how)
	return ""
}

// repo is the sample shop in a folder of its own, and the environment that commands on it run in.
type repo struct {
	t        testing.TB
	bin, dir string
	env      []string
}

// newShop returns the sample shop, with its definitions applied. The settings are variables such as FSTORE_ONLINE=….
func newShop(t testing.TB, settings ...string) *repo {
	t.Helper()
	bin := program.Built(t)
	r := &repo{t: t, bin: bin, dir: t.TempDir(), env: append(program.Environ(), settings...)}
	r.must("init", ".")
	r.must("apply", "--yes")
	return r
}

// must runs fstore, which has to end with status 0, and returns what it printed.
func (r *repo) must(args ...string) string {
	r.t.Helper()
	return r.exits(0, args...)
}

// exits runs fstore, which has to end with a status, and returns what it printed.
func (r *repo) exits(status int, args ...string) string {
	r.t.Helper()
	cmd := exec.Command(r.bin, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
		r.t.Fatalf("fstore %s: %v, want status %d\n%s%s", strings.Join(args, " "), err, status, out.String(), errs.String())
	}
	return out.String()
}

// process is a command that runs beside the test.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	log  program.Output // its standard error
	done chan struct{}
}

// start begins a command, which is killed at the end of the test if it still runs.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, done: make(chan struct{})}
	cmd.Stderr = &p.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // ProcessState says how it ended
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-p.done
	})
	return p
}

// stop ends the process by SIGTERM and returns its exit status.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		p.t.Fatalf("%v still runs a minute after SIGTERM; its log:\n%s", p.cmd.Args, p.log.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// server is a running fstore serve.
type server struct {
	*process
	grpc, http, metrics string // addresses
}

// serve begins fstore serve on free ports and waits until it is ready.
func (r *repo) serve(args ...string) *server {
	r.t.Helper()
	cmd := exec.Command(r.bin, append([]string{"serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}, args...)...)
	cmd.Dir, cmd.Env = r.dir, r.env
	out, in, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { out.Close() })
	cmd.Stdout = in
	s := &server{process: start(r.t, cmd)}
	in.Close()
	lines := bufio.NewScanner(out)
	for s.metrics == "" && lines.Scan() {
		for name, into := range map[string]*string{"grpc ": &s.grpc, "http ": &s.http, "metrics ": &s.metrics} {
			if a, ok := strings.CutPrefix(lines.Text(), name); ok {
				*into = a
			}
		}
	}
	if s.metrics == "" {
		<-s.done
		r.t.Fatalf("serve ended with %d; its log:\n%s", s.cmd.ProcessState.ExitCode(), s.log.String())
	}
	eventually(r.t, "the server is ready", func() error {
		_, err := get("http://" + s.metrics + "/readyz")
		return err
	})
	return s
}

// web asks servers whose certificates nobody knows.
var web = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // G402: the test is both sides

// get returns what is at a URL. It is an error if the status is not 200.
func get(url string) (string, error) {
	resp, err := web.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %.500s", resp.StatusCode, text)
	}
	return string(text), err
}

// eventually waits until check returns no error, for a minute at most.
func eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("a minute has passed, and not yet: %s: %v", what, err)
}

// read returns the content of a file.
func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// write writes files of a folder, by name.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	var all []error
	for name, text := range files {
		all = append(all, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	if err := errors.Join(all...); err != nil {
		t.Fatal(err)
	}
}
