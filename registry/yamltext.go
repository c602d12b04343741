package registry

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fstore-dev/fstore"
)

// What a file must be before it is parsed. The parser takes any bytes, and stacks and time that grow with the
// square of how deep brackets are nested.
const (
	maxFile  = 4 << 20
	maxDepth = 100
)

var byteOrderMark = []byte("\ufeff")

// checkText reports what makes a file no text: bytes that are not UTF-8, and control characters.
func checkText(name string, content []byte) *Problem {
	for at := 0; at < len(content); {
		r, size := utf8.DecodeRune(content[at:])
		switch {
		case r == utf8.RuneError && size == 1:
			return &Problem{Pos: bytePlace(name, content, at), Message: fmt.Sprintf("byte 0x%02x is not UTF-8", content[at]), Hint: "save the file as UTF-8"}
		case r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' || r == 0x7f:
			return &Problem{Pos: bytePlace(name, content, at), Message: fmt.Sprintf("a control character, 0x%02x, in the file", r), Hint: "remove it"}
		}
		at += size
	}
	return nil
}

// bytePlace is a place in a file that may not be text.
func bytePlace(name string, content []byte, at int) fstore.Pos {
	before := content[:at]
	return fstore.Pos{File: name, Line: 1 + bytes.Count(before, []byte("\n")), Col: 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])}
}

// checkYAMLText reports why the bytes of a file are not given to the parser.
func checkYAMLText(name string, content []byte) *Problem {
	if len(content) > maxFile {
		return &Problem{Pos: fstore.Pos{File: name, Line: 1, Col: 1}, Message: fmt.Sprintf("the file has %d bytes, more than %d", len(content), maxFile), Hint: "split it into several files"}
	}
	if p := checkText(name, content); p != nil {
		return p
	}
	depth, dashes := 0, 0
	for at, c := range content {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		}
		switch c {
		case '-', '?':
			dashes++
		case ' ', '\t':
		default:
			dashes = 0
		}
		deep := dashes > maxDepth && bytes.Count(content[max(0, at-2*maxDepth):at], []byte(" ")) > maxDepth-2
		if depth > maxDepth || deep {
			return &Problem{Pos: bytePlace(name, content, at), Message: fmt.Sprintf("nested more than %d deep", maxDepth), Hint: "close the brackets"}
		}
	}
	return nil
}

// syntaxHint says what would be right where the parser only says what is wrong.
func syntaxHint(message, line string) string {
	switch {
	case strings.Contains(line, "${"):
		return `a value with ${…} inside { } or [ ] needs quotes: "${DATA:-data}/x.parquet"`
	case strings.Contains(message, "'\t'"):
		return "YAML is indented with spaces"
	case strings.Contains(message, "mapping value is not allowed"), strings.Contains(message, "reserved character"), strings.Contains(message, "unexpected directive"):
		return "put the text in quotes, or correct the indentation"
	case strings.Contains(message, "could not find end character"), strings.Contains(message, "not found"), strings.Contains(message, "must be specified"):
		return "close what is opened here"
	}
	return ""
}
