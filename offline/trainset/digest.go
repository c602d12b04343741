package trainset

import (
	"context"
	"crypto/md5" //nolint:gosec // G501: DVC identifies files by MD5; nothing relies on it for security
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/regular"
)

// Stamp describes a file before anything is read from it. It tells later whether the file has changed.
type Stamp struct {
	info   os.FileInfo
	sha256 string // of a file that was written so recently that its times may hide another change; otherwise empty
}

// NewStamp describes a file by its size, times and inode alone.
func NewStamp(path string) (Stamp, error) {
	info, err := regular.Stat(path)
	if err != nil {
		return Stamp{}, regular.ReadError(path, err)
	}
	return Stamp{info: info}, nil
}

// Stamp describes a file so that no later change escapes CheckUnchanged. It reads a file that was written just now.
func (d *Digests) Stamp(ctx context.Context, path string) (Stamp, error) {
	st, err := NewStamp(path)
	if err != nil || d.isSettled(st.info) {
		return st, err
	}
	f, err := d.Of(ctx, path)
	if err != nil {
		return st, err
	}
	st.sha256 = f.SHA256
	return st, st.checkIdentity(path)
}

// ID identifies the file as it was.
func (s Stamp) ID() string {
	id := Identify(s.info)
	return fmt.Sprintf("%d %d %d %d %s", id.Size, id.Changed, id.Written, id.Inode, s.sha256)
}

// CheckUnchanged returns ErrConflict if a file has changed since it was stamped. digest returns the digest of the file
// as it is now; it is called only where size, times and inode do not settle the question.
func (s Stamp) CheckUnchanged(path string, digest func() (*lock.File, error)) error {
	if err := s.checkIdentity(path); err != nil || s.sha256 == "" {
		return err
	}
	now, err := digest()
	if err == nil && now.SHA256 != s.sha256 {
		err = hasChanged(path)
	}
	return err
}

// checkIdentity returns an error unless a file's inode, size and times are what they were. Tools can set the mtime back,
// but nobody can set the ctime back.
func (s Stamp) checkIdentity(path string) error {
	now, err := regular.Stat(path)
	if err != nil {
		return regular.ReadError(path, err)
	}
	if Identify(now) != Identify(s.info) || !os.SameFile(now, s.info) {
		return hasChanged(path)
	}
	return nil
}

func hasChanged(path string) error {
	return fstore.Errorf(fstore.ErrConflict, "%s has changed while it was read", path).WithHint("run it again when nothing writes the file")
}

// Digest reads a file for its size and SHA-256.
func Digest(ctx context.Context, path string) (*lock.File, error) {
	f, _, err := digestFile(ctx, path, io.Discard)
	return f, err
}

// DigestWithMD5 reads a file once for its size, SHA-256 and MD5.
func DigestWithMD5(ctx context.Context, path string) (lock.File, string, error) {
	h := md5.New() //nolint:gosec // G401: see above
	f, _, err := digestFile(ctx, path, h)
	if err != nil {
		return lock.File{}, "", err
	}
	return *f, hex.EncodeToString(h.Sum(nil)), nil
}

// digestFile reads a file for its size and SHA-256, and also writes its bytes to a writer. It returns what the open
// file's descriptor said of it after the last byte was read.
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
	if err == nil && (Identify(before) != Identify(info) || n != info.Size()) {
		err = hasChanged(path)
	}
	return &lock.File{Path: path, Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, info, err
}

// cancelled is a reader that fails once its context has ended.
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
