package access

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Text is a source of a value that may change while the server runs.
type Text[T any] struct {
	What  string // in logs
	Read  func(ctx context.Context) ([]byte, error)
	Parse func(text []byte) (T, error)
	Every time.Duration // between reads
}

// followed keeps the value of a text. A text that cannot be read or parsed leaves the value before it in service.
type followed[T any] struct {
	text    Text[T]
	log     *slog.Logger
	clock   func() time.Time
	changed func()        // called after each new value; may be nil
	needed  bool          // without a first value there is no server
	wanted  chan struct{} // makes run look before Every is over; nil: nobody does

	mu      sync.Mutex // one look at a time; guards the rest
	last    []byte     // what was parsed
	wrong   string     // the error of the last look
	current atomic.Pointer[T]
	failing atomic.Bool  // the last look failed
	looked  atomic.Int64 // when the last look began, in nanoseconds; 0: never
}

// get returns the value; the zero value if none was read yet.
func (f *followed[T]) get() T {
	if p := f.current.Load(); p != nil {
		return *p
	}
	var zero T
	return zero
}

// look reads the text once. It logs only changes. Before there is a value, the caller of the first look says what its
// error means.
func (f *followed[T]) look(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked.Store(f.clock().UnixNano())
	text, err := f.text.Read(ctx)
	if err == nil && (f.current.Load() == nil || !bytes.Equal(text, f.last)) {
		var value T
		if value, err = f.text.Parse(text); err == nil {
			replaced := f.current.Swap(&value) != nil
			f.last = text
			if f.changed != nil {
				f.changed()
			}
			if replaced {
				f.log.Info(f.text.What + " were read again")
			}
		}
	}
	switch {
	case err != nil && ctx.Err() == nil && err.Error() != f.wrong:
		f.wrong = err.Error()
		f.failing.Store(true)
		f.complain(err)
	case err == nil && f.wrong != "":
		f.wrong = ""
		f.failing.Store(false)
		f.log.Info(f.text.What + " can be used again")
	}
	return err
}

// complain logs that the text cannot be used.
func (f *followed[T]) complain(err error) {
	if f.current.Load() != nil {
		f.log.Error(f.text.What+" cannot be used; those read before stay in service, also those that were revoked since", "error", err)
		return
	}
	if f.needed {
		return // New returns the error
	}
	f.log.Error(f.text.What+" cannot be used, and none were read before: whoever needs them is refused until they can", "error", err)
}

// run looks again and again until ctx ends.
func (f *followed[T]) run(ctx context.Context) {
	ticker := time.NewTicker(f.text.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wanted:
		case <-ticker.C:
		}
		_ = f.look(ctx) // it logs its errors
	}
}
