package terminal

import (
	"fmt"
	"io"
	"time"

	"github.com/fstore-dev/fstore/internal/english"
)

// Progress shows the progress of long work as one line on a terminal. On any other stream it shows nothing.
type Progress struct {
	out   *Screen // nil: not a terminal
	now   func() time.Time
	shown time.Time
}

// NewProgress returns a line on a stream.
func NewProgress(to io.Writer, now func() time.Time) *Progress {
	p := &Progress{now: now}
	if s, ok := to.(*Screen); ok && IsTerminal(s) {
		p.out = s
	}
	return p
}

// Percent shows what is being done and the fraction done, from 0 to 1.
func (p *Progress) Percent(what string, done float64) {
	p.line(what, fmt.Sprintf("%3.0f%%", 100*done))
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
	p.line(what, amount)
}

// line writes at most ten times a second.
func (p *Progress) line(what, amount string) {
	if p.out == nil || p.now().Sub(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = p.now()
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
