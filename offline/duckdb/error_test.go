package duckdb

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseError(t *testing.T) {
	for text, want := range map[string]Error{
		`{"exception_type":"Binder","exception_message":"no x","position":"26"}`: {"Binder", "no x", 26},
		`Binder Error: {"exception_type":"Binder","exception_message":"no x"}`:   {"Binder", "no x", -1},
		"Parser Error: syntax error\n\nLINE 1: selec\n        ^":                 {"Parser", "syntax error", -1},
		"INTERRUPT Error: Interrupted!":                                          {"INTERRUPT", "Interrupted!", -1},
		"plain":                                                                  {"", "plain", -1},
		"":                                                                       {"", "", -1},
	} {
		if diff := cmp.Diff(want, *parseError(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func FuzzParseError(f *testing.F) {
	f.Add(`{"exception_type":"Binder","exception_message":"no x","position":"26"}`)
	f.Add("Parser Error: syntax error\n\nLINE 1: selec\n        ^")
	f.Fuzz(func(t *testing.T, text string) {
		if e := parseError(text); e.Offset < -1 {
			t.Errorf("offset %d", e.Offset)
		}
	})
}
