package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// The engine keeps to offline.memory_limit for tables, joins and sorts, but not for the lists and texts that functions
// such as range() and repeat() make of one row. So the program watches its own memory and ends before the machine
// runs out of it: like a kill, that loses nothing.
const (
	memoryPoll  = 50 * time.Millisecond
	memorySpare = 2 << 30 // bytes beyond the limit and a quarter of it, for what is not the engine's
)

// watchMemory ends the program once it holds far more memory than the engine's limit of so many megabytes.
func (a *app) watchMemory(megabytes float64) {
	most := int64(megabytes*1.25)*1_000_000 + memorySpare
	go func() {
		for {
			time.Sleep(memoryPoll)
			if held, ok := residentMemory(); !ok {
				return
			} else if held > most {
				fmt.Fprintf(a.stderr, "fstore: out of memory: the program holds %d MB, far more than offline.memory_limit\n"+
					"hint: look for SQL that makes long lists or texts of one row, as range() and repeat() do; or raise offline.memory_limit, see fstore.yaml\n", held>>20)
				os.Exit(statusFailed)
			}
		}
	}()
}

// residentMemory returns the bytes of memory that the program holds; false where the system does not say.
func residentMemory() (int64, bool) {
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
