package report

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore/monitor/drift"
	"github.com/fstore-dev/fstore/monitor/performance"
)

// judgedRows returns a judgement of two sides, the current one over eight weeks, one of which has too few rows.
func judgedRows(t testing.TB, task performance.Task) *performance.Result {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 7))
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	side := func(worse float64) *performance.Rows {
		rows := performance.NewRows(drift.Week)
		for week := range 8 {
			n := 400
			if week == 5 {
				n = 50
			}
			for range n {
				score := random.Float64()
				label := 0.0
				if random.Float64() < score*(1-worse*float64(week)/8) {
					label = 1
				}
				if task == performance.Regression {
					label = score*100 + random.NormFloat64()
				}
				rows.Add(monday.AddDate(0, 0, 7*week).UnixMicro(), label, score)
			}
		}
		return rows
	}
	r, err := performance.Judge(side(0.8), side(0), performance.Options{Task: task, Threshold: 0.5, MinRows: 200, By: drift.Week})
	if err != nil {
		t.Fatal(err)
	}
	r.Label, r.Prediction, r.Current.Name, r.Reference.Name = "churned", "score", "churn_served", "churn_2025"
	return r
}

func writePerformance(t testing.TB, r *performance.Result) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := WritePerformance(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The page has a line over time for each metric, both calibration curves, and says what is too few.
func TestThePageOfPerformance(t *testing.T) {
	t.Parallel()
	page := string(writePerformance(t, judgedRows(t, performance.Binary)))
	for _, want := range []string{"AUC by week", "Log loss by week", `class="curve"`, `class="o"`, "too few", "Dashed: the reference, ", "2026-03-02"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	page = string(writePerformance(t, judgedRows(t, performance.Regression)))
	if !strings.Contains(page, "RMSE by week") || strings.Contains(page, "Calibration") || strings.Contains(page, "AUC") {
		t.Error("the page of amounts has other metrics")
	}
}

// Whatever the texts from outside are, the page has the same elements, none of which loads or runs anything.
func TestTextsInThePageOfPerformanceAreOnlyText(t *testing.T) {
	t.Parallel()
	poisoned := func(s string) []byte {
		r := judgedRows(t, performance.Binary)
		r.Label, r.Prediction, r.Current.Name, r.Current.File, r.By = s, s, s, s, s
		return writePerformance(t, r)
	}
	want := elements(t, poisoned("harmless"))
	for _, s := range hostile {
		if d := cmp.Diff(want, elements(t, poisoned(s))); d != "" {
			t.Errorf("%.40q changes the page (-harmless +hostile):\n%s", s, d)
		}
	}
}

// axe-core finds nothing to complain about in it, and nothing sticks out.
func TestThePageOfPerformanceIsAccessible(t *testing.T) {
	b := openBrowser(t)
	file := filepath.Join(t.TempDir(), "performance.html")
	for _, task := range []performance.Task{performance.Binary, performance.Regression} {
		if err := os.WriteFile(file, writePerformance(t, judgedRows(t, task)), 0o600); err != nil {
			t.Fatal(err)
		}
		accessible(t, b, file)
		keep(t, "performance-"+string(task)+".png", b.picture(0))
	}
}
