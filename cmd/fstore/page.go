package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/regular"
)

// checkPage refuses a value of --html that is not the name of a page: a report replaces the file, which might be one of rows.
func checkPage(path string) error {
	if path == "" {
		return nil
	}
	if ext := strings.ToLower(filepath.Ext(path)); ext != ".html" && ext != ".htm" {
		return usage.Errorf(nil, "--html %s: the name of a report ends in .html", path).WithHint("a report replaces a file of its name, so it takes no other names")
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return usage.Errorf(nil, "--html %s: this is a folder", path).WithHint("name a file in it")
	}
	return nil
}

// writePage writes a report into a file: all of it, or nothing. Without a path it writes nothing.
func writePage(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	var page bytes.Buffer
	err := write(&page)
	if err == nil {
		err = regular.Replace(path, page.Bytes())
	}
	if err != nil {
		return usage.Flagged("--html", err)
	}
	return nil
}
