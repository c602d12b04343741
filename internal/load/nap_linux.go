package load

import (
	"syscall"
	"time"
)

// nap sleeps more exactly than time.Sleep. A signal may end it early.
func nap(d time.Duration) {
	left := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&left, nil)
}
