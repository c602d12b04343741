package trainset

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
	e := new(Digests).Early(t.Context())
	e.read = func(_ context.Context, path string) (*lock.File, error) {
		mu.Lock()
		defer mu.Unlock()
		if reads[path]++; path == "broken" && reads[path] == 1 {
			return nil, errors.New("broken")
		}
		return &lock.File{Path: path}, nil
	}
	e.Start([]string{"labels"}, []Stamp{{}})
	e.Start([]string{"a", "fresh", "broken", "a"}, []Stamp{{}, {sha256: "1"}, {}, {}})
	e.all.Wait()
	if diff := cmp.Diff(map[string]int{"labels": 1, "a": 1, "broken": 1}, reads); diff != "" {
		t.Errorf("early: %s", diff)
	}
	for _, path := range []string{"labels", "a", "fresh", "broken"} {
		if f, err := e.Of(t.Context(), path); err != nil || f.Path != path {
			t.Errorf("%s: %v, %v", path, f, err)
		}
	}
	if diff := cmp.Diff(map[string]int{"labels": 1, "a": 1, "fresh": 1, "broken": 2}, reads); diff != "" {
		t.Errorf("in the end: %s", diff)
	}
	e.Close()
}

// A training set that fails, or is given up, leaves no reader behind.
func TestEarlyDigestsEnd(t *testing.T) {
	e := new(Digests).Early(t.Context())
	e.read = func(ctx context.Context, _ string) (*lock.File, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	e.Start([]string{"a", "b"}, make([]Stamp, 2))
	e.Start([]string{"c"}, make([]Stamp, 1))
	e.Close()
}
