package project

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
)

const module = "github.com/fstore-dev/fstore"

// ModuleVersion returns the version of fstore in this program.
func ModuleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module && m.Version != "" {
			return m.Version
		}
	}
	return "(devel)"
}

// buildIdentity identifies a build of a version. A build from a working copy has no version of its own, so it is
// identified by the program's file.
func buildIdentity(version string) string {
	if version != "dev" && version != "(devel)" && !strings.Contains(version, "dirty") {
		return version
	}
	path, err := os.Executable()
	if err != nil {
		return version
	}
	info, err := os.Stat(path)
	if err != nil {
		return version
	}
	return fmt.Sprintf("%s %s %d %d", version, path, info.Size(), info.ModTime().UnixNano())
}
