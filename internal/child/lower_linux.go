package child

import (
	"os/exec"
	"syscall"
)

// lower lowers the priority of this thread, which the command inherits, and has the command killed when the thread ends.
func lower(cmd *exec.Cmd) {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice) // a lower priority is a courtesy: without it, the command runs as well
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

func started(*exec.Cmd) {}
