package main

import (
	"encoding/json"
	"fmt"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project/github"
	"github.com/fstore-dev/fstore/registry/definition"
)

// The values of --progress.
const (
	progressAuto = "auto" // progress on a terminal, messages as text
	progressNone = "none" // no progress, messages as text
	progressJSON = "json" // one JSON object a line for progress and messages, for programs
)

// message is a line on stderr with --progress json. It has exactly one member. docs/commands/schema/messages.json is
// its schema.
type message struct {
	Warning *spoken   `json:"warning,omitempty"`
	Note    *spoken   `json:"note,omitempty"`
	Error   *reported `json:"error,omitempty"`
}

// spoken is a warning or a note.
type spoken struct {
	Message  string      `json:"message"`
	Hints    []string    `json:"hints,omitempty"`
	Position *fstore.Pos `json:"position,omitempty"` // of a definition
}

// reported is the error that ended the command.
type reported struct {
	Kind     string               `json:"kind"` // see project.KindOf
	Message  string               `json:"message"`
	Hints    []string             `json:"hints,omitempty"`
	Problems []definition.Problem `json:"problems,omitempty"` // every mistake in the definitions
}

func (a *app) checkProgress() error {
	switch a.progressMode {
	case progressAuto, progressNone, progressJSON:
		return nil
	}
	return usage.Errorf(nil, "--progress %q: auto, none or json", a.progressMode)
}

// progress shows how far long work is.
func (a *app) progress() *terminal.Progress {
	switch a.progressMode {
	case progressJSON:
		return terminal.NewProgressLines(a.stderr, a.now)
	case progressNone:
		return &terminal.Progress{}
	}
	return terminal.NewProgress(a.stderr, a.now)
}

// say writes a message as a line of JSON, as a line of the log, or as text. Programs that ask for --progress json get
// every message, whatever the settings of logs.
func (a *app) say(m message, format string, args ...any) {
	if a.progressMode != progressJSON {
		switch level := m.level(); {
		case level < a.logSettings().Level:
		case a.logsJSON():
			m.log(a.logger(), level)
		default:
			fmt.Fprintf(a.stderr, format, args...)
		}
		return
	}
	line, err := json.Marshal(m)
	if err != nil { // strings always encode
		panic(err)
	}
	fmt.Fprintf(a.stderr, "%s\n", line)
}

func (a *app) warn(text string) {
	if a.annotations != nil {
		a.annotate(github.Warning, []definition.Problem{{Message: text}})
		return
	}
	a.say(message{Warning: &spoken{Message: a.mask(text)}}, "warning: %s\n", text)
}

func (a *app) remark(text string) {
	a.say(message{Note: &spoken{Message: a.mask(text)}}, "%s\n", text)
}

func (a *app) hint(text string) {
	a.say(message{Note: &spoken{Message: a.mask(text)}}, "hint: %s\n", text)
}

// printWarnings prints warnings about definitions.
func (a *app) printWarnings(warnings []definition.Problem) {
	if a.annotations != nil {
		a.annotate(github.Warning, warnings)
		return
	}
	for _, w := range a.masked(warnings) {
		text, hints := fmt.Sprintf("warning: %s: %s\n", terminal.InCell(w.Pos.String()), terminal.Indented(w.Message)), []string(nil)
		if w.Hint != "" {
			text += fmt.Sprintf("  hint: %s\n", terminal.Indented(w.Hint))
			hints = []string{w.Hint}
		}
		a.say(message{Warning: &spoken{w.Message, hints, &w.Pos}}, "%s", text)
	}
}

// annotate prints problems as annotations of GitHub Actions.
func (a *app) annotate(level github.Level, problems []definition.Problem) {
	for _, p := range a.masked(problems) {
		fmt.Fprint(a.stdout, a.annotations.Command(level, p))
	}
}

// report writes the error that ends the command as a line of JSON.
func (a *app) report(r reported) {
	r.Message, r.Problems = a.mask(r.Message), a.masked(r.Problems)
	for i, h := range r.Hints {
		r.Hints[i] = a.mask(h)
	}
	a.say(message{Error: &r}, "")
}
