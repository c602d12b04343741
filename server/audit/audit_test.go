package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 11, 30, 12, 0, 0, 5000, time.UTC)

// drain has a log write what waits.
func drain(l *Log) {
	over, end := context.WithCancel(context.Background())
	end()
	l.Run(over)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestALineHasNamesAndCounts(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, quiet())
	l.Add(Entry{Time: at, Caller: "fraud", By: "token", Address: "192.0.2.7", Transport: "grpc", Method: "GetOnlineFeatures", Model: "fraud@3", Rows: 2, Code: "OK", Took: 1500 * time.Microsecond})
	l.Add(Entry{Time: at, Transport: "http", Method: "GetOnlineFeatures", Code: "UNAUTHENTICATED"})
	drain(l)
	const want = `{"time":"2026-11-30T12:00:00.000005Z","caller":"fraud","by":"token","address":"192.0.2.7","transport":"grpc","method":"GetOnlineFeatures","model":"fraud@3","rows":2,"code":"OK","seconds":0.0015}
{"time":"2026-11-30T12:00:00.000005Z","transport":"http","method":"GetOnlineFeatures","code":"UNAUTHENTICATED","seconds":0}
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}

// Nobody can forge a line, or fill the disk by a name.
func TestNamesOfCallersAreEscapedAndShortened(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, quiet())
	evil := "x\n{\"caller\":\"admin\"}\x1b[2J\xff\u2028" + strings.Repeat("ü", 500)
	l.Add(Entry{Time: at, Caller: evil, Address: evil, Method: evil, Service: evil, Model: evil})
	drain(l)
	if n := strings.Count(out.String(), "\n"); n != 1 || out.Len() > 8*maxText+500 || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%d lines, %d bytes: %q", n, out.Len(), out.String())
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Error(err)
	}
}

// A caller chooses names as long as a request, and the disk may stall.
func TestLinesThatWaitTakeLittleMemory(t *testing.T) {
	l := New(io.Discard, quiet())
	before := inUse()
	for range 256 {
		l.Add(Entry{Time: at, Service: strings.Repeat("x", 1<<20)})
	}
	if grown := inUse() - before; grown > 32<<20 {
		t.Errorf("256 lines take %d bytes", grown)
	}
	drain(l)
}

// inUse returns the bytes that live objects take.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestUnknownCallersCannotHideOthers(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, quiet())
	for range 2 * queueLength {
		l.Add(Entry{Time: at, Code: "UNAUTHENTICATED"})
	}
	l.Add(Entry{Time: at, Caller: "fraud", Code: "OK"})
	drain(l)
	if !strings.Contains(out.String(), `"caller":"fraud"`) {
		t.Errorf("the line of a known caller was dropped, among %d", l.Dropped())
	}
}

func TestAFullQueueDropsAndCounts(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, quiet())
	for range queueLength + 7 {
		l.Add(Entry{Time: at, Code: "OK"})
	}
	drain(l)
	l.Add(Entry{Time: at, Code: "OK"})
	drain(l)
	first, _, _ := strings.Cut(out.String(), "\n")
	if !strings.Contains(first, `"dropped":7`) || strings.Count(out.String(), "dropped") != 1 || l.Dropped() != 7 {
		t.Errorf("%d dropped, first line %s", l.Dropped(), first)
	}
	if n := strings.Count(out.String(), "\n"); n != queueLength+1 {
		t.Errorf("%d lines", n)
	}
}

func TestTheLogFollowsARotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l, err := Open(path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	say := func(code string) {
		l.Add(Entry{Time: at, Code: code})
		drain(l)
	}
	say("FIRST")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	say("SECOND")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	say("THIRD")
	for file, want := range map[string]string{path + ".1": "FIRST", path: "THIRD"} {
		text, err := os.ReadFile(file)
		if err != nil || strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v %s", filepath.Base(file), err, text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestALogThatCannotBeWrittenIsSaidOnce(t *testing.T) {
	var said bytes.Buffer
	l := New(full{}, slog.New(slog.NewTextHandler(&said, nil)))
	for range 3 {
		l.Add(Entry{Time: at})
		drain(l)
	}
	if n := strings.Count(said.String(), "no space left"); n != 1 {
		t.Errorf("%d lines: %s", n, &said)
	}
}
