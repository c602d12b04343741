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

func wideColumns(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", random() AS f%d", i)
	}
	return b.String()
}

func BenchmarkWide(b *testing.B) {
	const rows = 10_000
	sizes := []int{500, 1000}
	if s := os.Getenv("SIZES"); s != "" {
		sizes = nil
		for _, x := range strings.Split(s, ",") {
			n, _ := strconv.Atoi(x)
			sizes = append(sizes, n)
		}
	}
	for _, n := range sizes {
		for _, kind := range []string{"features", "labels"} {
			b.Run(fmt.Sprintf("%s=%d", kind, n), func(b *testing.B) {
				dir := b.TempDir()
				e, err := Open(Options{Dir: dir, TempDir: filepath.Join(dir, "tmp")})
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
				r := &repo{b, e, dir}
				wide, narrow := "s", "l"
				if kind == "labels" {
					wide, narrow = "l", "s"
				}
				time_ := map[string]string{"s": "event", "l": "t"}
				at := "make_timestamp(1300000000000000 + (hash(i + 99) % 31536000)::BIGINT * 1000000)"
				r.write(wide+".parquet", "SELECT (i % 1000)::BIGINT AS k, "+at+" AS "+time_[wide]+wideColumns(n)+" FROM range("+strconv.Itoa(rows)+") t(i)")
				r.write(narrow+".parquet", "SELECT (i % 1000)::BIGINT AS k, "+at+" AS "+time_[narrow]+", i AS x FROM range("+strconv.Itoa(rows)+") t(i)")
				features := []string{"x int64"}
				if kind == "features" {
					features = nil
					for i := range n {
						features = append(features, fmt.Sprintf("f%d float64", i))
					}
				}
				v := view(source_("s.parquet"), []string{"k int64"}, features)
				for b.Loop() {
					began := time.Now()
					sel := "s." + strings.Join(func() (o []string) {
						for _, f := range v.View.Features {
							o = append(o, f.Name)
						}
						return
					}(), ", s.")
					r.run(b, "COPY (SELECT l.*, "+sel+" FROM "+text(r.dir+"/l.parquet")+" l ASOF LEFT JOIN "+text(r.dir+"/s.parquet")+
						" s ON l.k = s.k AND l.t >= s.event) TO "+text(r.dir+"/limit.parquet")+" (FORMAT parquet, COMPRESSION snappy)")
					b.ReportMetric(time.Since(began).Seconds(), "limit-s")
					began = time.Now()
					w := wide
					r.run(b, "COPY (SELECT * FROM "+text(r.dir+"/"+w+".parquet")+") TO "+text(r.dir+"/limit.parquet")+" (FORMAT parquet, COMPRESSION snappy)")
					b.ReportMetric(time.Since(began).Seconds(), "copy-s")
					req := r.request("l.parquet", all(v))
					req.Clock = time.Now
					began = time.Now()
					s, err := r.e.TrainingSet(context.Background(), req)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(time.Since(began).Seconds(), "all-s")
					for _, stage := range s.Seconds {
						b.ReportMetric(stage.Seconds, strings.ReplaceAll(stage.Stage, " ", "-")+"-s")
					}
				}
			})
		}
	}
}

var _ fstore.Type
