package servedlog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Streams that fail while others are written cost one line, not two a second. Each cause has its own.
func TestACauseIsLoggedOnce(t *testing.T) {
	var said strings.Builder
	tr, now := newTrouble(slog.New(slog.NewTextHandler(&said, nil))), noon
	full := func(file int) error {
		return &fs.PathError{Op: "write", Path: fmt.Sprint("stream", file), Err: syscall.ENOSPC}
	}
	for second := range 200 {
		now = now.Add(time.Second)
		tr.fail(now, writing, full(second))
		tr.fail(now, sealing, full(second))
		tr.over(now.Add(-quiet)) // another stream was written
	}
	tr.fail(now, writing, errors.New("too many lists"))
	tr.over(now.Add(-quiet))
	if errs, infos := strings.Count(said.String(), "level=ERROR"), strings.Count(said.String(), "level=INFO"); errs != 3 || infos != 0 {
		t.Fatalf("%d errors, %d infos\n%s", errs, infos, &said)
	}
	for range 200 {
		now = now.Add(time.Second)
		tr.over(now.Add(-quiet))
	}
	if infos := strings.Count(said.String(), "level=INFO"); infos != 3 {
		t.Fatalf("%d infos\n%s", infos, &said)
	}
	tr.fail(now, writing, full(1))
	if errs := strings.Count(said.String(), "level=ERROR"); errs != 4 {
		t.Errorf("%d errors after it was over\n%s", errs, &said)
	}
}
