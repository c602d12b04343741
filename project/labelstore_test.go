package project

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/server/admission"
)

// newLabels returns an empty store of labels, with the digests that training sets were made from.
func newLabels(t *testing.T, limit int64) (s *labelStore, used map[string]bool) {
	t.Helper()
	used = map[string]bool{}
	return &labelStore{dir: t.TempDir(), limit: limit, used: func(context.Context) (map[string]bool, error) { return used, nil }}, used
}

// keep keeps labels, and returns their digest.
func keep(t *testing.T, s *labelStore, text string, now time.Time) (string, error) {
	t.Helper()
	f, err := s.create(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Discard()
	if _, err := f.Write([]byte(text)); err != nil {
		return "", err
	}
	return f.Keep()
}

// mustKeep is keep for labels that there is room for.
func mustKeep(t *testing.T, s *labelStore, text string, now time.Time) string {
	t.Helper()
	digest, err := keep(t, s, text, now)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// Labels are named by their digest. Those that nobody used for a day are swept, unless a training set was made from them.
func TestLabelsAreKeptAndSwept(t *testing.T) {
	s, training := newLabels(t, 1000)
	now := time.Now()
	old, made, used := mustKeep(t, s, "old", now), mustKeep(t, s, "made", now), mustKeep(t, s, "used", now)
	if mustKeep(t, s, "old", now) != old {
		t.Error("the same labels have two digests")
	}
	training[made] = true
	broken, err := s.create(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	broken.Discard()
	now = now.Add(25 * time.Hour)
	if _, err := s.use(used, now); err != nil {
		t.Error(err)
	}
	if err := s.sweep(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if left := filesOf(t, s); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
	if _, err := s.use(old, now); !errors.Is(err, fstore.ErrNotFound) {
		t.Errorf("swept labels: %v", err)
	}
	if _, err := s.use(made, now); err != nil {
		t.Error(err)
	}
}

// Labels have a limit in bytes, which counts what is being written. When they rest long enough, others have room.
func TestLabelsHaveALimit(t *testing.T) {
	s, training := newLabels(t, 100)
	now := time.Now()
	sixty := strings.Repeat("x", 60)
	kept := mustKeep(t, s, sixty, now)
	mustKeep(t, s, "y", now)
	mustKeep(t, s, "y", now) // takes no more room
	wantFull := func(what string, err error) {
		t.Helper()
		if busy := (*admission.Busy)(nil); !errors.As(err, &busy) || !strings.Contains(busy.Reason, "serve.offline_labels") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := keep(t, s, strings.Repeat("z", 40), now)
	wantFull("labels beyond the limit", err)
	if left := filesOf(t, s); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
	writing, err := s.create(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writing.Write(bytes.Repeat([]byte("w"), 30)); err != nil {
		t.Fatal(err)
	}
	_, err = keep(t, s, strings.Repeat("z", 20), now)
	wantFull("labels beside others that are being written", err)
	writing.Discard()
	mustKeep(t, s, strings.Repeat("z", 39), now)

	now = now.Add(25 * time.Hour)
	training[kept] = true
	mustKeep(t, s, strings.Repeat("v", 40), now)
	_, err = keep(t, s, "u", now)
	wantFull("labels beside those of a training set", err)
}

func filesOf(t *testing.T, s *labelStore) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
