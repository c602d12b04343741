package lock_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// Labels of a query or a CSV file have no types of their own: their timestamps are UTC, as those of features are. Those of a
// Parquet file stay as they are.
func TestInstantsOfLabelsWithoutTypesAreInUTC(t *testing.T) {
	all := map[string]bool{"at": true, "seen": true, "made": true}
	for _, c := range []struct {
		name   string
		labels lock.Labels
		want   map[string]bool
	}{
		{"query", lock.Labels{SQL: "select"}, all},
		{"csv", lock.Labels{File: &lock.File{Path: "/l.csv"}}, all},
		{"csv_gz", lock.Labels{File: &lock.File{Path: "/l.parquet.csv.gz"}}, all},
		{"parquet", lock.Labels{File: &lock.File{Path: "/l.PARQUET"}}, map[string]bool{"made": true}},
		{"parquet_by_another_name", lock.Labels{File: &lock.File{Path: "/l.pq"}}, map[string]bool{"made": true}},
		{"parquet_without_an_ending", lock.Labels{File: &lock.File{Path: "/v1.2/labels"}}, map[string]bool{"made": true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lock.Lock{
				Labels:   c.labels,
				Features: []lock.Feature{{Name: "made", Type: fstore.Timestamp}, {Name: "n", Type: fstore.Int64}},
				Output: lock.Output{Columns: []lock.Column{
					{Name: "at", Type: "TIMESTAMP"},
					{Name: "seen", Type: "TIMESTAMP_MS"},
					{Name: "zoned", Type: "TIMESTAMP WITH TIME ZONE"},
					{Name: "day", Type: "DATE"},
					{Name: "text", Type: "VARCHAR"},
					{Name: "made", Type: "TIMESTAMP"},
					{Name: "n", Type: "BIGINT"},
				}},
			}
			if d := cmp.Diff(c.want, l.Instants()); d != "" {
				t.Error(d)
			}
		})
	}
}
