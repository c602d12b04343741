package servedlog

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online/answers"
)

// BenchmarkCost measures what the log costs an answer, as processor time of everything that it leads to: the decision, the copy,
// the stream and the sealed file. The shares take turns, and the result is the median of the rounds.
func BenchmarkCost(b *testing.B) {
	rounds := 9
	if testing.Short() {
		rounds = 1
	}
	for _, rows := range []int{1, 100} {
		for _, by := range []By{ByRequest, ByKey} {
			b.Run(fmt.Sprintf("%dx50/%s", rows, by), func(b *testing.B) {
				shares := []float64{0, 0.01, 1}
				took := make([][]float64, len(shares))
				for b.Loop() {
					for range rounds {
						for i, share := range shares {
							n := 200_000
							if share == 1 {
								n = max(n/rows, 5000)
							}
							took[i] = append(took[i], cost(b, rows, share, by, n))
						}
					}
				}
				for i, share := range shares {
					slices.Sort(took[i])
					b.ReportMetric(took[i][len(took[i])/2], fmt.Sprintf("cpu-µs/answer-at-%g%%", 100*share))
				}
			})
		}
	}
}

// cost returns the processor time in µs that an answer of so many rows and 50 features takes.
func cost(b *testing.B, rows int, share float64, by By, n int) float64 {
	w := newWorld(b, func(o *Options) { o.Sample, o.By = share, by })
	var features []fstore.Feature
	for f := range 50 {
		features = append(features, fstore.Feature{Name: fmt.Sprintf("f%02d", f), Type: fstore.Float64})
	}
	plan := w.Plan(listOf("wide", features...), nil, answers.Builds{})
	s := served(make([]int64, rows)...)
	s.Answer.Features = nil
	for f := range features {
		c := fstore.NewColumn("", fstore.Float64, rows)
		for row := range rows {
			c.AppendFloat64(float64(f*row) / 7)
		}
		s.Answer.Features = append(s.Answer.Features, answers.Feature{Column: c})
	}
	before := processorTime(b)
	for i := range n {
		for row := range rows {
			s.Columns[0].Int64s[row] = int64(i*rows + row)
		}
		w.Add(plan, s)
		if i%100 == 99 {
			for len(w.queue) > 0 {
				w.writer.add(<-w.queue)
			}
		}
	}
	w.end()
	took := processorTime(b) - before
	if w.Dropped() > 0 || share == 1 && w.Rows() != int64(n*rows) {
		b.Fatalf("%d rows written, %d dropped\n%s", w.Rows(), w.Dropped(), w.said)
	}
	return float64(took.Nanoseconds()) / 1e3 / float64(n)
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
