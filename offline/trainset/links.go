package trainset

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// links is a folder of symbolic links. Through a link, a file whose folders are columns (day=2011-12-09) can be read from
// another place. The paths come from a lock, which anybody can write. So every link is made through an os.Root, which
// refuses to leave the folder, and the names of links are digests.
type links struct{ root *os.Root }

// newLinks makes the folder in dir. The caller closes it.
func newLinks(dir string) (*links, error) {
	dir = filepath.Join(dir, "inputs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &links{root}, nil
}

// link returns a link to the file target. The link has those folders of path that contain an =, so it gives the same
// columns as path.
func (l *links) link(target, path string) (string, error) {
	sum := sha256.Sum256([]byte(path + "\x00" + target))
	name := hex.EncodeToString(sum[:])
	for _, folder := range strings.Split(filepath.Dir(path), string(filepath.Separator)) {
		if strings.Contains(folder, "=") {
			name = filepath.Join(name, folder)
		}
	}
	if err := l.root.MkdirAll(name, 0o700); err != nil {
		return "", err
	}
	name = filepath.Join(name, hex.EncodeToString(sum[:])+".parquet")
	if err := l.root.Symlink(target, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return filepath.Join(l.root.Name(), name), nil
}

// close keeps the links.
func (l *links) close() error { return l.root.Close() }
