package definition

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// Limits that a file must meet before it is parsed. The parsers accept any bytes. They use several times the file's
// size in memory, and stack and time that grow with the square of the nesting depth.
const (
	maxFile      = 4 << 20
	maxDepth     = 100
	maxItems     = 200_000 // lines, and separators within lines
	maxDocuments = 10_000
	maxKeys      = 4_000 // of one mapping: the parser's time grows with the square of their number
)

// ReadText reads a YAML or SQL file of a repo, without its byte order mark. A problem with a line is about the file's
// contents. A problem without one says that the file cannot be read.
func ReadText(root fs.FS, name string) ([]byte, *Problem) {
	info, err := fs.Stat(root, name)
	switch {
	case err != nil:
		return nil, unreadable(name, err)
	case !info.Mode().IsRegular():
		return nil, unreadable(name, errors.New("it is "+regular.What(info.Mode())))
	case info.Size() > maxFile:
		return nil, tooLarge(name, info.Size())
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, unreadable(name, err)
	case len(content) > maxFile: // it has grown since Stat
		return nil, tooLarge(name, int64(len(content)))
	}
	content = lineEndings(bytes.TrimPrefix(content, byteOrderMark))
	return content, checkText(name, content)
}

// lineEndings converts line endings to \n, so that a definition is the same text on Windows and Linux.
func lineEndings(text []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
}

func unreadable(name string, err error) *Problem {
	return &Problem{Pos: fstore.Pos{File: name}, Message: "cannot be read: " + regular.Cause(err).Error(), Hint: "make it a file that can be read, or remove it"}
}

func tooLarge(name string, size int64) *Problem {
	return &Problem{
		Pos: fstore.Pos{File: name, Line: 1, Col: 1}, Message: fmt.Sprintf("the file has %d bytes; the limit is %d", size, maxFile),
		Hint: "split it into several files",
	}
}

var byteOrderMark = []byte("\ufeff")

// checkText reports bytes that are not UTF-8, and control characters.
func checkText(name string, content []byte) *Problem {
	for at := 0; at < len(content); {
		r, size := utf8.DecodeRune(content[at:])
		switch {
		case r == utf8.RuneError && size == 1:
			return &Problem{Pos: bytePlace(name, content, at), Message: fmt.Sprintf("byte 0x%02x is not UTF-8", content[at]), Hint: "save the file as UTF-8"}
		case r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' || r == 0x7f:
			return &Problem{Pos: bytePlace(name, content, at), Message: fmt.Sprintf("control character 0x%02x in the file", r), Hint: "remove it"}
		}
		at += size
	}
	return nil
}

// bytePlace is a position in a file that may not be text.
func bytePlace(name string, content []byte, at int) fstore.Pos {
	before := content[:at]
	return fstore.Pos{File: name, Line: 1 + bytes.Count(before, []byte("\n")), Col: 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])}
}

// checkDepth reports a file that is nested too deep for the YAML parser.
func checkDepth(name string, content []byte) *Problem {
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

// checkItems reports a file that has too many items for the lexer.
func checkItems(name string, content []byte) *Problem {
	items := 0
	for at, c := range content {
		switch c {
		case '\n', ',', ':', '[', '{', '?':
			items++
		case '-':
			if at+1 < len(content) && content[at+1] == ' ' {
				items++
			}
		}
		if items > maxItems {
			return &Problem{Pos: bytePlace(name, content, at), Message: fmt.Sprintf("more than %d lines and values in one file", maxItems), Hint: "split it into several files"}
		}
	}
	return nil
}

// checkCounts reports too many documents in a file, or too many keys in a mapping.
func checkCounts(name string, tokens token.Tokens) *Problem {
	documents := 0
	var open []mapping // open mappings around the token, outermost first
	inner := func(column int) {
		for len(open) > 0 && !open[len(open)-1].flow && open[len(open)-1].column > column {
			open = open[:len(open)-1]
		}
	}
	for i, t := range tokens {
		switch t.Type {
		case token.DocumentHeaderType:
			if documents == 0 && i > 0 {
				documents++ // the first one has no header
			}
			documents, open = documents+1, nil
			if documents > maxDocuments {
				return tooMany(name, t, "documents in one file", maxDocuments)
			}
		case token.MappingStartType, token.SequenceStartType:
			open = append(open, mapping{flow: true})
		case token.MappingEndType, token.SequenceEndType:
			for len(open) > 0 && !open[len(open)-1].flow {
				open = open[:len(open)-1]
			}
			open = open[:max(0, len(open)-1)]
		case token.SequenceEntryType:
			inner(t.Position.Column)
		case token.MappingValueType:
			column := t.Position.Column
			if i > 0 {
				column = tokens[i-1].Position.Column // of the key
			}
			inner(column)
			if len(open) == 0 || !open[len(open)-1].flow && open[len(open)-1].column < column {
				open = append(open, mapping{column: column})
			}
			last := &open[len(open)-1]
			if last.keys++; last.keys > maxKeys {
				return tooMany(name, t, "keys in one mapping", maxKeys)
			}
		}
	}
	return nil
}

// mapping counts the keys of a YAML mapping. Block mappings are told apart by the column of their keys.
type mapping struct {
	flow         bool
	column, keys int
}

func tooMany(name string, t *token.Token, what string, bound int) *Problem {
	return &Problem{
		Pos:     fstore.Pos{File: name, Line: max(1, t.Position.Line), Col: max(1, t.Position.Column)},
		Message: fmt.Sprintf("more than %d %s", bound, what), Hint: "split it",
	}
}

// ParseYAML parses the text of a file. It accepts duplicate keys.
func ParseYAML(name string, content []byte) (*ast.File, *Problem) {
	if p := checkDepth(name, content); p != nil {
		return nil, p
	}
	if p := checkItems(name, content); p != nil {
		return nil, p
	}
	tokens := lexer.Tokenize(string(content))
	if p := checkCounts(name, tokens); p != nil {
		return nil, p
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err == nil {
		return file, nil
	}
	pos, message := fstore.Pos{File: name}, err.Error()
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		message = syntax.Message
		if t := syntax.Token; t != nil && t.Position != nil {
			pos.Line, pos.Col = max(1, t.Position.Line), max(1, t.Position.Column)
		}
	}
	line := ""
	if lines := strings.Split(string(content), "\n"); pos.Line > 0 && pos.Line <= len(lines) {
		line = lines[pos.Line-1]
	}
	return nil, &Problem{Pos: pos, Message: brief("not YAML: " + firstLine(message)), Hint: syntaxHint(message, line)}
}

// syntaxHint says how to fix an error for which the parser only says what is wrong.
func syntaxHint(message, line string) string {
	switch {
	case strings.Contains(line, "${"):
		return `a value with ${…} inside { } or [ ] needs quotes: "${DATA:-data}/x.parquet"`
	case strings.Contains(message, "'\t'"):
		return "indent YAML with spaces"
	case strings.Contains(message, "mapping value is not allowed"), strings.Contains(message, "reserved character"), strings.Contains(message, "unexpected directive"):
		return "quote the text, or fix its indentation"
	case strings.Contains(message, "could not find end character"), strings.Contains(message, "not found"), strings.Contains(message, "must be specified"):
		return "close the quote or bracket that opens here"
	}
	return ""
}
