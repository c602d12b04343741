package vector

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// numbers reads a list of floats.
func numbers(t *testing.T, text string) (out []float64) {
	t.Helper()
	for _, s := range strings.Fields(text) {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}

// The reductions never change a bit.
func TestGoldenBits(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]int{}
	for line := range strings.Lines(string(text)) {
		left, right, isCase := strings.Cut(strings.TrimSpace(line), " = ")
		if !isCase || strings.HasPrefix(line, "#") {
			continue
		}
		name, lists, _ := strings.Cut(left, " ")
		first, second, _ := strings.Cut(lists, ";")
		a, b, want := numbers(t, first), numbers(t, second), numbers(t, right)[0]
		lines[name]++
		got := Dot
		switch name {
		case "norm":
			got = func(a, _ []float64) float64 { return Norm(a) }
		case "cosine":
			got = Cosine
		}
		if x := got(a, b); math.Float64bits(x) != math.Float64bits(want) && (x == x || want == want) {
			t.Errorf("%s = %x, not %x", left, x, want)
		}
	}
	if lines["dot"] < 20 || lines["norm"] < 20 || lines["cosine"] < 20 {
		t.Errorf("there are %v", lines)
	}
}
