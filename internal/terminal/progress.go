package terminal

import (
	"fmt"
	"io"
	"time"

	"github.com/fstore-dev/fstore/internal/english"
)

// Progress is one line on a terminal that says how far long work has come; nowhere else it says anything.
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

// Percent says what is being done and which part of it, from 0 to 1, is done.
func (p *Progress) Percent(what string, done float64) {
	p.line(what, fmt.Sprintf("%3.0f%%", 100*done))
}

// Show says what is being done and how much of it; a total of 0 is not known.
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

// line writes ten times a second at most.
func (p *Progress) line(what, amount string) {
	if p.out == nil || p.now().Sub(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = p.now()
	p.out.Erase()
	fmt.Fprintf(p.out, "%s  %s", what, amount)
}

// Clear takes the line away.
func (p *Progress) Clear() {
	if p.out != nil && !p.shown.IsZero() {
		p.out.Erase()
		p.shown = time.Time{}
	}
}
