package servedlog

import (
	"math"
	"math/rand/v2"

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
	hashes []uint64
	picked []int32
}

// byKey returns the rows whose keys are in the sample: their columns of the given names, hashed without a seed, so that every
// server decides alike. int32 and int64 columns of the same values have the same hash.
func (s *sampler) byKey(names []string, served *Served, sc *scratch) []int32 {
	rows := served.Answer.Rows
	if sc.picked = sc.picked[:0]; s.none {
		return nil
	}
	sc.hashes = append(sc.hashes[:0], make([]uint64, rows)...)
	for _, name := range names {
		if c := columnNamed(served.Columns, name); c != nil {
			hashColumn(sc.hashes, c)
		}
	}
	for row, h := range sc.hashes {
		if s.all || h <= s.most {
			sc.picked = append(sc.picked, int32(row))
		}
	}
	return sc.picked
}

const (
	ofNull    = 0x5851f42d4c957f2d // stands for a null in a hash
	increment = 0x9e3779b97f4a7c15 // so that the hash of zero is no zero
)

// hashColumn mixes the values of a column into the hashes of their rows. A sample needs neither more than 64 bits nor safety from
// those who choose keys.
func hashColumn(hashes []uint64, c *fstore.Column) {
	if c.Valid == nil && c.Int64s != nil { // as most keys are
		for row, v := range c.Int64s[:len(hashes)] {
			hashes[row] = mix(hashes[row] + uint64(v) + increment)
		}
		return
	}
	for row := range hashes {
		v := uint64(ofNull)
		switch {
		case c.IsNull(row):
		case c.Int64s != nil: // and instants
			v = uint64(c.Int64s[row])
		case c.Int32s != nil:
			v = uint64(int64(c.Int32s[row]))
		case c.Strings != nil:
			v = xxhash.Sum64String(c.Strings[row])
		case c.Bytes != nil:
			v = xxhash.Sum64(c.Bytes[row])
		case c.Bools != nil && c.Bools[row]:
			v = 1
		default:
			v = 0
		}
		hashes[row] = mix(hashes[row] + v + increment)
	}
}

// mix spreads the bits of a number: the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
