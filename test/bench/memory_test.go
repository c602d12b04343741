package bench

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/fstore-dev/fstore/online/redis/redistest"
)

// BenchmarkMemoryOfMaterialize measures the peak memory of fstore materialize, a process of its own, as keys grow from
// 1 to 20 million of 10 float64 each: a first load into Redis, and another run, with a memory_limit that even a million
// fill and with one that only more do. The goal is no growth beyond the limit and 1 GB.
func BenchmarkMemoryOfMaterialize(b *testing.B) {
	for _, limit := range []string{"256MB", "1GB"} {
		for _, millions := range []int{1, 5, 20} {
			b.Run(fmt.Sprintf("memory_limit=%s/keys=%dM", limit, millions), func(b *testing.B) { measureMemory(b, limit, millions*1_000_000) })
		}
	}
}

func measureMemory(b *testing.B, limit string, keys int) {
	for b.Loop() {
		r := newRepo(b, redistest.StartTCP(b))
		r.write("fstore.yaml", "project: bench\noffline: {memory_limit: "+limit+"}\n")
		r.write("wide.yaml", wideYAML([]string{"wide"}, 10))
		r.copy("rows.parquet", wideRows(keys, 10))
		r.run("apply", "--yes")
		first := r.run("materialize", "--output", "json")
		var summary struct{ Written int }
		if err := json.Unmarshal([]byte(first.stdout), &summary); err != nil || summary.Written != keys {
			b.Fatalf("%v; written: %d\n%s", err, summary.Written, first.stdout)
		}
		again := r.run("materialize")
		b.ReportMetric(first.peakMB, "peak_MB")
		b.ReportMetric(again.peakMB, "again_peak_MB")
		b.ReportMetric(first.took.Seconds(), "s")
		b.ReportMetric(again.took.Seconds(), "again_s")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMemoryOfTrainingSet measures the peak memory of fstore training-set create, a process of its own, for inputs
// and outputs much larger than its memory_limit: three views of 10 million rows by 10 million labels. The goal is the
// limit and 1 GB.
func BenchmarkMemoryOfTrainingSet(b *testing.B) {
	for _, limit := range []string{"512MB", "1GB", "4GB"} {
		b.Run("memory_limit="+limit, func(b *testing.B) {
			for b.Loop() {
				r := newRepo(b, "sqlite://.fstore/online.db")
				r.write("fstore.yaml", "project: bench\noffline: {memory_limit: "+limit+"}\n")
				r.write("wide.yaml", wideYAML([]string{"a", "b", "c"}, 5)+
					"---\nkind: feature_service\nname: three\nfeatures: [{ref: a.*, prefix: a_}, {ref: b.*, prefix: b_}, {ref: c.*, prefix: c_}]\n")
				const instant = "make_timestamp(1767225600000000 + (hash(i + %d) %% 31536000)::BIGINT * 1000000)"
				r.copy("rows.parquet", "SELECT (hash(i) % 200000)::BIGINT AS customer_id, "+fmt.Sprintf(instant, 7)+
					" AS event, random() AS f00, random() AS f01, random() AS f02, random() AS f03, random() AS f04 FROM range(10000000) t(i)")
				r.copy("labels.parquet", "SELECT (hash(i * 13) % 200000)::BIGINT AS customer_id, "+fmt.Sprintf(instant, 99)+
					" AS event_timestamp, i AS n FROM range(10000000) t(i)")
				r.run("apply", "--yes")
				got := r.run("training-set", "create", "big", "--service", "three", "--labels", "labels.parquet", "--out", "big.parquet")
				b.ReportMetric(got.peakMB, "peak_MB")
				b.ReportMetric(got.took.Seconds(), "s")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
