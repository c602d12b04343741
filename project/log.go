package project

import (
	"cmp"
	"log/slog"
)

// LogSettings say how logs and messages are written.
type LogSettings struct {
	Format LogFormat  // "" is LogText
	Level  slog.Level // the lowest that is written; zero is slog.LevelInfo
}

// LogFormat is a form of logs and messages.
type LogFormat string

// The forms of logs.
const (
	LogText LogFormat = "text" // for people
	LogJSON LogFormat = "json" // one object a line
)

// logLevels are the values of log.level.
var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// EarlyLog returns how to write messages before a repo is open, and where there is none: as Options.Settings or the
// environment say. It ignores values that Open refuses.
func EarlyLog(o Options) LogSettings {
	o.defaults()
	value := func(key string) string {
		fromEnvironment, _ := o.Lookup(envName(key))
		return cmp.Or(o.Settings[key].Value, fromEnvironment, fallback(key))
	}
	s := LogSettings{LogFormat(value("log.format")), logLevels[value("log.level")]}
	if s.Format != LogJSON {
		s.Format = LogText
	}
	return s
}

// log checks the settings of logs.
func (c *settingsCheck) log() LogSettings {
	format, text := LogFormat(c.value("log.format")), c.value("log.level")
	if format != LogText && format != LogJSON {
		c.bad("log.format", "text or json", "%q is not a format of logs", format)
	}
	level, ok := logLevels[text]
	if !ok {
		c.bad("log.level", "debug, info, warn or error", "%q is not a level of logs", text)
	}
	return LogSettings{format, level}
}
