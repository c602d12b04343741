package usage

import (
	"strings"
	"testing"

	fstore "github.com/fstore-dev/fstore"
)

// -e a=1 -e b=2 is two rows where one was meant.
func TestOneRowInSeveralFlags(t *testing.T) {
	for _, c := range []struct{ flags, want string }{
		{"a=1 b=2", "a=1,b=2"},
		{"a=1 b=2 a=3 b=4", "a=1,b=2"},
		{"a=1 b=2 c=x", "a=1,b=2,c=x"},
		{"b=1 b=2 a=3", "b=1,a=3"},
		{"a=1 a=2", ""},
		{"a=1", ""},
		{"a=1,b=2 a=3,b=4", ""},
		{`{"a":1} {"b":2}`, ""},
		{"a=1,b=2 a=3", ""},
		{"", ""},
		{"a b", ""},
	} {
		err := SplitRow(strings.Fields(c.flags))
		hint := ""
		if e, ok := err.(*fstore.Error); ok {
			hint = strings.TrimPrefix(e.Hint, "for one row write --entity ")
		}
		if hint != c.want {
			t.Errorf("%q: got %q, want %q (%v)", c.flags, hint, c.want, err)
		}
	}
}
