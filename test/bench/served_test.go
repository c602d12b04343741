package bench

import (
	"bufio"
	"cmp"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// histogram is the times of answers as the server counts them: how many took at most so many seconds.
type histogram []bucket

type bucket struct{ most, count float64 }

// answerTimes returns the times of the answers over gRPC so far, from the server's metrics.
func answerTimes(b *testing.B, metrics string) histogram {
	b.Helper()
	var h histogram
	for name, count := range scrape(b, metrics) {
		rest, ok := strings.CutPrefix(name, `fstore_request_duration_seconds_bucket{code="OK",method="GetOnlineFeatures",transport="grpc",le="`)
		if !ok {
			continue
		}
		most, err := strconv.ParseFloat(strings.TrimSuffix(rest, `"}`), 64)
		if err != nil {
			b.Fatalf("metrics: %s: %v", name, err)
		}
		h = append(h, bucket{most, count})
	}
	slices.SortFunc(h, func(x, y bucket) int { return cmp.Compare(x.most, y.most) })
	return h
}

// scrape returns the samples of a server's metrics, by name and labels.
func scrape(b *testing.B, metrics string) map[string]float64 {
	b.Helper()
	resp, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	samples := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		line := lines.Text()
		end := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || end < 0 {
			continue
		}
		if samples[line[:end]], err = strconv.ParseFloat(line[end+1:], 64); err != nil {
			b.Fatalf("metrics: %s: %v", line, err)
		}
	}
	if err := lines.Err(); err != nil {
		b.Fatal(err)
	}
	return samples
}

// since returns the times after an earlier reading.
func (h histogram) since(earlier histogram) histogram {
	later := make(histogram, len(h))
	for i, b := range h {
		later[i] = b
		if i < len(earlier) {
			later[i].count -= earlier[i].count
		}
	}
	return later
}

// at returns a quantile, as exact as the buckets are; 0 of none.
func (h histogram) at(q float64) time.Duration {
	if len(h) == 0 || h[len(h)-1].count == 0 {
		return 0
	}
	rank, below := q*h[len(h)-1].count, bucket{}
	for _, b := range h {
		if b.count >= rank {
			if math.IsInf(b.most, 1) {
				return time.Duration(below.most * float64(time.Second))
			}
			share := (rank - below.count) / (b.count - below.count)
			return time.Duration((below.most + share*(b.most-below.most)) * float64(time.Second))
		}
		below = b
	}
	return 0
}
