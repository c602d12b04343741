package server

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// failures logs errors of requests, at most once a second for each kind, so that a store that is down does not fill
// the disk. The next line counts the omitted ones.
type failures struct {
	logger *slog.Logger

	mu    sync.Mutex // guards kinds
	kinds map[string]*failureKind
}

// entry is the kind of a caller who was not let in.
const entry = "entry"

type failureKind struct {
	last   time.Time
	unsaid int
}

func (f *failures) log(now time.Time, kind, message string, args ...any) {
	level := slog.LevelError
	if kind == entry {
		level = slog.LevelWarn // the caller's mistake
	}
	f.sum(now, kind, time.Second, level, message, args...)
}

// sum logs at most one line of a kind in a while.
func (f *failures) sum(now time.Time, kind string, while time.Duration, level slog.Level, message string, args ...any) {
	unsaid, ok := f.due(now, kind, while)
	if !ok {
		return
	}
	if unsaid > 0 {
		args = append(args, "unsaid", unsaid)
	}
	f.logger.Log(context.Background(), level, message, args...)
}

// due reports whether a line may be written now, and how many were not since the last.
func (f *failures) due(now time.Time, kind string, while time.Duration) (unsaid int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := f.kinds[kind]
	if k == nil {
		k = &failureKind{}
		f.kinds[kind] = k
	} else if since := now.Sub(k.last); since >= 0 && since < while {
		k.unsaid++
		return 0, false
	}
	unsaid, k.last, k.unsaid = k.unsaid, now, 0
	return unsaid, true
}
