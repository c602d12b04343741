package offline

import (
	"context"
	"crypto/md5" //nolint:gosec // G501: DVC knows files by it; nothing is trusted to it
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/regular"
)

// stamp tells whether a file is still what it was before it was read.
type stamp struct {
	info   os.FileInfo
	sha256 string // of a file that was written so recently that its times may hide another change; else empty
}

// stamp describes a file before anything is read of it.
func (s *session) stamp(ctx context.Context, path string) (stamp, error) {
	info, err := regular.Stat(path)
	if err != nil {
		return stamp{}, readError(path, err)
	}
	st := stamp{info: info}
	if !s.locks || s.e.digests.isSettled(info) {
		return st, nil
	}
	f, err := s.e.digests.of(ctx, path)
	if err != nil {
		return st, err
	}
	st.sha256 = f.SHA256
	return st, st.same(path)
}

// unchanged returns an error unless a file is what it was when it was stamped. digest is that of the file as it is now.
func (s stamp) unchanged(path string, digest func() (*lock.File, error)) error {
	if err := s.same(path); err != nil || s.sha256 == "" {
		return err
	}
	now, err := digest()
	if err == nil && now.SHA256 != s.sha256 {
		err = hasChanged(path)
	}
	return err
}

// same returns an error unless a file's inode, size and times are what they were. Nobody can set the ctime back, as tools
// do with the mtime.
func (s stamp) same(path string) error {
	now, err := regular.Stat(path)
	if err != nil {
		return readError(path, err)
	}
	if known(now, "").fileID != known(s.info, "").fileID || !os.SameFile(now, s.info) {
		return hasChanged(path)
	}
	return nil
}

func hasChanged(path string) error {
	return fstore.Errorf(fstore.ErrConflict, "%s has changed while it was read", path).WithHint("run it again when nothing writes the file")
}

// digest reads a file for its size and SHA-256.
func digest(ctx context.Context, path string) (*lock.File, error) {
	f, _, err := digestFile(ctx, path, io.Discard)
	return f, err
}

// digestWithMD5 reads a file for both of its digests.
func digestWithMD5(ctx context.Context, path string) (lock.File, string, error) {
	h := md5.New() //nolint:gosec // G401: see above
	f, _, err := digestFile(ctx, path, h)
	if err != nil {
		return lock.File{}, "", err
	}
	return *f, hex.EncodeToString(h.Sum(nil)), nil
}

// digestFile reads a file for its size and SHA-256, and hands its bytes on. It also returns what the file was, by its
// descriptor, when its last byte had been read.
func digestFile(ctx context.Context, path string, also io.Writer) (*lock.File, os.FileInfo, error) {
	f, err := regular.Open(path, regular.AnySize)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(h, also), &cancelled{ctx, f})
	if err != nil {
		return nil, nil, fmt.Errorf("digest %s: %w", path, err)
	}
	info, err := f.Stat()
	if err == nil && (known(before, "").fileID != known(info, "").fileID || n != info.Size()) {
		err = hasChanged(path)
	}
	return &lock.File{Path: path, Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, info, err
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
