package fstore

import "testing"

func TestExpand(t *testing.T) {
	env := map[string]string{"DATA": "/d", "EMPTY": ""}
	lookup := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
	for in, want := range map[string]string{
		"plain":                     "plain",
		"${DATA}/x":                 "/d/x",
		"${NONE:-data}/lines/*.pq":  "data/lines/*.pq",
		"${EMPTY:-e}":               "e",
		"$5 and $ and $${DATA} end": "$5 and $ and ${DATA} end",
		"${NONE:-}":                 "",
	} {
		if got, err := Expand(in, lookup); err != nil || got != want {
			t.Errorf("Expand(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"${NONE}", "${EMPTY}", "${", "${}", "${1A}", "${A-b}"} {
		if got, err := Expand(in, lookup); err == nil {
			t.Errorf("Expand(%q) = %q, want an error", in, got)
		}
	}
}
