// Package memory watches how much memory the process uses.
package memory

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

const poll = 50 * time.Millisecond

// Watch calls exceeded once the process uses more than most bytes. It does nothing if the system does not tell.
func Watch(most int64, exceeded func(held int64)) {
	go func() {
		for {
			time.Sleep(poll)
			if held, ok := resident(); !ok {
				return
			} else if held > most {
				exceeded(held)
				return
			}
		}
	}()
}

// resident returns the resident memory of the process in bytes, or false if the system does not tell.
func resident() (int64, bool) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err == nil
}
