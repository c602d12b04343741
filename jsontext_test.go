package fstore_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fstore-dev/fstore"
)

func TestCheckJSONRefusesWhatADecoderWouldReplace(t *testing.T) {
	for text, ok := range map[string]bool{
		`"\ud83d\ude00"`: true, `"😀"`: true, "\"\ufffd\"": true, `"\ufffd"`: true, `"\\ud800"`: true, `"\\\\ud800"`: true, `{"a":"\n\u0000"}`: true, ``: true,
		`"\ud800"`: false, `"\uD800"`: false, `"\udc00"`: false, `"\ud800x"`: false, `"\ud800\ud800"`: false, `"\ud800\u0041"`: false, `"\ude00\ud83d"`: false,
		`"\\\ud800"`: false, `{"\udfff":1}`: false, `["a","\ud83d\ude00\ud83d"]`: false,
		"\"\xff\"": false, "\"\xc3\"": false, "\"\xed\xa0\x80\"": false, "\"\xc0\x80\"": false, "{\"\x80\":1}": false,
	} {
		err := fstore.CheckJSON([]byte(text))
		if (err == nil) != ok || err != nil && !errors.Is(err, fstore.ErrInvalid) {
			t.Errorf("%q: got %v, want accepted %v", text, err, ok)
		}
	}
}

func TestTextAfterAJSONObjectIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{} {}`: `text follows the JSON object: "{}"`, `{"a":1}x`: `text follows the JSON object: "x"`, `{} null`: `text follows the JSON object: "null"`,
		`{}]`: `text follows the JSON object: "]"`, "{}\n": "", `{"a":{}} `: "",
	} {
		_, _, err := fstore.ParseObject([]byte(text))
		if (err == nil) != (want == "") || err != nil && (err.Error() != want || !errors.Is(err, fstore.ErrInvalid)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func TestACheckedValueNeverBecomesAnother(t *testing.T) {
	for _, raw := range []string{`"\ud800"`, "\"a\xff\""} {
		for _, typ := range []fstore.Type{fstore.String, fstore.List(fstore.String)} {
			c := fstore.NewColumn("k", typ, 0)
			text := raw
			if typ.IsList() {
				text = `["a",` + raw + `]`
			}
			if err := c.AppendParsed([]byte(text)); !errors.Is(err, fstore.ErrInvalid) || c.Len != 0 {
				t.Errorf("%s %q: got %v and %d rows", typ, text, err, c.Len)
			}
		}
	}
	c := fstore.NewColumn("k", fstore.String, 0)
	if err := c.AppendText("a\xff"); !errors.Is(err, fstore.ErrInvalid) || c.Len != 0 {
		t.Errorf("text that is not UTF-8: got %v and %d rows", err, c.Len)
	}
}

// FuzzText holds that text survives being written as JSON and read again, in any way that it may be written, or is
// refused: U+FFFD never comes out that did not go in.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "é", "\ufffd", "😀", "\xff", "\xed\xa0\x80", `\ud800`, `"\ud83d\ude00"`, `"\ud800"`, `"\\ud800\udc00"`, "\"\xff\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := fstore.NewColumn("k", fstore.String, 1)
		if err := c.AppendText(s); (err == nil) != utf8.ValidString(s) {
			t.Fatalf("%q: %v", s, err)
		} else if err == nil {
			if c.Strings[0] != s {
				t.Fatalf("%q became %q", s, c.Strings[0])
			}
			again := fstore.NewColumn("k", fstore.String, 1)
			if err := again.AppendParsed(c.AppendJSON(nil, 0)); err != nil || again.Strings[0] != s {
				t.Fatalf("%q became %q: %v", s, again.Strings, err)
			}
		}
		// the text as JSON that somebody sent
		sent := fstore.NewColumn("k", fstore.String, 1)
		if !json.Valid([]byte(s)) || sent.AppendParsed([]byte(s)) != nil || sent.IsNull(0) {
			return
		}
		var decoded string
		if err := json.Unmarshal([]byte(s), &decoded); err != nil || decoded != sent.Strings[0] {
			t.Fatalf("%q is %q: %v", s, sent.Strings[0], err)
		}
		got := strings.Count(decoded, "\ufffd")
		want := strings.Count(s, "\ufffd") + strings.Count(strings.ToLower(strings.ReplaceAll(s, `\\`, "")), `\ufffd`)
		if got != want {
			t.Fatalf("%q holds U+FFFD %d times, and its text %d times", s, want, got)
		}
	})
}
