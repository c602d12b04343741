package main

import (
	"fmt"
	"time"

	"github.com/fstore-dev/fstore/internal/english"
)

// progress is one line on a terminal that says how far long work has come; nowhere else it says anything.
type progress struct {
	out   *screen // nil: not a terminal
	now   func() time.Time
	shown time.Time
}

func (a *app) progress() *progress {
	p := &progress{now: a.now}
	if s, ok := a.stderr.(*screen); ok && terminal(s) {
		p.out = s
	}
	return p
}

// percent says what is being done and which part of it, from 0 to 1, is done.
func (p *progress) percent(what string, done float64) {
	p.line(what, fmt.Sprintf("%3.0f%%", 100*done))
}

// show says what is being done and how much of it; a total of 0 is not known.
func (p *progress) show(what string, done, total int64) {
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
func (p *progress) line(what, amount string) {
	if p.out == nil || p.now().Sub(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = p.now()
	p.out.erase()
	fmt.Fprintf(p.out, "%s  %s", what, amount)
}

// clear takes the line away.
func (p *progress) clear() {
	if p.out != nil && !p.shown.IsZero() {
		p.out.erase()
		p.shown = time.Time{}
	}
}
