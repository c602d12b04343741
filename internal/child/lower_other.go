//go:build unix && !linux

package child

import (
	"os/exec"
	"syscall"
)

func lower(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// started lowers the priority of the command.
func started(cmd *exec.Cmd) {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, cmd.Process.Pid, nice) // a courtesy: without it, the command runs as well
}
