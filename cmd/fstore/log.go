package main

import (
	"cmp"
	"context"
	"io"
	"log/slog"

	"github.com/fstore-dev/fstore/project"
)

func (a *app) setLog(s project.LogSettings) { a.log.Store(&s) }

// logSettings returns how logs and messages are written.
func (a *app) logSettings() project.LogSettings {
	if s := a.log.Load(); s != nil {
		return *s
	}
	return project.LogSettings{}
}

// logsJSON reports whether logs and messages are lines of JSON.
func (a *app) logsJSON() bool { return a.logSettings().Format == project.LogJSON }

// reportsJSON reports whether errors are lines of JSON, of either kind.
func (a *app) reportsJSON() bool { return a.progressMode == progressJSON || a.logsJSON() }

// logger writes to stderr.
func (a *app) logger() *slog.Logger { return a.loggerTo(a.stderr) }

// loggerTo returns a logger as the settings say. It masks passwords before the format escapes some of their characters,
// after which no one could find them.
func (a *app) loggerTo(to io.Writer) *slog.Logger {
	s := a.logSettings()
	o := &slog.HandlerOptions{Level: s.Level, ReplaceAttr: func(_ []string, at slog.Attr) slog.Attr {
		switch v := at.Value.Any().(type) {
		case string:
			at.Value = slog.StringValue(a.mask(v))
		case error:
			at.Value = slog.StringValue(a.mask(v.Error()))
		}
		return at
	}}
	log := slog.New(slog.NewTextHandler(to, o))
	if s.Format == project.LogJSON {
		log = slog.New(slog.NewJSONHandler(to, o))
	}
	if attrs := a.traced.Load(); attrs != nil {
		return log.With(*attrs...)
	}
	return log
}

// level returns the level of a message in logs.
func (m message) level() slog.Level {
	switch {
	case m.Error != nil:
		return slog.LevelError
	case m.Warning != nil:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// log writes a message as a line of a log.
func (m message) log(to *slog.Logger, level slog.Level) {
	var text string
	var hints []string
	var attrs []slog.Attr
	if e := m.Error; e != nil {
		text, hints, attrs = e.Message, e.Hints, []slog.Attr{slog.String("kind", e.Kind)}
		if len(e.Problems) > 0 {
			attrs = append(attrs, slog.Any("problems", e.Problems))
		}
	} else {
		s := cmp.Or(m.Warning, m.Note)
		text, hints = s.Message, s.Hints
		if s.Position != nil {
			attrs = append(attrs, slog.String("position", s.Position.String()))
		}
	}
	if len(hints) > 0 {
		attrs = append(attrs, slog.Any("hints", hints))
	}
	to.LogAttrs(context.Background(), level, text, attrs...)
}
