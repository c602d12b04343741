package report

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/monitor/drift"
)

// The most characters of a name, a category or a path in a report, and of a sentence about a feature.
const (
	longestText     = 120
	longestSentence = 400
)

const (
	none = "–"       // in place of a number that is not there
	unit = "\u00a0%" // of a share: it stays beside its number
)

// text makes a text from outside fit to print: one line, no invisible characters, no characters that turn the direction of others, and
// not too long.
func text(s string) string { return cut(s, longestText) }

func cut(s string, longest int) string {
	if n := utf8.RuneCountInString(s); n > longest {
		s = string([]rune(s)[:longest]) + "… (" + english.Count(n, "character") + ")"
	}
	return terminal.InCell(s)
}

// short writes a number with four significant digits: 1,234, 12.35, 0.0001234, 1.235e+09.
func short(x float64) string {
	switch a := math.Abs(x); {
	case a != 0 && a < 1e-4, a >= 1e9:
		return strconv.FormatFloat(x, 'g', 4, 64)
	case a >= 1000:
		return english.Thousands(int64(math.Round(x)))
	}
	return strconv.FormatFloat(rounded(x, 4), 'f', -1, 64)
}

// rounded rounds to significant digits.
func rounded(x float64, digits int) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', digits, 64), 64)
	if err != nil {
		return x
	}
	return y
}

// score writes a score with three decimals, so that scores line up: 0.043, 1.270.
func score(x float64) string {
	switch {
	case x >= 1000:
		return english.Thousands(int64(math.Round(x)))
	case x > 0 && x < 0.001:
		return "<0.001"
	}
	return strconv.FormatFloat(x, 'f', 3, 64)
}

// percent writes a share of rows. A share that is there is never written as 0 %, and one that lacks something never as 100 %.
func percent(share float64) string {
	switch p := share * 100; {
	case p == 0, p == 100:
		return strconv.Itoa(int(p)) + unit
	case p < 0.1:
		return "<0.1" + unit
	case p > 99.9:
		return ">99.9" + unit
	default:
		return strconv.FormatFloat(p, 'f', 1, 64) + unit
	}
}

// limit writes a threshold as it was stated: 0.1, 1 %.
func limit(name drift.CheckName, x float64) string {
	if isShare(name) {
		return short(100*x) + unit
	}
	return short(x)
}

// ratio is n of rows, 0 of no rows.
func ratio(n, rows int64) float64 {
	if rows == 0 {
		return 0
	}
	return float64(n) / float64(rows)
}

// valueOf writes a value of a feature: an age as a length of time, everything else as a number.
func valueOf(m drift.Measure, x float64) string {
	if m != drift.Age {
		return short(x)
	}
	sign := ""
	if x < 0 {
		sign, x = "−", -x
	}
	if x > math.MaxInt64/1e9 {
		return sign + short(x) + " s"
	}
	return sign + english.Span(time.Duration(x*1e9))
}

// instant writes an instant as short as it can be: a day without its time if that is 00:00.
func instant(t time.Time) string {
	switch t = t.UTC(); {
	case t.IsZero():
		return ""
	case t.Equal(t.Truncate(24 * time.Hour)):
		return t.Format("2006-01-02")
	case t.Equal(t.Truncate(time.Minute)):
		return t.Format("2006-01-02 15:04 UTC")
	}
	return t.Format("2006-01-02 15:04:05.999999 UTC")
}

// verdictWords has the mark and the words of each verdict, and the class under which the style knows it.
var verdictWords = map[drift.Verdict]struct{ class, mark, word string }{
	drift.Drifted:     {"drifted", "▲", "Drifted"},
	drift.NotCompared: {"missing", "×", "Not compared"},
	drift.TooFew:      {"few", "○", "Too few rows"},
	drift.Stable:      {"stable", "✓", "Stable"},
}

// measureNames are the names of the scores.
var measureNames = map[drift.CheckName]string{
	drift.CheckNullRate:    "Change of missing",
	drift.CheckUnseen:      "Unseen values",
	drift.CheckOutOfRange:  "Out of range",
	drift.CheckWasserstein: "Wasserstein",
	drift.CheckPSI:         "PSI",
	drift.CheckJS:          "Jensen-Shannon",
	drift.CheckKS:          "KS",
	drift.CheckCosine:      "Direction",
}
