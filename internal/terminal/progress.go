package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/fstore-dev/fstore/internal/english"
)

// Progress shows the progress of long work: as one line on a terminal, or as lines of JSON for a program. The zero Progress
// shows nothing.
type Progress struct {
	out   *Screen   // nil: not a terminal
	lines io.Writer // nil: no JSON is wanted
	now   func() time.Time
	shown time.Time
}

// NewProgressLines returns progress as lines of JSON: {"progress": {"stage": "join", "done": 31, "total": 100}}.
func NewProgressLines(to io.Writer, now func() time.Time) *Progress {
	return &Progress{lines: to, now: now}
}

// NewProgress returns a line on a stream. If that is not a terminal, it shows nothing.
func NewProgress(to io.Writer, now func() time.Time) *Progress {
	p := &Progress{now: now}
	if s, ok := to.(*Screen); ok && IsTerminal(s) {
		p.out = s
	}
	return p
}

// Percent shows what is being done and the fraction done, from 0 to 1.
func (p *Progress) Percent(what string, done float64) {
	p.line(what, int64(100*done), 100, fmt.Sprintf("%3.0f%%", 100*done))
}

// Show shows what is being done and how much of it is done. A total of 0 is unknown.
func (p *Progress) Show(what string, done, total int64) {
	amount := ""
	switch {
	case total > 0:
		amount = fmt.Sprintf("%3d%%  %s of %s", 100*done/total, english.Thousands(done), english.Thousands(total))
	case done > 0:
		amount = english.Thousands(done)
	}
	p.line(what, done, total, amount)
}

// step is progress for a program. A total of 0 is unknown.
type step struct {
	Stage string `json:"stage"`
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty"`
}

// line writes at most ten times a second.
func (p *Progress) line(what string, done, total int64, amount string) {
	if p.out == nil && p.lines == nil || p.now().Sub(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = p.now()
	if p.lines != nil {
		_ = json.NewEncoder(p.lines).Encode(map[string]step{"progress": {what, done, total}})
		return
	}
	p.out.Erase()
	fmt.Fprintf(p.out, "%s  %s", what, amount)
}

// Clear erases the line.
func (p *Progress) Clear() {
	if p.out != nil && !p.shown.IsZero() {
		p.out.Erase()
		p.shown = time.Time{}
	}
}
