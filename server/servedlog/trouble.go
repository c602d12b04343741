package servedlog

import (
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"
)

// work is what may fail, by what is logged when it does and when it no longer does.
type work struct{ fails, works string }

var (
	writing  = work{"the served log cannot be written; answers go on without it", "the served log can be written again"}
	sealing  = work{"a stream of the served log cannot be sealed", "streams of the served log can be sealed again"}
	deleting = work{"a file of the served log cannot be deleted", "files of the served log can be deleted again"}
	listing  = work{"the folder of the served log cannot be read", "the folder of the served log can be read again"}
)

// quiet is how long a cause must not have been seen before writing counts as working again. Some streams may fail while others
// are written.
const quiet = time.Minute

// trouble logs every cause of failures twice: when it begins and when it is over. It is safe for concurrent use.
type trouble struct {
	log *slog.Logger

	mu   sync.Mutex
	last map[cause]time.Time // when each cause was last seen; mu guards it
}

type cause struct {
	work
	why string
}

func newTrouble(log *slog.Logger) *trouble { return &trouble{log: log, last: map[cause]time.Time{}} }

// fail notes that work has failed. Failures of many files by the same error of the system have one cause.
func (t *trouble) fail(now time.Time, w work, err error, args ...any) {
	c := cause{w, err.Error()}
	var number syscall.Errno
	if errors.As(err, &number) {
		c.why = number.Error()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.last[c]; !known {
		t.log.Error(w.fails, append(args, "error", err)...)
	}
	t.last[c] = now
}

// over ends the causes that were last seen before an instant.
func (t *trouble) over(before time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c, last := range t.last {
		if last.Before(before) {
			delete(t.last, c)
			t.log.Info(c.works, "after", c.why)
		}
	}
}
