package window

import (
	"fmt"
	"testing"

	"github.com/fstore-dev/fstore"
)

// A key with a row in each tile has a record of the most bytes at some instant, and at none has it more.
func TestMostBytesOfTiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ length, hop int64 }{{12, 1}, {10, 2}, {9, 3}, {7, 7}, {10, 3}, {11, 3}, {0, 0}} {
		t.Run(fmt.Sprintf("%d by %d", c.length, c.hop), func(t *testing.T) {
			features := []fstore.Feature{windowed("a", fstore.Sum, fstore.Int64, c.length, c.hop), windowed("b", fstore.Count, fstore.Int64, c.length, c.hop)}
			groups, _ := ofView(features)
			all := SeriesOf(features)
			var events []int64
			var values []any
			for e := int64(-80); e < 80; e++ {
				events, values = append(events, e), append(values, int64(1))
			}
			rows := rowsAt(events, values...)
			want, ok := NewTiles(groups[0].Features).MostBytes()
			most := 0
			for p := int64(-40); p < 80; p++ {
				record, err := recordOf(NewRecorder(groups, all), rows, all, p)
				if err != nil {
					t.Fatal(err)
				}
				most = max(most, len(record[0].Bytes[0]))
			}
			if !ok || int64(most) != want {
				t.Errorf("records have up to %d bytes, and MostBytes says %d", most, want)
			}
		})
	}
	text := NewTiles([]fstore.Feature{windowed("a", fstore.Max, fstore.String, 12, 1)})
	if n, ok := text.MostBytes(); ok {
		t.Errorf("texts have at most %d bytes", n)
	}
}
