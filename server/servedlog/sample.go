package servedlog

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/fstore-dev/fstore"
)

// sampler decides which rows are in the sample.
type sampler struct {
	by   By
	most uint64 // the largest number that is in the sample
	all  bool
	none bool
}

func newSampler(share float64, by By) sampler {
	s := sampler{by: by, all: share >= 1, none: share <= 0}
	if !s.all && !s.none {
		s.most = uint64(math.Ldexp(share, 64))
	}
	return s
}

// byChance decides about a request.
func (s *sampler) byChance() bool {
	return s.all || !s.none && rand.Uint64() <= s.most //nolint:gosec // G404: it picks a sample
}

// scratch is the memory of byKey.
type scratch struct {
	columns []*fstore.Column
	key     []byte
	picked  []int32
}

// byKey returns the rows whose keys are in the sample: their columns of the given names, hashed without a seed, so that every
// server decides alike. int32 and int64 columns of the same values have the same hash.
func (s *sampler) byKey(names []string, served *Served, sc *scratch) []int32 {
	sc.columns, sc.picked = sc.columns[:0], sc.picked[:0]
	for _, name := range names {
		if at := slices.IndexFunc(served.Columns, func(c fstore.Column) bool { return c.Name == name }); at >= 0 {
			sc.columns = append(sc.columns, &served.Columns[at])
		}
	}
	for row := range served.Answer.Rows {
		if s.all || !s.none && s.hash(sc, row) <= s.most {
			sc.picked = append(sc.picked, int32(row))
		}
	}
	return sc.picked
}

func (s *sampler) hash(sc *scratch, row int) uint64 {
	key := sc.key[:0]
	for i, c := range sc.columns {
		if c.IsNull(row) {
			key = append(key, 0)
			continue
		}
		begin := len(key)
		key = append(key, 1, 0, 0, 0, 0)
		key = fstore.AppendKey(key, sc.columns[i:i+1], row)
		binary.LittleEndian.PutUint32(key[begin+1:], uint32(len(key)-begin))
	}
	sc.key = key
	return xxhash.Sum64(key)
}
