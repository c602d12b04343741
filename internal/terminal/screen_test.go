package terminal

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestWhatATerminalObeysIsEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"plain text\n\tand a tab":     "plain text\n\tand a tab",
		"Müller 東京 👍🏽":                "Müller 東京 👍🏽",
		"red \x1b[31m alert":          `red \u001b[31m alert`,
		"\x1b]0;title\x07":            `\u001b]0;title\u0007`,
		"\x1b]52;c;cm0=\x1b\\":        `\u001b]52;c;cm0=\u001b\`,
		"eight-bit \u009b31m":         `eight-bit \u009b31m`,
		"over\rwritten":               `over\u000dwritten`,
		"back\bspace, del\x7f":        `back\u0008space, del\u007f`,
		"right to left \u202egpj.exe": `right to left \u202egpj.exe`,
		"isolate \u2066x\u2069":       `isolate \u2066x\u2069`,
		"lines \u2028 \u2029":         `lines \u2028 \u2029`,
		"tag \U000e0041":              `tag \udb40\udc41`,
		"not UTF-8 \xff\xc3":          `not UTF-8 \xff\xc3`,
		"nul \x00":                    `nul \u0000`,
		"zero \u200bwidth \u00ad":     `zero \u200bwidth \u00ad`,
	} {
		var out bytes.Buffer
		s := NewScreen(&out, nil)
		if _, err := s.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil || out.String() != want {
			t.Errorf("%q prints as %q (%v), want %q", text, &out, err, want)
		}
	}
}

// However a text is cut into writes, the same is printed, and nothing in it gives the terminal an order.
func TestScreenPrintsTheSameHoweverItIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) })).Draw(t, "text")
		var out bytes.Buffer
		s := NewScreen(&out, nil)
		for rest := text; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "n")
			if _, err := s.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if want := printable(text); !bytes.Equal(out.Bytes(), want) {
			t.Fatalf("%q prints as %q, want %q", text, &out, want)
		}
		for _, r := range out.String() {
			if r != '\n' && r != '\t' && obeyed(r) || r == utf8.RuneError && !bytes.ContainsRune(text, r) {
				t.Fatalf("%q prints %q", text, r)
			}
		}
	})
}

// JSON that went through a screen means what it meant before.
func TestScreenKeepsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("a\u009b\x7f\u202e\U000e0041\u2028\x1b\n")))).Draw(t, "text")
		var out bytes.Buffer
		if err := PrintJSON(NewScreen(&out, nil), want); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got != want {
			t.Fatalf("%q came back as %q (%v)", want, got, err)
		}
	})
}

func TestACellIsOnOneLine(t *testing.T) {
	table := NewTable("NAME", "DESCRIPTION")
	table.Row("a\tb", "two\nlines\x1b[2J")
	var out bytes.Buffer
	if err := table.Print(&out); err != nil {
		t.Fatal(err)
	}
	if want := "NAME  DESCRIPTION\na\\tb  two\\nlines\\u001b[2J\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}

// Progress is a line that is written over: of a share without amounts, of amounts with a share where the whole is known.
func TestProgress(t *testing.T) {
	now := time.Unix(0, 0)
	var out bytes.Buffer
	p := &Progress{out: NewScreen(&out, nil), now: func() time.Time { now = now.Add(time.Second); return now }}
	p.Percent("join", 0.256)
	p.Show("customer_orders@1 compute", 1200, 0)
	p.Show("write", 1, 4)
	p.Clear()
	const start = "\r\x1b[K"
	if want := start + "join   26%" + start + "customer_orders@1 compute  1,200" + start + "write   25%  1 of 4" + start; out.String() != want {
		t.Errorf("%q", out.String())
	}
	(&Progress{now: p.now}).Percent("nowhere", 1) // no terminal: no line
}
