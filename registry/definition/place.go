package definition

import (
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fstore-dev/fstore"
)

// sourceText is the text of a YAML file, in which places within scalars are found.
type sourceText struct {
	text   string
	starts []int // the offset of each line
}

func newSourceText(text string) *sourceText {
	s := &sourceText{text: text, starts: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			s.starts = append(s.starts, i+1)
		}
	}
	return s
}

// offset returns the byte offset of a position, or -1.
func (s *sourceText) offset(p fstore.Pos) int {
	if p.Line < 1 || p.Line > len(s.starts) {
		return -1
	}
	at := s.starts[p.Line-1]
	for range p.Col - 1 {
		if at >= len(s.text) || s.text[at] == '\n' {
			return -1
		}
		_, size := utf8.DecodeRuneInString(s.text[at:])
		at += size
	}
	return at
}

func (s *sourceText) pos(file string, offset int) fstore.Pos {
	line := sort.SearchInts(s.starts, offset+1)
	return fstore.Pos{File: file, Line: line, Col: 1 + utf8.RuneCountInString(s.text[s.starts[line-1]:offset])}
}

// within returns the position in the file of a character of a text, by its line and column in the text: both count from 1,
// and columns count characters. It returns where the text begins if it cannot tell.
func (r *Repo) within(t Text, line, col int) fstore.Pos {
	file := r.yaml[t.Pos.File]
	if file == nil {
		return t.Pos
	}
	begin := file.offset(t.Pos)
	if begin < 0 {
		return t.Pos
	}
	places := r.expandedPlaces(t, file.text[begin:])
	i := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(t.Value[min(i, len(t.Value)):], '\n')
		if next < 0 {
			return t.Pos
		}
		i += next + 1
	}
	for ; col > 1 && i < len(t.Value); col-- {
		_, size := utf8.DecodeRuneInString(t.Value[i:])
		i += size
	}
	if i >= len(places) {
		return t.Pos
	}
	return file.pos(t.Pos.File, begin+places[i])
}

// expandedPlaces returns for each byte of a text, and for its end, where it stands in the YAML that begins with it. What
// replaces ${VAR} stands where the variable does. It returns nil if it cannot tell.
func (r *Repo) expandedPlaces(t Text, yaml string) []int {
	places := scalarPlaces(yaml, t.written)
	if places == nil || t.written == t.Value {
		return places
	}
	var out []int
	written := t.written
	for i := 0; i < len(written); {
		switch {
		case strings.HasPrefix(written[i:], "$${"):
			out = append(out, places[i+1], places[i+2])
			i += len("$${")
		case strings.HasPrefix(written[i:], "${"):
			end := strings.IndexByte(written[i:], '}')
			if end < 0 {
				return nil
			}
			value, err := fstore.Expand(written[i:i+end+1], r.lookup)
			if err != nil {
				return nil
			}
			for range len(value) {
				out = append(out, places[i])
			}
			i += end + 1
		default:
			out = append(out, places[i])
			i++
		}
	}
	if len(out) != len(t.Value) {
		return nil
	}
	return append(out, places[len(written)])
}

// scalarPlaces returns for each byte of a scalar, and for its end, its offset in the YAML that begins with the scalar. YAML
// folds and indents lines, so it matches all characters but white space, whose places are only near. It returns nil if the
// two do not match.
func scalarPlaces(yaml, scalar string) []int {
	style := yaml[:min(1, len(yaml))]
	at, end := 0, 0
	switch style {
	case "|", ">": // after the line of the header
		at = strings.IndexByte(yaml, '\n') + 1
		end = at
	case `'`, `"`:
		at, end = 1, 1
	}
	places := make([]int, 0, len(scalar)+1)
	for _, want := range scalar {
		if unicode.IsSpace(want) {
			places = appendTimes(places, end, utf8.RuneLen(want))
			continue
		}
		got, size := rune(0), 0
		for at += size; at < len(yaml); at += size {
			if got, size = scalarRune(yaml[at:], style); !unicode.IsSpace(got) {
				break
			}
		}
		if got != want || size == 0 {
			return nil
		}
		places = appendTimes(places, at, utf8.RuneLen(want))
		at += size
		end = at
	}
	return append(places, end)
}

func appendTimes(s []int, v, n int) []int {
	for range n {
		s = append(s, v)
	}
	return s
}

// scalarRune reads a character of a scalar as its style writes it.
func scalarRune(yaml, style string) (r rune, size int) {
	switch {
	case style == `'` && strings.HasPrefix(yaml, "''"):
		return '\'', 2
	case style == `"` && strings.HasPrefix(yaml, `\`) && len(yaml) > 1:
		return escaped(yaml)
	}
	return utf8.DecodeRuneInString(yaml)
}

// escaped reads an escape of a double-quoted scalar. White space is all the same to its caller.
func escaped(yaml string) (r rune, size int) {
	digits := 0
	switch c := yaml[1]; c {
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	case '"', '\\', '/':
		return rune(c), 2
	default:
		return ' ', 2
	}
	if len(yaml) < 2+digits {
		return utf8.RuneError, 2
	}
	n, err := strconv.ParseUint(yaml[2:2+digits], 16, 32)
	if err != nil {
		return utf8.RuneError, 2
	}
	return rune(n), 2 + digits
}
