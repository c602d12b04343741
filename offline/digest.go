package offline

import (
	"context"
	"crypto/md5" //nolint:gosec // DVC knows files by it; nothing is trusted to it
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// stamp tells whether a file is still what it was, without reading it.
type stamp struct{ info os.FileInfo }

func stampOf(path string) (stamp, error) {
	info, err := regular.Stat(path)
	return stamp{info}, err
}

// unchanged returns an error if a file is not what it was when it was stamped.
func (s stamp) unchanged(path string) error {
	now, err := stampOf(path)
	if err != nil {
		return err
	}
	if !os.SameFile(s.info, now.info) || s.info.Size() != now.info.Size() || !s.info.ModTime().Equal(now.info.ModTime()) {
		return fstore.Errorf(fstore.ErrConflict, "%s has changed while it was read", path).WithHint("run it again when nothing writes the file")
	}
	return nil
}

// digest reads a file for its size and SHA-256.
func digest(ctx context.Context, path string) (*LockFile, error) {
	f, _, err := digestFile(ctx, path, io.Discard)
	return f, err
}

// digestWithMD5 reads a file for both of its digests.
func digestWithMD5(ctx context.Context, path string) (LockFile, string, error) {
	h := md5.New() //nolint:gosec // see above
	f, _, err := digestFile(ctx, path, h)
	if err != nil {
		return LockFile{}, "", err
	}
	return *f, hex.EncodeToString(h.Sum(nil)), nil
}

// digestFile reads a file for its size and SHA-256, and hands its bytes on. It also returns what the file was, by its
// descriptor, when its last byte had been read.
func digestFile(ctx context.Context, path string, also io.Writer) (*LockFile, os.FileInfo, error) {
	f, err := regular.Open(path, regular.AnySize)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(h, also), &cancelled{ctx, f})
	if err != nil {
		return nil, nil, fmt.Errorf("digest %s: %w", path, err)
	}
	info, err := f.Stat()
	return &LockFile{path, n, hex.EncodeToString(h.Sum(nil))}, info, err
}

// cancelled is a reader that ends with its context.
type cancelled struct {
	ctx context.Context //nolint:containedctx // lives as long as one copy
	r   io.Reader
}

func (c *cancelled) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
