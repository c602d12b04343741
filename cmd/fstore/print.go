package main

import (
	"fmt"

	"github.com/fstore-dev/fstore/internal/terminal"
)

func (a *app) printJSON(v any) error { return terminal.PrintJSON(a.stdout, v) }

// The colors of plan.
const (
	green  = "32"
	red    = "31"
	yellow = "33"
)

// paint prints a text to stdout, in color if results may be colored.
func (a *app) paint(color, text string) {
	if s, ok := a.stdout.(*terminal.Screen); ok && a.color() {
		s.Paint(color, text)
		return
	}
	fmt.Fprint(a.stdout, text)
}

// printPainted prints a line in one color.
func (a *app) printPainted(color, line string) {
	a.paint(color, line)
	fmt.Fprintln(a.stdout)
}
