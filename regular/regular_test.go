package regular

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fstore-dev/fstore"
)

// Whatever a path names, it is opened at once or refused with what it is.
func TestOnlyRegularFilesOfBoundedSizeAreOpened(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.WriteFile(at("file"), []byte("it"), 0o600))
	check(os.Symlink(at("file"), at("link")))
	check(os.WriteFile(at("sparse"), nil, 0o600))
	check(os.Truncate(at("sparse"), 200<<20))
	check(os.Mkdir(at("folder"), 0o700))
	check(syscall.Mkfifo(at("pipe"), 0o600))
	check(os.Symlink(at("pipe"), at("link to a pipe")))
	check(os.Symlink("/dev/zero", at("zero")))
	check(os.Symlink("nowhere", at("dangling")))
	t.Chdir(dir) // a socket's path is short
	socket, err := net.Listen("unix", "socket")
	check(err)
	defer socket.Close()
	for name, want := range map[string]string{
		"file": "", "link": "", "sparse": "has 200 MB; the limit is 64", "folder": "is a folder", "pipe": "is not a file but a named pipe",
		"link to a pipe": "is not a file but a named pipe", "zero": "is not a file but a device", "socket": "is not a file but a socket",
		"dangling": "no such file", "none": "no such file", "none\x00": "invalid argument",
	} {
		f, err := Open(at(name), 64<<20)
		if err == nil {
			f.Close()
		}
		text, readErr := Read(at(name), 64<<20)
		if want == "" {
			if err != nil || readErr != nil || string(text) != "it" {
				t.Errorf("%s: %v, %v, %q", name, err, readErr, text)
			}
			continue
		}
		for _, err := range []error{err, readErr} {
			var path *fs.PathError
			if !errors.As(err, &path) || !strings.HasPrefix(path.Err.Error(), want) || strings.HasPrefix(want, "is ") != errors.Is(err, fstore.ErrInvalid) && name != "sparse" {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	}
	if f, err := Open(at("sparse"), AnySize); err != nil || f.Close() != nil {
		t.Errorf("any size: %v", err)
	}

	root := DirFS(dir)
	for name, want := range map[string]string{"file": "", "folder": "", "pipe": "named pipe", "zero": "device"} {
		f, err := root.Open(name)
		if err == nil {
			f.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("DirFS: %s: %v", name, err)
		}
	}
	if names, err := fs.Glob(root, "*pipe*"); err != nil || len(names) != 2 {
		t.Errorf("DirFS lists %v, %v", names, err)
	}

	check(Database(at("none")))
	check(Database(at("file")))
	check(syscall.Mkfifo(at("file-wal"), 0o600))
	if err := Database(at("file")); !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "file-wal is not a file but a named pipe") {
		t.Errorf("Database: %v", err)
	}
}
