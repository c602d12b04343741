package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
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

// Requests that are refused at the door cost a caller nothing, so they must not fill the queue or the disk. Each is counted.
func TestRefusalsAtTheDoorShareLines(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, quiet())
	add := func(n int, address, reason string) {
		for range n {
			l.Add(Entry{Time: at, Address: address, Transport: "grpc", Method: "other", Code: "UNAUTHENTICATED", Reason: reason, AtDoor: true})
		}
	}
	add(1, "192.0.2.1", "no_credential")
	add(2*queueLength, "192.0.2.2", "no_credential")
	add(2, "192.0.2.2", "unknown_token")
	l.Add(Entry{Time: at, Caller: "fraud", Code: "OK"})
	drain(l)
	add(1, "192.0.2.2", "no_credential") // of the next period
	drain(l)
	type line struct {
		Address, Reason, Caller string
		Unsaid                  int
	}
	want := map[line]int{
		{Address: "192.0.2.1", Reason: "no_credential"}:                            1,
		{Address: "192.0.2.2", Reason: "no_credential"}:                            2,
		{Address: "192.0.2.2", Reason: "no_credential", Unsaid: 2*queueLength - 2}: 1,
		{Address: "192.0.2.2", Reason: "unknown_token"}:                            2, // the second stands for itself
		{Caller: "fraud"}: 1,
	}
	got := map[line]int{}
	for text := range bytes.Lines(out.Bytes()) {
		var one line
		if err := json.Unmarshal(text, &one); err != nil {
			t.Fatal(err)
		}
		got[one]++
	}
	if !maps.Equal(got, want) || l.Dropped() != 0 {
		t.Errorf("%d dropped, got\n%v\nwant\n%v", l.Dropped(), got, want)
	}
}

func TestManyKindsOfRefusalsTakeFewLines(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, quiet())
	for n := range 100_000 {
		l.Add(Entry{Time: at, Address: strconv.Itoa(n), Code: "UNAUTHENTICATED", AtDoor: true})
	}
	if n := len(l.door.kinds); n != maxKinds+1 {
		t.Errorf("%d kinds are remembered", n)
	}
	drain(l)
	if n := bytes.Count(out.Bytes(), []byte("\n")); n != maxKinds+1 || !strings.Contains(out.String(), `"code":"various","reason":"various","seconds":0,"unsaid":99899}`) {
		t.Errorf("%d lines, the last of them %s", n, out.Bytes()[bytes.LastIndexByte(bytes.TrimSpace(out.Bytes()), '\n'):])
	}
}

// The line that stands for others comes by itself at the end of the period.
func TestRefusalsAreSummedEachPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := New(&out, quiet())
		running, end := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { l.Run(running) })
		for range 3 {
			l.Add(Entry{Time: at, Code: "UNAUTHENTICATED", AtDoor: true})
		}
		time.Sleep(doorPeriod + time.Second)
		synctest.Wait()
		if n := bytes.Count(out.Bytes(), []byte("\n")); n != 2 || !strings.Contains(out.String(), `"unsaid":1`) {
			t.Errorf("got\n%s", &out)
		}
		end()
		group.Wait()
	})
}

// What a terminal or an editor obeys is an escape, and a reader gets the text as it was.
func TestCharactersThatCannotBeSeenAreEscapes(t *testing.T) {
	const text = "a\x7f\u0080\u009b2J\u2028\u2029\u202e\u2066\u200f\ufeff\U000e0041\u00e9\u4e16\U0001f600 b"
	var out bytes.Buffer
	l := New(&out, quiet())
	l.Add(Entry{Time: at, Caller: text, Address: text, Transport: "grpc", Method: text, Service: text, Model: text, Code: "OK"})
	drain(l)
	for _, r := range strings.TrimSuffix(out.String(), "\n") {
		if !unicode.IsPrint(r) {
			t.Errorf("%U is in the line", r)
		}
	}
	var got struct{ Caller, Address, Method, Service, Model string }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{got.Caller, got.Address, got.Method, got.Service, got.Model} {
		if field != text {
			t.Errorf("got %q, want %q", field, text)
		}
	}
	if !strings.Contains(out.String(), "\u00e9\u4e16\U0001f600") {
		t.Errorf("letters are escapes: %s", &out)
	}
}

// Lines are one JSON object each, whatever texts callers choose.
func FuzzLine(f *testing.F) {
	f.Add("fraud", "10.0.0.1")
	f.Add("x\n{\"caller\":\"admin\"}", "\x1b[2J\xff\u2028\u009b")
	f.Fuzz(func(t *testing.T, caller, model string) {
		var out bytes.Buffer
		l := New(&out, quiet())
		l.Add(Entry{Time: at, Caller: caller, Model: model, Code: "OK"})
		drain(l)
		if !json.Valid(out.Bytes()) || bytes.Count(out.Bytes(), []byte("\n")) != 1 || out.Len() > 2*6*(maxText+3)+300 {
			t.Fatalf("got %q", out.Bytes())
		}
		for _, r := range strings.TrimSuffix(out.String(), "\n") {
			if !unicode.IsPrint(r) {
				t.Fatalf("%U is in the line %q", r, out.Bytes())
			}
		}
	})
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

// disk has room for so many bytes.
type disk struct {
	bytes.Buffer
	room int
}

func (d *disk) Write(p []byte) (int, error) {
	n, _ := d.Buffer.Write(p[:min(d.room, len(p))])
	d.room -= n
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

// Lines that a full disk has cost are counted, and the part of one that it took does not spoil a later one.
func TestLinesThatCannotBeWrittenAreCounted(t *testing.T) {
	d := &disk{room: 30}
	l := New(d, quiet())
	for range 3 {
		l.Add(Entry{Time: at, Code: "OK"})
		drain(l)
	}
	d.room = 1000
	for range 2 {
		l.Add(Entry{Time: at, Code: "OK"})
		drain(l)
	}
	lines := strings.SplitAfter(d.String(), "\n")
	const plain = `{"time":"2026-11-30T12:00:00.000005Z","transport":"","method":"","code":"OK","seconds":0}` + "\n"
	want := []string{plain[:30] + "\n", strings.Replace(plain, "}", `,"dropped":3}`, 1), plain, ""}
	if !slices.Equal(lines, want) || l.Dropped() != 3 {
		t.Errorf("%d dropped, got %q, want %q", l.Dropped(), lines, want)
	}
}

// A named pipe has no end that the log could wait for.
func TestAPipeThatNobodyReadsIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, quiet()); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("got %v", err)
	}
}

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
