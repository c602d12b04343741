package project

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
		if busy := (*admission.Busy)(nil); !errors.As(err, &busy) || busy.Retry != retryLabels || !strings.Contains(err.Error(), "serve.offline_labels") {
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

// A sweep forgets no bytes of files that are being written, and counts none twice.
func TestSweepsDoNotChangeWhatIsCounted(t *testing.T) {
	s, _ := newLabels(t, 100)
	now := time.Now()
	for _, end := range []func(*labelFile){
		(*labelFile).Discard,
		func(l *labelFile) {
			if _, err := l.Keep(); err != nil {
				t.Error(err)
			}
			l.Discard()
		},
	} {
		f, err := s.create(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.store.reserve(30); err != nil { // a Write that is about to
			t.Fatal(err)
		}
		f.bytes += 30
		if err := s.sweep(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if err := s.reserve(71); err == nil {
			t.Error("a sweep forgot bytes that are about to be written")
		}
		if _, err := f.file.Write(make([]byte, 30)); err != nil {
			t.Fatal(err)
		}
		if err := s.sweep(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		end(f)
		wantCounted(t, s)
	}
}

// However uploads and sweeps meet, the count is that of the folder.
func TestLabelsAreCountedRightBesideSweeps(t *testing.T) {
	s, _ := newLabels(t, 1<<30)
	now := time.Now()
	if err := s.sweep(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	var writers, sweeper sync.WaitGroup
	done := make(chan struct{})
	for i := range 4 {
		writers.Go(func() {
			for j := range 50 {
				f, err := s.create(context.Background(), now)
				if err != nil {
					t.Error(err)
					return
				}
				_, err = f.Write(bytes.Repeat([]byte{byte(j)}, 1000+i%2*j))
				if err == nil && j%2 == 0 {
					_, err = f.Keep()
				}
				if err != nil {
					t.Error(err)
				}
				f.Discard()
			}
		})
	}
	sweeper.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := s.sweep(context.Background(), now); err != nil {
				t.Error(err)
			}
		}
	})
	writers.Wait()
	close(done)
	sweeper.Wait()
	wantCounted(t, s)
}

// wantCounted checks the count of a store whose files are all written.
func wantCounted(t *testing.T, s *labelStore) {
	t.Helper()
	size := int64(0)
	for _, name := range filesOf(t, s) {
		info, err := os.Stat(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if s.kept != size || s.writingBytes != 0 || len(s.writing) != 0 {
		t.Errorf("counts %d, and %d of %v being written; the folder has %d", s.kept, s.writingBytes, s.writing, size)
	}
}

// While there is no room, uploads look for some once a minute, and not each of them.
func TestAFullStoreIsSweptOnceAMinute(t *testing.T) {
	s, _ := newLabels(t, 10)
	sweeps := 0
	s.used = func(context.Context) (map[string]bool, error) { sweeps++; return nil, nil }
	now := time.Now()
	for i, want := range []int{1, 1, 1, 2, 2, 2, 3} { // an upload every 20 seconds
		if _, err := keep(t, s, "too many labels", now.Add(time.Duration(i)*20*time.Second)); err == nil {
			t.Error("there was room")
		}
		if sweeps != want {
			t.Errorf("upload %d: %d sweeps, want %d", i, sweeps, want)
		}
	}
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
