package offline

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// makeTemp makes a folder of this engine's own below dir, as DuckDB's spill files have fixed names, and removes
// those that processes left behind which are gone.
func makeTemp(dir string) (string, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	old, err := filepath.Glob(filepath.Join(dir, "fstore-*-*"))
	if err != nil {
		return "", err
	}
	for _, path := range old {
		pid, err := strconv.Atoi(strings.Split(filepath.Base(path), "-")[1])
		if err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = os.RemoveAll(path) // the next one may succeed
		}
	}
	return os.MkdirTemp(dir, fmt.Sprintf("fstore-%d-", os.Getpid()))
}
