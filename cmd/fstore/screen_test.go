package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	fstore "github.com/fstore-dev/fstore"
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
		s := newScreen(&out, nil)
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
		s := newScreen(&out, nil)
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
		a := &app{stdout: newScreen(&out, nil)}
		if err := a.printJSON(want); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got != want {
			t.Fatalf("%q came back as %q (%v)", want, got, err)
		}
	})
}

func TestACellIsOnOneLine(t *testing.T) {
	table := newTable("NAME", "DESCRIPTION")
	table.row("a\tb", "two\nlines\x1b[2J")
	var out bytes.Buffer
	if err := table.print(&out); err != nil {
		t.Fatal(err)
	}
	if want := "NAME  DESCRIPTION\na\\tb  two\\nlines\\u001b[2J\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}

// A store's URL may be mistyped. What could be a password is not printed, wherever it stands.
func TestMistypedURLsPrintNoPassword(t *testing.T) {
	for _, url := range []string{
		"redis:s3cr3t@host:6379/0", "redis:/:s3cr3t@host", "redis//:s3cr3t@host", "://:s3cr3t@host", "s3cr3t@host:6379",
		"redis://:s3cr3t", "redis://user:s3cr3t", "redis://user:s3cr3t/0", "redis:user:s3cr3t", "redis=//u:s3cr3t@h",
		"redis://host:6379?password=s3cr3t", "redis:host;password=s3cr3t", "redis://host/0&token=s3cr3t", "redis://s3cr3t@",
		"redis://user:p@s3cr3t@host", "redis://user:s3cr3t#x@host", "rediss:\\\\u:s3cr3t@h", "sqlite:x.db?key=s3cr3t", "redis ://u:s3cr3t@h",
	} {
		a := newApp(t, "project: shop\n", map[string]string{"FSTORE_ONLINE": url})
		s, err := a.settings(t)
		if err == nil {
			if shown := s.Online.String(); strings.Contains(shown, "s3cr3t") {
				t.Errorf("%s prints as %s", url, shown)
			}
			continue
		}
		a.fail(err)
		if out := a.stderr.(*screen).to.(*bytes.Buffer).String(); strings.Contains(out, "s3cr3t") {
			t.Errorf("%s: printed %s", url, out)
		}
	}
}

// Text from outside may have several lines. None of them begins as a message of fstore does.
func TestNoLineOfAMessageIsForged(t *testing.T) {
	a := newApp(t, "project: shop\n", nil)
	forged := fstore.Errorf(fstore.ErrInvalid, "no file x\nfstore: all is well").WithHint("try y\nhint: run it")
	a.fail(errors.Join(fmt.Errorf("read: %w", forged), errors.New("another")))
	got := a.stderr.(*screen).to.(*bytes.Buffer).String()
	const want = "fstore: read: no file x\n        fstore: all is well\nanother\nhint: try y\n        hint: run it\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
