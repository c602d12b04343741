package bench

import (
	"bufio"
	"fmt"
	"math"
	"net/http"
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
	resp, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	var h histogram
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), `fstore_request_duration_seconds_bucket{code="OK",method="GetOnlineFeatures",transport="grpc",le="`)
		if !ok {
			continue
		}
		var next bucket
		most, count, _ := strings.Cut(rest, `"} `)
		if next.most, err = strconv.ParseFloat(most, 64); err == nil {
			next.count, err = strconv.ParseFloat(count, 64)
		}
		if err != nil {
			b.Fatal(fmt.Errorf("metrics: %s: %w", rest, err))
		}
		h = append(h, next)
	}
	return h
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
