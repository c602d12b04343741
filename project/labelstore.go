package project

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"os"
	"path/filepath"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// labelStore is a folder of labels that callers have sent, each a Parquet file that is named by its SHA-256.
type labelStore struct{ dir string }

// unfinished begins the name of a file that is being written.
const unfinished = ".writing-"

// restLabels is how long labels that no training set was made from are kept after their last use.
const restLabels = 24 * time.Hour

func (s labelStore) path(digest string) string {
	return filepath.Join(s.dir, digest+parquetSuffix)
}

// use returns the path of labels, and keeps them for another while.
func (s labelStore) use(digest string, now time.Time) (string, error) {
	path := s.path(digest)
	if err := os.Chtimes(path, now, now); err != nil {
		return "", fstore.Errorf(fstore.ErrNotFound, "the server has no labels %.16s…", digest).
			WithHint("send them with DoPut; labels that no training set was made from are kept for a day")
	}
	return path, nil
}

// create begins a file of labels.
func (s labelStore) create() (*labelFile, error) {
	f, err := os.CreateTemp(s.dir, unfinished+"*")
	if err != nil {
		return nil, err
	}
	return &labelFile{store: s, file: f, hash: sha256.New()}, nil
}

// sweep removes labels that nobody used for a while, except those that training sets were made from.
func (s labelStore) sweep(now time.Time, used map[string]bool) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		digest, isLabels := strings.CutSuffix(e.Name(), parquetSuffix)
		if used[digest] || !isLabels && !strings.HasPrefix(e.Name(), unfinished) {
			continue
		}
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < restLabels {
			continue // another server may have removed it
		}
		if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// labelFile is a file of labels that is being written.
type labelFile struct {
	store labelStore
	file  *os.File
	hash  hash.Hash
	kept  bool
}

// Write implements flight.Labels.
func (l *labelFile) Write(b []byte) (int, error) {
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
	if err := os.Rename(l.file.Name(), l.store.path(digest)); err != nil {
		return "", err
	}
	l.kept = true
	return digest, regular.Sync(l.store.dir)
}

// Discard implements flight.Labels.
func (l *labelFile) Discard() {
	if !l.kept {
		_ = l.file.Close()           // Keep may have closed it
		_ = os.Remove(l.file.Name()) // if not, sweep removes it
	}
}
