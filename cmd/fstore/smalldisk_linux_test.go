package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// onSmallDisk makes a disk of its own, in memory, at $2 with options $1, where only this shell and its children see it,
// runs a command, and says what is left on the disk.
const onSmallDisk = `
mount --make-rprivate / && mount -t tmpfs -o "$1" tmpfs "$2" || exit 99
disk=$2
shift 2
"$@"
status=$?
left=$(cd "$disk" && find . -type f | sort)
echo "left:" ${left:-nothing}
exit $status`

// smallDisk is the program smalldisk OPTIONS DIR COMMAND…: the command runs with a disk at DIR, of options such as
// size=64k or ro. It needs root, or user namespaces.
func smallDisk() {
	cmd := exec.Command("/bin/sh", append([]string{"-c", onSmallDisk, "sh"}, os.Args[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &exit) && exit.ExitCode() != 99:
		os.Exit(exit.ExitCode())
	}
	fmt.Fprintln(os.Stderr, "smalldisk: this machine permits no mounts: run the tests as root, or allow user namespaces:", err)
	os.Exit(99)
}
