package lock

import "fmt"

// Sample takes some of the labels: the Rows of them whose number, from 0, has the smallest MD5 together with the seed
// (md5 of "seed:number" in decimal). So the same labels give the same sample everywhere, in their order.
type Sample struct {
	Rows int64 `json:"rows" doc:"Rows to take; all of them if there are fewer."`
	Seed int64 `json:"seed" doc:"Seed. The sample is the rows whose number, from 0, has the smallest MD5 of \"seed:number\"."`
}

// String says how much is taken: "1000 rows by seed 0".
func (s *Sample) String() string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%d rows by seed %d", s.Rows, s.Seed)
}

// Size returns how many of rows labels the sample takes.
func (s *Sample) Size(rows int64) int64 {
	if s == nil {
		return rows
	}
	return min(s.Rows, rows)
}
