// Package audit writes who asked a server for what: one JSON object a line, for each request that was answered or
// refused. A line has names and counts, and never keys, values or credentials. Requests that were refused at the door
// cost their callers nothing, so those alike share lines (see doorlog.go).
//
// The log never holds up a request. Lines wait in a bounded queue for the goroutine that writes them. What finds the
// queue full is dropped, and so is what cannot be written; the next line says how many were. The log follows a rotation of
// its file: once the path names another file, or none, it opens the path again.
package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Entry is a line of the log.
type Entry struct {
	Time      time.Time
	Caller    string // the name of the caller; empty: nobody, or nobody that is known
	By        string // what the name is of: token, jwt or certificate
	Address   string // the IP address that the request came from
	Transport string // grpc or http
	Method    string
	Service   string // what the request names: a service, a model
	Model     string // with its version
	Features  int    // or that many features
	Rows      int    // of keys
	Code      string // OK, or the code of the refusal
	Reason    string // of a refusal, one word of a closed set; empty: the code says enough
	AtDoor    bool   // the request was refused before it had arrived
	Took      time.Duration
	TraceID   string // in hexadecimal; empty: the request is not traced

	unsaid int // requests like it that have no line of their own
}

// maxText bounds every text of a line in bytes. Callers choose some of them. The names of callers are never longer, so
// they are whole.
const maxText = 255

// queueLength is how many lines may wait: those of a fraction of a second under full load.
const queueLength = 4096

// Log writes entries. Its owner calls Run, and then Close.
type Log struct {
	path    string // empty: out is not a file
	out     io.Writer
	file    *os.File
	log     *slog.Logger
	queue   chan Entry
	door    doorLog
	dropped atomic.Int64 // since the last line
	total   atomic.Int64
	wrong   string // the last error, so that it is logged once
	torn    bool   // the last line was written in part
}

// Open returns a log that appends to a file, which it creates readable for its owner only.
func Open(path string, log *slog.Logger) (*Log, error) {
	l := &Log{path: path, log: log, queue: make(chan Entry, queueLength)}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

// New returns a log that writes to out.
func New(out io.Writer, log *slog.Logger) *Log {
	return &Log{out: out, log: log, queue: make(chan Entry, queueLength)}
}

func (l *Log) open() error {
	f, err := os.OpenFile(l.path, OpenFlags|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if l.file != nil {
		_ = l.file.Close() // it was written without a buffer
	}
	l.file, l.out, l.torn = f, f, false
	return nil
}

// OpenFlags are how the file is opened. A named pipe that nobody reads is an error, instead of a wait for a reader.
const OpenFlags = os.O_WRONLY | os.O_APPEND | syscall.O_NONBLOCK

// Add queues a line, or drops it if too many wait. It never waits. A request that was refused at the door may only be
// counted.
func (l *Log) Add(e Entry) {
	for _, text := range []*string{&e.Caller, &e.Address, &e.Method, &e.Service, &e.Model} {
		*text = shorten(*text) // what waits must be small
	}
	if e.AtDoor && !l.door.first(e) {
		return
	}
	select {
	case l.queue <- e:
	default:
		l.dropped.Add(1)
		l.total.Add(1)
	}
}

// Dropped returns how many lines were dropped since the log began.
func (l *Log) Dropped() int64 { return l.total.Load() }

// maxBatch bounds the lines of one write.
const maxBatch = 256

// Run writes lines until ctx ends, and then those that wait.
func (l *Log) Run(ctx context.Context) {
	ticker := time.NewTicker(doorPeriod)
	defer ticker.Stop()
	for {
		select {
		case e := <-l.queue:
			l.write(e)
		case <-ticker.C:
			l.write(l.door.sums()...)
		case <-ctx.Done():
			for len(l.queue) > 0 {
				l.write(<-l.queue)
			}
			l.write(l.door.sums()...)
			return
		}
	}
}

// write writes entries and those that are queued.
func (l *Log) write(entries ...Entry) {
	if len(entries) == 0 {
		return
	}
	for range maxBatch {
		select {
		case e := <-l.queue:
			entries = append(entries, e)
			continue
		default:
		}
		break
	}
	err := l.follow()
	if err == nil {
		err = l.writeLines(entries)
	}
	if err != nil {
		l.dropped.Add(int64(len(entries)))
		l.total.Add(int64(len(entries)))
	}
	switch {
	case err != nil && err.Error() != l.wrong:
		l.wrong = err.Error()
		l.log.Error("the audit log cannot be written; its lines are lost", "error", err)
	case err == nil && l.wrong != "":
		l.wrong = ""
		l.log.Info("the audit log can be written again")
	}
}

// writeLines writes a line for each entry. If it cannot write them all, none of them counts as written.
func (l *Log) writeLines(entries []Entry) error {
	var text bytes.Buffer
	if l.torn {
		text.WriteByte('\n')
	}
	dropped := l.dropped.Swap(0)
	said := dropped
	for _, e := range entries {
		l.encode(&text, e, said)
		said = 0 // once is enough
	}
	n, err := l.out.Write(text.Bytes())
	if err != nil {
		l.torn = l.torn || n > 0
		l.dropped.Add(dropped)
		return err
	}
	l.torn = false
	return nil
}

// follow opens the file again if the path names another file by now.
func (l *Log) follow() error {
	if l.path == "" {
		return nil
	}
	named, err := os.Stat(l.path)
	if err == nil {
		var ours os.FileInfo
		if ours, err = l.file.Stat(); err == nil && os.SameFile(named, ours) {
			return nil
		}
	}
	return l.open()
}

// Close closes the file.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// line is an Entry as it is written.
type line struct {
	Time      string  `json:"time"`
	Caller    string  `json:"caller,omitempty"`
	By        string  `json:"by,omitempty"`
	Address   string  `json:"address,omitempty"`
	Transport string  `json:"transport"`
	Method    string  `json:"method"`
	Service   string  `json:"service,omitempty"`
	Model     string  `json:"model,omitempty"`
	Features  int     `json:"features,omitempty"`
	Rows      int     `json:"rows,omitempty"`
	Code      string  `json:"code"`
	Reason    string  `json:"reason,omitempty"`
	Seconds   float64 `json:"seconds"`
	TraceID   string  `json:"trace_id,omitempty"`
	Unsaid    int     `json:"unsaid,omitempty"`
	Dropped   int64   `json:"dropped,omitempty"`
}

func (l *Log) encode(to *bytes.Buffer, e Entry, dropped int64) {
	text, err := json.Marshal(line{
		Time: e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), Caller: e.Caller, By: e.By, Address: e.Address,
		Transport: e.Transport, Method: e.Method, Service: e.Service, Model: e.Model, Features: e.Features, Rows: e.Rows,
		Code: e.Code, Reason: e.Reason, Seconds: e.Took.Seconds(), TraceID: e.TraceID, Unsaid: e.unsaid, Dropped: dropped,
	})
	if err != nil { // there is no such value
		l.log.Error("a line of the audit log cannot be encoded", "error", err)
		return
	}
	to.Write(escaped(text))
	to.WriteByte('\n')
}

// escaped returns JSON in which every character that cannot be seen is an escape. Package json leaves the controls
// U+007F to U+009F as they are, and those that turn the direction of text.
func escaped(text []byte) []byte {
	out := text[:0:0]
	for _, r := range string(text) { // such characters stand only within strings
		switch {
		case unicode.IsPrint(r):
			out = utf8.AppendRune(out, r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

func shorten(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…" // a copy: the whole text can be forgotten
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
