package fstore

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// CheckJSON returns ErrInvalid unless JSON text is UTF-8 and its \u escapes are characters. encoding/json replaces
// invalid UTF-8, and halves of surrogate pairs such as \ud800, by U+FFFD, so that two different texts become equal.
// All JSON from outside must pass this check before it is decoded.
//
// CheckJSON does not check that the text is JSON: the decoder does.
func CheckJSON(text []byte) error {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\\':
			size, ok := escapeSize(text[i:])
			if !ok {
				return Errorf(ErrInvalid, "byte %d: %s is half of a surrogate pair, not a character", i+1, text[i:i+size]).
					WithHint(`write the character itself, or both halves: \ud83d\ude00`)
			}
			i += size
		case c < utf8.RuneSelf:
			i++
		default:
			r, size := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && size == 1 {
				return Errorf(ErrInvalid, "byte %d: 0x%02x is not UTF-8", i+1, c).WithHint("write the text in UTF-8")
			}
			i += size
		}
	}
	return nil
}

// escapeSize returns how many bytes the escape at the start of text has, and false if it is half of a surrogate pair.
func escapeSize(text []byte) (size int, ok bool) {
	first, isUnicode := unicodeEscape(text)
	if !isUnicode {
		return min(2, len(text)), true // \n and the like; the decoder refuses others
	}
	if !utf16.IsSurrogate(first) {
		return 6, true
	}
	second, _ := unicodeEscape(text[6:])
	if utf16.DecodeRune(first, second) == utf8.RuneError {
		return 6, false
	}
	return 12, true
}

// unicodeEscape reads the four digits of \uXXXX.
func unicodeEscape(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}

// checkText returns an error unless text is UTF-8.
func checkText(text string) error {
	if !utf8.ValidString(text) {
		return Errorf(ErrInvalid, "%q is not UTF-8", text)
	}
	return nil
}

// ParseObject returns the members of a JSON object, and their names in order. It returns ErrInvalid for text that
// CheckJSON refuses, and for duplicate names, of which encoding/json would keep the last.
func ParseObject(raw json.RawMessage) (values map[string]json.RawMessage, names []string, err error) {
	if err := CheckJSON(raw); err != nil {
		return nil, nil, err
	}
	in := json.NewDecoder(bytes.NewReader(raw))
	bad := func(err error) error {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Errorf(ErrInvalid, "not a JSON object: %v", err)
	}
	begin, err := in.Token()
	if err != nil {
		return nil, nil, bad(err)
	}
	if begin != json.Delim('{') {
		return nil, nil, Errorf(ErrInvalid, "%.100s is not a JSON object", raw)
	}
	values = map[string]json.RawMessage{}
	for in.More() {
		token, err := in.Token()
		if err != nil {
			return nil, nil, bad(err)
		}
		name, _ := token.(string)
		if _, twice := values[name]; twice {
			return nil, nil, Errorf(ErrInvalid, "%s is given twice", name)
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return nil, nil, bad(err)
		}
		values[name], names = value, append(names, name)
	}
	if _, err := in.Token(); err != nil {
		return nil, nil, bad(err)
	}
	if rest := bytes.TrimSpace(raw[in.InputOffset():]); len(rest) > 0 {
		return nil, nil, Errorf(ErrInvalid, "text follows the JSON object: %.100q", rest)
	}
	return values, names, nil
}
