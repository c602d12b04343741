//go:build !linux

package main

import (
	"fmt"
	"os"
)

func smallDisk() {
	fmt.Fprintln(os.Stderr, "smalldisk: a disk that only a test sees is made with Linux alone")
	os.Exit(99)
}
