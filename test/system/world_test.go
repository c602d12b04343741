package system

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
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

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/redis"
	"github.com/fstore-dev/fstore/online/sqlite"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/test/program"
)

// built is where the built fstore is.
var built string

func TestMain(m *testing.M) { os.Exit(build(m)) }

var underRace = flag.Bool("race-program", false, "build fstore with the race detector: a race ends a command with status 66")

func build(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "fstore-system")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built = filepath.Join(dir, "fstore")
	cmd := exec.Command("go", "build", fmt.Sprintf("-race=%t", *underRace), "-ldflags=-s -w", "-o", built, "../../cmd/fstore")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build fstore:", err)
		return 1
	}
	return m.Run()
}

// repo is a feature repo in a folder of its own, and the environment that commands on it run in.
type repo struct {
	t   testing.TB
	dir string
	env []string
}

// newRepo returns an empty folder in which commands run against the online store of a URL; "" is the embedded one.
func newRepo(t testing.TB, onlineURL string) *repo {
	t.Helper()
	r := &repo{t: t, dir: t.TempDir(), env: program.Environ()}
	if onlineURL != "" {
		r.env = append(r.env, "FSTORE_ONLINE="+onlineURL)
	}
	return r
}

// write writes a file of the repo, whole, as an editor does: beside it, then renamed.
func (r *repo) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path+".new", []byte(text), 0o644), os.Rename(path+".new", path)); err != nil {
		r.t.Fatal(err)
	}
}

// result is what a command printed and how it ended.
type result struct {
	stdout, stderr string
	status         int // exit status; -1 where a signal ended it
}

// read returns what is in a file of the repo.
func (r *repo) read(name string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// command returns fstore with arguments, not yet begun.
func (r *repo) command(args ...string) *exec.Cmd {
	cmd := exec.Command(built, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	return cmd
}

// run runs fstore to its end.
func (r *repo) run(args ...string) result {
	r.t.Helper()
	cmd := r.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// must runs fstore, which has to end with status 0, and returns what it printed.
func (r *repo) must(args ...string) string {
	r.t.Helper()
	got := r.run(args...)
	if got.status != 0 {
		r.t.Fatalf("fstore %s: exit status %d\n%s%s", strings.Join(args, " "), got.status, got.stdout, got.stderr)
	}
	return got.stdout
}

// materialize publishes without the check for leaks, which takes most of the time of a first run, and is tested elsewhere.
func (r *repo) materialize(args ...string) string {
	r.t.Helper()
	return r.must(append([]string{"materialize", "--leak-check", "off"}, args...)...)
}

// process is a fstore that runs beside the test.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	log  *program.Output // stderr
	done chan struct{}
	err  error // of Wait; read it once done is closed
}

// start begins fstore and returns it with its standard output. It is killed at the end of the test, if it still runs.
func (r *repo) start(args ...string) (*process, io.Reader) {
	r.t.Helper()
	return r.begin(r.command(args...))
}

// startLast is start for a process that runs only while no other wants to, so that a test can follow it step by step.
func (r *repo) startLast(args ...string) (*process, io.Reader) {
	r.t.Helper()
	cmd := r.command(args...)
	last := exec.Command("nice", append([]string{"-n", "19", built}, args...)...)
	last.Dir, last.Env = cmd.Dir, cmd.Env
	return r.begin(last)
}

func (r *repo) begin(cmd *exec.Cmd) (*process, io.Reader) {
	r.t.Helper()
	p := &process{t: r.t, cmd: cmd, log: &program.Output{}, done: make(chan struct{})}
	out, in, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = in, p.log
	if err := p.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	in.Close()
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	r.t.Cleanup(func() {
		p.kill()
		out.Close()
	})
	return p, out
}

// signal sends a signal; a process that is gone is left alone.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// pause stops the process, as SIGSTOP does, and waits until it stands still or has ended.
func (p *process) pause() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			return
		}
		if _, state, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(state, "R") && !strings.HasPrefix(state, "S") && !strings.HasPrefix(state, "D") {
			return
		}
		select {
		case <-p.done:
			return
		default:
		}
	}
}

// kill ends the process at once and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	p.signal(syscall.SIGCONT)
	<-p.done
}

// wait waits for the end of the process and returns its exit status; -1 where a signal ended it.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(2 * time.Minute):
		p.t.Fatalf("%v still runs; its log:\n%s", p.cmd.Args, p.log)
	}
	return p.cmd.ProcessState.ExitCode()
}

// served is a running fstore serve and a client of it.
type served struct {
	*process
	grpc, http, metrics string // addresses
	conn                *grpc.ClientConn
	client              fstorev1.FeatureStoreClient
}

// serve begins fstore serve on free ports and waits until it is ready.
func (r *repo) serve(args ...string) *served {
	r.t.Helper()
	s := r.serveUnready(args...)
	for !s.ready() {
		select {
		case <-s.done:
			r.t.Fatalf("serve ended with %d; its log:\n%s", s.wait(), s.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return s
}

// serveUnready begins fstore serve on free ports and waits for its addresses.
func (r *repo) serveUnready(args ...string) *served {
	r.t.Helper()
	p, out := r.start(append([]string{"serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}, args...)...)
	s := &served{process: p}
	lines := bufio.NewScanner(out)
	for s.metrics == "" && lines.Scan() {
		for name, into := range map[string]*string{"grpc ": &s.grpc, "http ": &s.http, "metrics ": &s.metrics} {
			if a, ok := strings.CutPrefix(lines.Text(), name); ok {
				*into = a
			}
		}
	}
	if s.metrics == "" {
		r.t.Fatalf("serve ended with %d; its log:\n%s", p.wait(), p.log)
	}
	var err error
	if s.conn, err = grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { s.conn.Close() })
	s.client = fstorev1.NewFeatureStoreClient(s.conn)
	return s
}

// url returns that of a path, at the port that answers it.
func (s *served) url(path string) string {
	if strings.HasPrefix(path, "/v1/") || path == "/get-online-features" {
		return "http://" + s.http + path
	}
	return "http://" + s.metrics + path
}

// ready reports whether the server says that it can answer.
func (s *served) ready() bool {
	resp, err := http.Get(s.url("/readyz"))
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// backend opens the online store that commands on the repo use: the bytes themselves.
func (r *repo) backend() online.Backend {
	r.t.Helper()
	var b online.Backend
	var err error
	url := ""
	for _, v := range r.env {
		if u, ok := strings.CutPrefix(v, "FSTORE_ONLINE="); ok {
			url = u
		}
	}
	if url == "" {
		b, err = sqlite.Open(filepath.Join(r.dir, ".fstore", "online.db"))
	} else {
		b, err = redis.Open(url)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { b.Close() })
	return b
}

// dump returns everything an online store holds, by key. Nothing may write meanwhile.
func dump(t testing.TB, b online.Backend) map[string]string {
	t.Helper()
	ctx, all := context.Background(), map[string]string{}
	var keys [][]byte
	if err := b.Scan(ctx, nil, func(key []byte) error {
		keys = append(keys, bytes.Clone(key))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for len(keys) > 0 {
		some := keys[:min(len(keys), 1000)]
		values, _, err := b.Get(ctx, online.Read{Keys: some})
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range some {
			all[string(k)] = string(values[i])
		}
		keys = keys[len(some):]
	}
	return all
}

// records returns the records of a generation in a dump, by the keys' encoding, and how many the dump has of others.
func records(all map[string]string, g fstore.Generation) (mine map[string]string, others int) {
	var raw [8]byte
	if _, err := fmt.Sscanf(string(g), "%16x", new(uint64)); err == nil {
		for i := range raw {
			_, _ = fmt.Sscanf(string(g[2*i:2*i+2]), "%02x", &raw[i]) // it was read above
		}
	}
	mine = map[string]string{}
	for k, v := range all {
		if !strings.HasPrefix(k, "f{") {
			continue
		}
		if rest := k[6:]; strings.HasPrefix(rest, string(raw[:])) {
			mine[rest[8:]] = v
		} else {
			others++
		}
	}
	return mine, others
}
