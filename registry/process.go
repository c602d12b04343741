package registry

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/fstore-dev/fstore"
)

// Self returns this process as the holder of leases.
func Self() (Holder, error) {
	host, err := os.Hostname()
	if err != nil {
		return Holder{}, fstore.Errorf(fstore.ErrUnavailable, "find the name of this host: %s", err)
	}
	h := Holder{Host: host, PID: os.Getpid()}
	h.Started = started(h.PID)
	h.Space, _ = os.Readlink("/proc/self/ns/pid") // only Linux has it; without it the host tells
	return h, nil
}

// gone reports whether a holder's process is certainly not running, as far as the process me can see.
func gone(h, me Holder) bool {
	if h.Host != me.Host || h.Space != me.Space {
		return false
	}
	if now := started(h.PID); now != "" && h.Started != "" {
		return now != h.Started
	}
	p, err := os.FindProcess(h.PID)
	return err != nil || errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// started returns the boot and the tick at which a process began, or "" where the system does not say.
func started(pid int) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// The name, in parentheses, may hold anything; the fields behind it begin with the third.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	switch {
	case len(fields) < 20:
		return ""
	case fields[0] == "Z":
		return "exited" // and not yet waited for
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[19]
}
