package offline

import (
	"bytes"
	"encoding/binary"
	"syscall"
	"testing"
)

// watchOpens returns a function that names the files in a folder which were opened since.
func watchOpens(t *testing.T, folder string) func() []string {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		t.Skip("no inotify: ", err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if _, err := syscall.InotifyAddWatch(fd, folder, syscall.IN_OPEN|syscall.IN_ACCESS|syscall.IN_CREATE); err != nil {
		t.Fatal(err)
	}
	return func() []string {
		var names []string
		buffer := make([]byte, 1<<16)
		for {
			n, err := syscall.Read(fd, buffer)
			if err != nil || n <= 0 {
				return names
			}
			for at := 0; at < n; {
				const size = syscall.SizeofInotifyEvent // its last field is the length of the name that follows
				length := int(binary.NativeEndian.Uint32(buffer[at+12:]))
				name := string(bytes.TrimRight(buffer[at+size:at+size+length], "\x00"))
				if name != "" {
					names = append(names, name)
				}
				at += size + length
			}
		}
	}
}
