package expect

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/fstore-dev/fstore"
)

// The exact sum of finite float64 values is kept as the long accumulator of Kulisch (Computer Arithmetic and Validity, 2013,
// chapter 8): a fixed-point number in digits of 32 bits, whose last bit has the value of the smallest float64.
const (
	digitBits = 32
	lastBit   = -1074                       // the exponent of the smallest float64
	digits    = (971-lastBit)/digitBits + 3 // a mantissa of 53 bits at the largest exponent touches three digits
	mostAdds  = 1 << 30                     // each adds less than 2^32 to a digit of 64 bits
)

// mean is the mean of the values of a column. It is exact, rounded once to a float64, so that it depends neither on the order of
// the values nor on how large the sum gets on the way.
type mean struct {
	sum     [digits]int64
	adds    int64   // since the digits were carried
	special float64 // the sum of NaN and infinities, which is the mean if it is not 0
	count   int64
}

func (m *mean) add(c *fstore.Column) {
	switch c.Type {
	case fstore.Int32:
		addEach(m, c, c.Int32s, func(v int32) { m.addFloat(float64(v)) })
	case fstore.Int64:
		addEach(m, c, c.Int64s, m.addInt)
	case fstore.Float32:
		addEach(m, c, c.Float32s, func(v float32) { m.addFloat(float64(v)) })
	case fstore.Float64:
		addEach(m, c, c.Float64s, m.addFloat)
	case fstore.Bool, fstore.String, fstore.Bytes, fstore.Timestamp: // CheckType refuses them
	}
}

func addEach[T any](m *mean, c *fstore.Column, values []T, add func(T)) {
	for i, v := range values[:c.Len] {
		if c.Valid == nil || !c.IsNull(i) {
			add(v)
			m.count++
		}
	}
}

// addInt adds an integer in two halves, each of which a float64 holds exactly.
func (m *mean) addInt(v int64) {
	low := v & math.MaxUint32
	m.addFloat(float64(v - low))
	m.addFloat(float64(low))
}

func (m *mean) addFloat(x float64) {
	raw := math.Float64bits(x)
	mantissa, exponent := raw&(1<<52-1), int(raw>>52&0x7ff)
	switch exponent {
	case 0x7ff:
		m.special += x
		return
	case 0: // subnormal: it has the exponent of the smallest normal number, without that number's first bit
	default:
		mantissa |= 1 << 52
		exponent--
	}
	high, low := bits.Mul64(mantissa, 1<<(exponent%digitBits))
	parts := [3]int64{int64(low & math.MaxUint32), int64(low >> digitBits), int64(high)}
	at := m.sum[exponent/digitBits:][:3]
	for i, part := range parts {
		if x < 0 {
			part = -part
		}
		at[i] += part
	}
	if m.adds++; m.adds == mostAdds {
		m.carry()
	}
}

// carry leaves 32 bits in each digit but the first, which has the sign.
func (m *mean) carry() {
	m.adds = 0
	for i := range digits - 1 {
		m.sum[i+1] += m.sum[i] >> digitBits
		m.sum[i] &= math.MaxUint32
	}
}

// value returns the mean of at least one value. NaN and infinities give what adding them gives.
func (m *mean) value() float64 {
	if m.special != 0 {
		return m.special
	}
	sum, digit := new(big.Int), new(big.Int)
	for i := digits - 1; i >= 0; i-- {
		sum.Add(sum.Lsh(sum, digitBits), digit.SetInt64(m.sum[i]))
	}
	of := new(big.Int).Lsh(big.NewInt(m.count), -lastBit)
	out, _ := new(big.Rat).SetFrac(sum, of).Float64()
	return out
}
