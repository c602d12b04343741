//go:build !linux

package offline

import "testing"

// watchOpens sees nothing on systems without inotify.
func watchOpens(*testing.T, string) func() []string { return func() []string { return nil } }
