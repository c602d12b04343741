package mathx

import (
	"flag"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the results into testdata/golden.txt")

// call calls a function by its name.
func call(name string, a []float64) float64 {
	switch name {
	case "exp":
		return Exp(a[0])
	case "log":
		return Log(a[0])
	case "sin":
		return Sin(a[0])
	case "cos":
		return Cos(a[0])
	case "asin":
		return Asin(a[0])
	case "haversine_km":
		return HaversineKm(a[0], a[1], a[2], a[3])
	default:
		return Pow(a[0], a[1])
	}
}

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

// near reports whether a result is within one unit in the last place of the reference, or the distance of two points within
// a tenth of a millimetre, whatever the rounding of their angles.
func near(name string, got, reference float64) bool {
	if name == "haversine_km" {
		return same(got, reference) || math.Abs(got-reference) < 1e-7
	}
	return same(got, reference) || math.Abs(got-reference) < 1e-28 && got != 0 ||
		math.Abs(float64(int64(math.Float64bits(got))-int64(math.Float64bits(reference)))) <= 1
}

// The results never change, and are near those of another library.
func TestGoldenBits(t *testing.T) {
	const path = "testdata/golden.txt"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			out.WriteString(line)
			continue
		}
		left, right, _ := strings.Cut(strings.TrimSpace(line), " = ")
		name, args, _ := strings.Cut(left, " ")
		results := numbers(t, right)
		got, want, reference := call(name, numbers(t, args)), results[0], results[1]
		if !*update && !same(got, want) {
			t.Errorf("%s = %x, not %x", left, got, want)
		}
		if !near(name, got, reference) {
			t.Errorf("%s = %x; the nearest is %x", left, got, reference)
		}
		out.WriteString(left + " = " + strconv.FormatFloat(got, 'x', -1, 64) + " " + strings.Fields(right)[1] + "\n")
	}
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func same(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b }

func TestHaversineKm(t *testing.T) {
	for _, test := range []struct {
		lat1, lon1, lat2, lon2, want float64
	}{
		{0, 0, 0, 0, 0},
		{0, 0, 0, 90, EarthRadius * math.Pi / 2},
		{90, 0, -90, 0, EarthRadius * math.Pi},
		{0, -179, 0, 181, 0},
		{52.5, 13.4, 52.5, 13.4 + 720, 0},
		{28.6139, 77.2090, 19.0760, 72.8777, 1148.11},
	} {
		got := HaversineKm(test.lat1, test.lon1, test.lat2, test.lon2)
		if math.Abs(got-test.want) > 0.02 {
			t.Errorf("%v: got %v", test, got)
		}
		if back := HaversineKm(test.lat2, test.lon2, test.lat1, test.lon1); math.Abs(got-back) > 1e-9 {
			t.Errorf("%v: %v there, %v back", test, got, back)
		}
	}
	if got := HaversineKm(0, math.Inf(1), 0, 0); got == got {
		t.Errorf("to infinity it is %v km", got)
	}
}
