package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// Holder is a process that holds leases. The leases in the file name it as JSON.
type Holder struct {
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	Started string `json:"started,omitempty"` // tells the process from a later one of the same PID
	Space   string `json:"space,omitempty"`   // the namespace of the PID: in another one, PID is another process
}

func (h Holder) String() string { return fmt.Sprintf("process %d on %s", h.PID, h.Host) }

// Record returns the holder as leases name it.
func (h Holder) Record() (record.Holder, error) {
	text, err := json.Marshal(h)
	return record.Holder(text), err
}

// Self implements registry.Backend.
func (b *Backend) Self() (record.Holder, error) {
	me, err := b.self()
	if err != nil {
		return "", err
	}
	return me.Record()
}

// Holder implements registry.Backend. Only a process of the same host can be seen to be gone.
func (b *Backend) Holder(r record.Holder) (record.HolderState, error) {
	var h Holder
	if err := json.Unmarshal([]byte(r), &h); err != nil {
		return record.HolderState{}, fstore.Errorf(fstore.ErrCorrupt, "its holder: %s", err).WithHint(restore)
	}
	me, err := b.self()
	return record.HolderState{Name: h.String(), Gone: err == nil && gone(h, me)}, err
}

// self returns this process.
func self() (Holder, error) {
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
	// The name, in parentheses, may hold anything. The fields after it begin with the third.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	switch {
	case len(fields) < 20:
		return ""
	case fields[0] == "Z":
		return "exited" // and its parent has not waited for it yet
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[19]
}
