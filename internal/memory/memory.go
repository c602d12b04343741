// Package memory watches how much memory the program holds.
package memory

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

const poll = 50 * time.Millisecond

// Watch calls exceeded once the program holds more than so many bytes. It does nothing where the system does not say.
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

// resident returns the bytes of memory that the program holds; false where the system does not say.
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
