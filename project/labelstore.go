package project

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
	"github.com/fstore-dev/fstore/server"
)

// labelStore is a folder of labels that callers have sent, each a Parquet file that is named by its SHA-256.
type labelStore struct {
	dir   string
	limit int64                                          // bytes of all files
	used  func(context.Context) (map[string]bool, error) // digests of the labels that training sets were made from

	sweeping sync.Mutex // held by the upload that may have to sweep; those that come meanwhile wait for it

	mu           sync.Mutex      // guards the rest, and the files of the folder
	kept         int64           // bytes of files, except those of writing
	writing      map[string]bool // paths of the files that are being written
	writingBytes int64           // of those files, as reserved
	swept        time.Time
	full         bool // some labels had no room since
}

// unfinished begins the name of a file that is being written.
const unfinished = ".writing-"

const (
	// restLabels is how long labels that no training set was made from are kept after their last use.
	restLabels = 24 * time.Hour
	// sweepEvery is how often labels are removed while others come, and sweepEveryFull how often if there is no room for some.
	// A sweep reads the locks of all training sets.
	sweepEvery, sweepEveryFull = time.Hour, time.Minute
	// retryLabels is when there may be room again.
	retryLabels = 10 * time.Minute
)

func (s *labelStore) path(digest string) string {
	return filepath.Join(s.dir, digest+parquetSuffix)
}

// use returns the path of labels, and keeps them for another while.
func (s *labelStore) use(digest string, now time.Time) (string, error) {
	s.mu.Lock() // sweep may be about to remove them
	defer s.mu.Unlock()
	path := s.path(digest)
	if err := os.Chtimes(path, now, now); err != nil {
		return "", fstore.Errorf(fstore.ErrNotFound, "the server has no labels %.16s…", digest).
			WithHint("send them with DoPut; labels that no training set was made from are kept for a day")
	}
	return path, nil
}

// create begins a file of labels. It first removes those that nobody used for a while, if that has not been done lately.
func (s *labelStore) create(ctx context.Context, now time.Time) (*labelFile, error) {
	if err := s.sweepIfDue(ctx, now); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.CreateTemp(s.dir, unfinished+"*")
	if err != nil {
		return nil, err
	}
	if s.writing == nil {
		s.writing = map[string]bool{}
	}
	s.writing[f.Name()] = true
	return &labelFile{store: s, file: f, hash: sha256.New()}, nil
}

// reserve counts bytes that are about to be written. It returns an error if there is no room.
func (s *labelStore) reserve(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept+s.writingBytes+int64(n) > s.limit {
		s.full = true // so that one of the next uploads looks for room
		return fstore.Errorf(server.Full(retryLabels, "labels"), "the server has no room for these labels: it keeps up to %d MB", s.limit/1e6).
			WithHint("labels that no training set was made from go a day after their last use; serve.offline_labels sets the limit")
	}
	s.writingBytes += int64(n)
	return nil
}

func (s *labelStore) sweepIfDue(ctx context.Context, now time.Time) error {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	s.mu.Lock()
	every := sweepEvery
	if s.full {
		every = sweepEveryFull
	}
	due := now.Sub(s.swept) >= every
	s.mu.Unlock()
	if !due {
		return nil
	}
	return s.sweep(ctx, now)
}

// sweep removes labels that nobody used for a while, except those that training sets were made from, and counts the rest.
func (s *labelStore) sweep(ctx context.Context, now time.Time) error {
	used, err := s.used(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	kept := int64(0)
	for _, e := range entries {
		path := filepath.Join(s.dir, e.Name())
		if s.writing[path] {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // another server may have removed it
		}
		if err != nil {
			return err
		}
		if !isStale(info, used, now) {
			kept += info.Size()
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	s.kept, s.swept, s.full = kept, now, false
	return nil
}

// isStale reports whether a file of the folder is of labels that nobody used for a while.
func isStale(file fs.FileInfo, used map[string]bool, now time.Time) bool {
	digest, isLabels := strings.CutSuffix(file.Name(), parquetSuffix)
	return !used[digest] && (isLabels || strings.HasPrefix(file.Name(), unfinished)) && now.Sub(file.ModTime()) >= restLabels
}

// labelFile is a file of labels that is being written.
type labelFile struct {
	store *labelStore
	file  *os.File
	hash  hash.Hash
	bytes int64
	kept  bool
}

// Write implements flight.Labels.
func (l *labelFile) Write(b []byte) (int, error) {
	if err := l.store.reserve(len(b)); err != nil {
		return 0, err
	}
	l.bytes += int64(len(b))
	n, err := l.file.Write(b)
	l.hash.Write(b[:n])
	return n, err
}

// Keep implements flight.Labels.
func (l *labelFile) Keep() (digest string, err error) {
	digest = hex.EncodeToString(l.hash.Sum(nil))
	if err := errors.Join(l.file.Chmod(0o644), l.file.Sync(), l.file.Close()); err != nil {
		return "", err
	}
	if err := l.store.install(l, digest); err != nil {
		return "", err
	}
	l.kept = true
	return digest, regular.Sync(l.store.dir)
}

// install gives a file its name. It may replace the same labels.
func (s *labelStore) install(l *labelFile, digest string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	same, err := os.Stat(s.path(digest))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(l.file.Name(), s.path(digest)); err != nil {
		return err
	}
	if same != nil {
		s.kept -= same.Size()
	}
	s.kept += l.bytes
	s.written(l)
	return nil
}

// written ends the accounting of a file once it is kept or discarded. s.mu is held.
func (s *labelStore) written(l *labelFile) {
	delete(s.writing, l.file.Name())
	s.writingBytes -= l.bytes
}

// Discard implements flight.Labels.
func (l *labelFile) Discard() {
	if !l.kept {
		_ = l.file.Close() // Keep may have closed it
		l.store.mu.Lock()
		defer l.store.mu.Unlock()
		_ = os.Remove(l.file.Name()) // if not, sweep removes it
		l.store.written(l)
	}
}
