package offline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
)

// The benchmarks run beside the limit of the same run: what bare DuckDB queries take for the same bytes. The
// rows of a view and the labels are set by FSTORE_BENCH_ROWS and FSTORE_BENCH_LABELS.

func size(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// benchRepo writes the history of 200 000 keys and labels.
func benchRepo(b *testing.B) *repo {
	b.Helper()
	return benchRepoOf(b, size("FSTORE_BENCH_ROWS", 10_000_000), size("FSTORE_BENCH_LABELS", 1_000_000))
}

// emptyBenchRepo opens an engine over an empty folder.
func emptyBenchRepo(b *testing.B) *repo {
	b.Helper()
	dir := b.TempDir()
	e, err := Open(Options{Dir: dir, TempDir: filepath.Join(dir, "tmp")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	return &repo{b, e, dir}
}

func benchRepoOf(b *testing.B, rows, labels int) *repo {
	b.Helper()
	r := emptyBenchRepo(b)
	year := "make_timestamp(1300000000000000 + (hash(i + %d) %% 31536000)::BIGINT * 1000000)"
	event := fmt.Sprintf(year, 7)
	r.write("s.parquet", "SELECT (hash(i) % 200000)::BIGINT AS k, "+event+" AS event, "+event+" + to_seconds((hash(i * 3) % 86400)::BIGINT) AS created, "+
		"random() AS f1, random() AS f2, random() AS f3, (random() * 1000)::BIGINT AS f4, random() AS f5 FROM range("+strconv.Itoa(rows)+") t(i)")
	r.write("l.parquet", "SELECT (hash(i * 13) % 200000)::BIGINT AS k, "+fmt.Sprintf(year, 99)+" AS t, i AS n FROM range("+strconv.Itoa(labels)+") t(i)")
	return r
}

var benchFeatures = []string{"f1 float64", "f2 float64", "f3 float64", "f4 int64", "f5 float64"}

func BenchmarkTrainingSet(b *testing.B) {
	r := benchRepo(b)
	src := source_("s.parquet")
	plain := view(src, []string{"k int64"}, benchFeatures)
	src.Created, src.Available = "created", fstore.Available{Created: true}
	created := view(src, []string{"k int64"}, benchFeatures)
	b.Run("limit", func(b *testing.B) {
		for b.Loop() {
			r.run(b, "COPY (SELECT l.*, f1, f2, f3, f4, f5 FROM "+text(r.dir+"/l.parquet")+" l ASOF LEFT JOIN "+text(r.dir+"/s.parquet")+
				" s ON l.k = s.k AND l.t >= s.event) TO "+text(r.dir+"/limit.parquet")+" (FORMAT parquet)")
		}
	})
	for name, v := range map[string]*fstore.ViewVersion{"plain": plain, "created": created} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				req := r.request("l.parquet", all(v))
				req.Clock = time.Now
				s, err := r.e.TrainingSet(context.Background(), req)
				if err != nil {
					b.Fatal(err)
				}
				for _, stage := range s.Seconds {
					b.ReportMetric(stage.Seconds, strings.ReplaceAll(stage.Stage, " ", "-")+"-s")
				}
			}
		})
	}
}

// BenchmarkTrainingSetOfThreeViews joins as many labels as a view has rows, with 4 GB, beside three bare ASOF joins
// with as much. The goal is twice their time for join and write, and a peak of memory below 5 GB.
func BenchmarkTrainingSetOfThreeViews(b *testing.B) {
	r := benchRepo(b)
	const limit = "4GB"
	r.write("many.parquet", "SELECT (hash(i * 13) % 200000)::BIGINT AS k, make_timestamp(1300000000000000 + (hash(i + 99) % 31536000)::BIGINT * 1000000) AS t, i AS n FROM range("+
		strconv.Itoa(size("FSTORE_BENCH_ROWS", 10_000_000))+") t(i)")
	e, err := Open(Options{Dir: r.dir, TempDir: filepath.Join(r.dir, "tmp"), MemoryLimit: limit})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	many := &repo{b, e, r.dir}
	var views []*fstore.ViewVersion
	for i := range 3 {
		v := view(source_("s.parquet"), []string{"k int64"}, benchFeatures)
		v.Ref.Name, v.View.Name = fmt.Sprint("v", i), fmt.Sprint("v", i)
		views = append(views, v)
	}
	list := all(views...)
	for i, o := range list.Outputs {
		f := o.(fstore.FeatureOutput)
		f.As = fmt.Sprintf("v%d_%s", f.Use, f.Feature)
		list.Outputs[i] = f
	}
	for b.Loop() {
		columns, joins := "l.*", ""
		for i := range views {
			for _, f := range views[i].View.Features {
				columns += fmt.Sprintf(", s%d.%s AS v%d_%s", i, f.Name, i, f.Name)
			}
			joins += fmt.Sprintf(" ASOF LEFT JOIN %s s%d ON l.k = s%d.k AND l.t >= s%d.event", text(r.dir+"/s.parquet"), i, i, i)
		}
		began := time.Now()
		many.run(b, "COPY (SELECT "+columns+" FROM "+text(r.dir+"/many.parquet")+" l"+joins+") TO "+text(r.dir+"/limit.parquet")+" (FORMAT parquet)")
		bare := time.Since(began).Seconds()
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200); err != nil { // the peak is to be ours; see proc(5)
			b.Fatal(err)
		}
		req := many.request("many.parquet", list)
		req.Clock = time.Now
		s, err := e.TrainingSet(context.Background(), req)
		if err != nil {
			b.Fatal(err)
		}
		reportJoin(b, s, bare)
		b.ReportMetric(peakMB(b), "peak-MB")
	}
	b.ReportMetric(0, "ns/op")
}

// reportJoin reports the stages of a training set, and how join and write compare with the seconds of a bare query.
func reportJoin(b *testing.B, s *TrainingSummary, bare float64) {
	b.Helper()
	joined := 0.0
	for _, stage := range s.Seconds {
		b.ReportMetric(stage.Seconds, strings.ReplaceAll(stage.Stage, " ", "-")+"-s")
		if stage.Stage == "join" || stage.Stage == "write" {
			joined += stage.Seconds
		}
	}
	b.ReportMetric(bare, "limit-s")
	b.ReportMetric(joined/bare, "x_of_limit")
}

// peakMB returns the greatest resident memory of this process since it was last cleared.
func peakMB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, _, _ := strings.Cut(rest, " kB")
	n, err := strconv.ParseFloat(strings.TrimSpace(kilobytes), 64)
	if err != nil {
		b.Fatal(err)
	}
	return n / 1024
}

func BenchmarkAsOf(b *testing.B) {
	r := benchRepo(b)
	v := view(source_("s.parquet"), []string{"k int64"}, benchFeatures)
	p := time.Date(2011, 12, 1, 0, 0, 0, 0, time.UTC)
	b.Run("limit", func(b *testing.B) {
		for b.Loop() {
			r.run(b, "SELECT k, max(event), max_by(f1, event), max_by(f2, event), max_by(f3, event), max_by(f4, event), max_by(f5, event) FROM "+
				text(r.dir+"/s.parquet")+" WHERE event <= "+instant(p)+" GROUP BY k ORDER BY k")
		}
	})
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			for _, err := range r.e.AsOf(context.Background(), v, p) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// run runs a bare statement.
func (r *repo) run(b *testing.B, sql string) {
	b.Helper()
	s, err := r.e.session(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	if err := s.exec(context.Background(), sql); err != nil {
		b.Fatal(err)
	}
}
