package trainset

import (
	"os"
	"syscall"
)

// changedAt returns when a file was last changed in any way, in nanoseconds, and its inode.
func changedAt(info os.FileInfo) (ns int64, inode uint64) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	return st.Ctim.Nano(), st.Ino
}
