package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/online/redis/redistest"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/sqlite"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(withoutTelemetry{m}, map[string]func(){"fstore": checkedMain, "smalldisk": smallDisk, "stuck": stuck})
}

// withoutTelemetry runs the tests without what the environment says of traces and lineage: whoever runs them may be traced.
type withoutTelemetry struct{ *testing.M }

func (m withoutTelemetry) Run() int {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "OTEL_") || strings.HasPrefix(name, "OPENLINEAGE_") || name == "TRACEPARENT" {
			if err := os.Unsetenv(name); err != nil {
				panic(err)
			}
		}
	}
	return m.M.Run()
}

// TestScripts runs testdata/script/*.txtar: every command as a user types it, with what it prints and its exit
// status. REDIS is the URL of an empty database of a real redis-server, another for each script.
func TestScripts(t *testing.T) {
	url := redistest.Start(t, "--databases", "64")
	var databases atomic.Int32
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			for _, v := range os.Environ() {
				if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "FSTORE_") || strings.HasPrefix(name, "SHOP_") {
					env.Setenv(name, "")
				}
			}
			env.Setenv("FSTORE_SERVE_METRICS", "127.0.0.1:0")
			env.Values[keptKey{}] = &kept{}
			env.Setenv("REDIS", strings.Replace(url, "db=0", fmt.Sprintf("db=%d", databases.Add(1)), 1))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"terminate": terminate,
			"until":     until,
			"ready":     ready,
			"capture":   capture,
			"replace":   replace,
			"http":      request,
			"redis":     toRedis,
			"lease":     lease,
			"mlflow":    toMLflow,
			"answers":   answers,
			"parquet":   writeParquet,
			"bytes":     writeBytes,
			"sqlite":    toSQLite,
			"keep":      keep,
			"kept":      checkKept,
			"forget":    forgetValues,
		},
	})
}

// exits STATUS COMMAND… runs a command and checks its exit status; stdout and stderr can be looked at afterwards.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// until PATTERN COMMAND… runs a command again and again until what it prints, or its error, matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND…")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	deadline := time.Now().Add(time.Minute)
	for {
		err := ts.Exec(args[1], args[2:]...)
		if pattern.MatchString(ts.ReadFile("stdout")) || pattern.MatchString(ts.ReadFile("stderr")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no output matched %s; the last error was %v", pattern, err)
		}
	}
}

// ready URL waits until a server says that it is ready. A look-up that is repeated until it is answered may have been answered before,
// and logged.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready URL")
	}
	for deadline := time.Now().Add(time.Minute); !isOK(http.Get(args[0])); {
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not answer with 200", args[0])
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func isOK(answer *http.Response, err error) bool {
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// capture FILE NAME PATTERN waits until a file matches a pattern and sets the variable to its first group: an address
// that a server in the background has printed.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture FILE NAME PATTERN")
	}
	pattern, err := regexp.Compile("(?m)" + args[2])
	ts.Check(err)
	deadline := time.Now().Add(time.Minute)
	for {
		text, _ := os.ReadFile(ts.MkAbs(args[0])) // not there yet is no error
		if m := pattern.FindSubmatch(text); m != nil {
			ts.Setenv(args[1], string(m[1]))
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s never matched %s:\n%s", args[0], pattern, text)
		}
	}
}

// replace FILE OLD NEW replaces a text in a file, which must have it.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], strings.ReplaceAll(args[2], `\n`, "\n"))), 0o644))
}

// request METHOD URL [BODY] makes an HTTP request, which must succeed, or with ! must not, and prints the answer.
func request(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] http METHOD URL [BODY]")
	}
	body := strings.Join(args[2:], " ")
	req, err := http.NewRequest(args[0], args[1], strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
	if neg == (resp.StatusCode == http.StatusOK) {
		ts.Fatalf("%s", resp.Status)
	}
}

// toRedis COMMAND… sends a command to the server of REDIS.
func toRedis(ts *testscript.TestScript, neg bool, args []string) {
	socket, db, _ := strings.Cut(strings.TrimPrefix(ts.Getenv("REDIS"), "unix://"), "?db=")
	conn, err := net.Dial("unix", socket)
	ts.Check(err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "SELECT %s\r\n%s\r\n", db, strings.Join(args, " "))
	ts.Check(err)
	in := bufio.NewReader(conn)
	for range 2 {
		reply, err := in.ReadString('\n')
		ts.Check(err)
		if !strings.HasPrefix(reply, "+OK") {
			ts.Fatalf("redis: %s", reply)
		}
	}
}

// lease PROJECT VIEW hold|release holds the lease of a view in the registry of this folder, as another run would.
func lease(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: lease PROJECT VIEW hold|release")
	}
	ctx := context.Background()
	b, err := sqlite.Open(ctx, "sqlite://"+ts.MkAbs(".fstore/registry.db"))
	ts.Check(err)
	db := registry.New(b)
	defer db.Close()
	if args[2] == "release" {
		ts.Check(db.ReleaseLease(ctx, args[0], args[1], ts.Getenv("LEASE")))
		return
	}
	token, err := db.AcquireLease(ctx, args[0], args[1], time.Hour, time.Now())
	ts.Check(err)
	ts.Setenv("LEASE", token)
}

// terminate sends SIGTERM to what runs in the background, as a service manager does.
func terminate(ts *testscript.TestScript, neg bool, args []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}
