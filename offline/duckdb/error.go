package duckdb

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Error is a failure as DuckDB reports it.
type Error struct {
	Type    string // DuckDB's class of exception, such as Binder or Conversion; empty if not known
	Message string
	Offset  int // byte offset into the statement; -1 if not known
}

func (e *Error) Error() string {
	if e.Type == "" {
		return e.Message
	}
	return strings.ToLower(e.Type) + " error: " + e.Message
}

// parseError reads the text of an error: JSON, as errors_as_json writes it, perhaps after the class, or plain text with the
// place marked below a line.
func parseError(text string) *Error {
	if i := strings.IndexByte(text, '{'); i >= 0 {
		var e struct {
			Type     string `json:"exception_type"`
			Message  string `json:"exception_message"`
			Position string `json:"position"`
		}
		if json.Unmarshal([]byte(text[i:]), &e) == nil && e.Message != "" {
			return &Error{Type: e.Type, Message: e.Message, Offset: offset(e.Position)}
		}
	}
	message, _, _ := strings.Cut(text, "\n\nLINE ")
	kind, rest, found := strings.Cut(message, " Error: ")
	if !found || strings.ContainsAny(kind, ":\n") {
		kind, rest = "", message
	}
	return &Error{Type: kind, Message: strings.TrimSpace(rest), Offset: -1}
}

func offset(position string) int {
	n, err := strconv.Atoi(position)
	if err != nil || n < 0 {
		return -1
	}
	return n
}
