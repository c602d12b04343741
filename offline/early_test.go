package offline

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/google/go-cmp/cmp"
)

// Each file is read once, early, unless it was written just before or could not be read; then it is read when it is asked for.
func TestDigestsAreMadeEarly(t *testing.T) {
	var mu sync.Mutex
	reads := map[string]int{}
	e := newEarlyDigests(t.Context(), &digests{})
	e.read = func(_ context.Context, path string) (*lock.File, error) {
		mu.Lock()
		defer mu.Unlock()
		if reads[path]++; path == "broken" && reads[path] == 1 {
			return nil, errors.New("broken")
		}
		return &lock.File{Path: path}, nil
	}
	e.start([]string{"labels"}, []stamp{{}})
	e.start([]string{"a", "fresh", "broken", "a"}, []stamp{{}, {sha256: "1"}, {}, {}})
	e.all.Wait()
	if diff := cmp.Diff(map[string]int{"labels": 1, "a": 1, "broken": 1}, reads); diff != "" {
		t.Errorf("early: %s", diff)
	}
	for _, path := range []string{"labels", "a", "fresh", "broken"} {
		if f, err := e.of(t.Context(), path); err != nil || f.Path != path {
			t.Errorf("%s: %v, %v", path, f, err)
		}
	}
	if diff := cmp.Diff(map[string]int{"labels": 1, "a": 1, "fresh": 1, "broken": 2}, reads); diff != "" {
		t.Errorf("in the end: %s", diff)
	}
	e.close()
}

// A training set that fails, or is given up, leaves no reader behind.
func TestEarlyDigestsEnd(t *testing.T) {
	e := newEarlyDigests(t.Context(), &digests{})
	e.read = func(ctx context.Context, _ string) (*lock.File, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	e.start([]string{"a", "b"}, make([]stamp, 2))
	e.start([]string{"c"}, make([]stamp, 1))
	e.close()
}
