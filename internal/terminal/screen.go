// Package terminal prints for people: tables, progress, and text without control sequences.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
)

// Screen is what every command prints to, for stdout and stderr. Descriptions, keys, paths and messages of other
// programs come from outside, and a terminal obeys some of their characters. Screen writes those characters as \u
// escapes, which JSON reads back as the same text, and bytes that are not UTF-8 as \x escapes. Only Paint and Erase
// send control sequences.
//
// On stderr, passwords are masked too. On stdout they are not, because a short password could then change results. So
// a caller that prints a message to stdout masks it.
type Screen struct {
	to      io.Writer
	mask    func(string) string // nil: no masking
	partial []byte              // the beginning of an incomplete character
}

// NewScreen returns a screen that writes to a stream; mask may be nil.
func NewScreen(to io.Writer, mask func(string) string) *Screen { return &Screen{to: to, mask: mask} }

// Write implements io.Writer. A character may be split across several writes. Close writes an incomplete one.
func (s *Screen) Write(b []byte) (int, error) {
	text := append(s.partial, b...)
	if s.mask != nil {
		text = []byte(s.mask(string(text)))
	}
	whole := len(text) - unfinished(text)
	s.partial = append([]byte(nil), text[whole:]...)
	if _, err := s.to.Write(printable(text[:whole])); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close writes the beginning of a character that was never completed.
func (s *Screen) Close() error {
	if len(s.partial) == 0 {
		return nil
	}
	_, err := s.to.Write(printable(s.partial))
	s.partial = nil
	return err
}

// Paint writes a text in a color.
func (s *Screen) Paint(color, text string) {
	fmt.Fprintf(s.to, "\x1b[%sm%s\x1b[0m", color, printable([]byte(text)))
}

// Erase moves to the beginning of the line and clears it.
func (s *Screen) Erase() { _, _ = io.WriteString(s.to, "\r\x1b[K") }

// unfinished counts the bytes of an incomplete character at the end of a text.
func unfinished(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if b := text[len(text)-n]; utf8.RuneStart(b) {
			if !utf8.FullRune(text[len(text)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// printable escapes every character that a terminal may obey or hide. Newlines and tabs stay.
func printable(text []byte) []byte {
	if isPlain(text) {
		return text
	}
	var out []byte
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			out = fmt.Appendf(out, `\x%02x`, text[0])
		case r == '\n', r == '\t', !obeyed(r):
			out = append(out, text[:size]...)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		}
		text = text[size:]
	}
	return out
}

func isPlain(text []byte) bool {
	for _, b := range text {
		if (b < ' ' && b != '\n' && b != '\t') || b > '~' {
			return false
		}
	}
	return true
}

// obeyed reports whether a terminal may obey a character instead of showing it: control characters, direction marks,
// line separators, and invisible characters. Joiners stay: scripts and emoji need them.
func obeyed(r rune) bool {
	switch {
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
		return true
	case r == '\u2028', r == '\u2029', r == '\ufeff', r >= 0xe0000 && r <= 0xe007f:
		return true
	case r == '\u00ad', r == '\u200b', r >= '\u2060' && r <= '\u2064':
		return true
	}
	return false
}

// Indented indents all lines of a text but the first, so that no text from outside can begin a line like a message of
// fstore.
func Indented(s string) string { return strings.ReplaceAll(s, "\n", "\n        ") }

// InCell returns a text for a cell of a table, on one line.
func InCell(s string) string {
	return string(printable([]byte(strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(s))))
}

// IsTerminal reports whether a stream, or the stream of a screen, is a terminal.
func IsTerminal(stream any) bool {
	if s, ok := stream.(*Screen); ok {
		stream = s.to
	}
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
