package ondemand

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cespare/xxhash/v2"

	"github.com/fstore-dev/fstore"
)

// row has the values of the variables. A nil value is null.
type row map[string]any

func (r row) float(name string) float64  { return r[name].(float64) }
func (r row) int(name string) int64      { return r[name].(int64) }
func (r row) text(name string) string    { return r[name].(string) }
func (r row) time(name string) time.Time { return r[name].(time.Time) }

// plain is an expression that cel-go cannot evaluate, with its meaning in plain Go for a row without nulls. A nil value is null.
// A function of nulls has its meaning for every row.
type plain struct {
	text  string
	typ   fstore.Type
	value func(r row) any
	nulls bool
}

// about is a float64 that a result may miss by a relative error of 1e-12.
type about float64

// either is what a result must satisfy.
type either func(got any) bool

func plains() []plain {
	micros := func(r row) float64 { return float64(fstore.Micros(r.time("u")) - fstore.Micros(r.time("v"))) }
	all := []plain{
		{text: "exp(x)", value: func(r row) any { return about(math.Exp(r.float("x"))) }},
		{text: "log(x)", value: func(r row) any {
			if x := r.float("x"); x < 0x1p-1000 { // math.Log is wrong for subnormal numbers on amd64
				return about(math.Log(x*0x1p100) - 100*math.Ln2)
			}
			return about(math.Log(r.float("x")))
		}},
		{text: "pow(x, y)", value: func(r row) any {
			if x := math.Abs(r.float("x")); x > 0 && x < 0x1p-1000 {
				return either(func(any) bool { return true }) // math.Pow calls math.Log
			}
			return about(math.Pow(r.float("x"), r.float("y")))
		}},
		{text: "round(x, 2)", value: func(r row) any {
			if p := r.float("x") * 100; math.Abs(p) < 1<<52 {
				return math.Round(p) / 100
			}
			return r.float("x")
		}},
		{text: "min(x, y, 1.5)", value: func(r row) any { return lesser(lesser(r.float("x"), r.float("y")), 1.5) }},
		{text: "max(x, y)", value: func(r row) any { return -lesser(-r.float("x"), -r.float("y")) }},
		{text: "clamp(x, y, 50)", value: func(r row) any { return lesser(-lesser(-r.float("x"), -r.float("y")), 50) }},
		{text: "clamp(a, b, c)", typ: fstore.Int64, value: func(r row) any {
			sorted := []int64{r.int("a"), r.int("b")}
			slices.Sort(sorted)
			return slices.Min([]int64{sorted[1], r.int("c")})
		}},
		{text: "min(u, v)", typ: fstore.Timestamp, value: func(r row) any {
			if r.time("u").Before(r.time("v")) {
				return r.time("u")
			}
			return r.time("v")
		}},
		{text: "max(u, v)", typ: fstore.Timestamp, value: func(r row) any {
			if r.time("u").After(r.time("v")) {
				return r.time("u")
			}
			return r.time("v")
		}},
		{text: "seconds(u - v)", value: func(r row) any { return micros(r) / 1e6 }},
		{text: "minutes(u - v)", value: func(r row) any { return micros(r) / 60e6 }},
		{text: "hours(u - v)", value: func(r row) any { return micros(r) / 3600e6 }},
		{text: "days(u - v)", value: func(r row) any { return micros(r) / 86400e6 }},
		{text: "days(duration('1d12h'))", value: func(row) any { return 1.5 }},
		{text: "u + (v - u)", typ: fstore.Timestamp, value: func(r row) any { return r.time("v") }},
		{text: "seconds((u - v) + (v - u) - (u - v))", value: func(r row) any { return -micros(r) / 1e6 }},
		{text: "week(u)", typ: fstore.Int64, value: func(r row) any {
			_, week := r.time("u").ISOWeek()
			return int64(week)
		}},
		{text: "weekday(u)", typ: fstore.Int64, value: func(r row) any { return int64(r.time("u").Weekday()+6)%7 + 1 }},
		{text: "week(u, 'Etc/GMT-5')", typ: fstore.Int64, value: func(r row) any {
			_, week := local(r.time("u")).ISOWeek()
			return int64(week)
		}},
		{text: "date_trunc('quarter', u)", typ: fstore.Timestamp, value: func(r row) any {
			y, m, _ := r.time("u").Date()
			return time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
		}},
		{text: "date_trunc('week', u)", typ: fstore.Timestamp, value: func(r row) any {
			y, m, d := r.time("u").Date()
			return inYears(time.Date(y, m, d-int(r.time("u").Weekday()+6)%7, 0, 0, 0, 0, time.UTC))
		}},
		{text: "date_trunc('month', u, 'Etc/GMT-5')", typ: fstore.Timestamp, value: func(r row) any {
			y, m, _ := local(r.time("u")).Date()
			return inYears(time.Date(y, m, 1, 0, 0, 0, 0, east))
		}},
		{text: "string(x)", typ: fstore.String, value: func(r row) any {
			return either(func(got any) bool {
				x, err := strconv.ParseFloat(got.(string), 64)
				return err == nil && sameValue(x, r.float("x")) && len(got.(string)) <= 30
			})
		}},
		{text: "lower(s)", typ: fstore.String, value: func(r row) any { return strings.Map(unicode.ToLower, r.text("s")) }},
		{text: "upper(s)", typ: fstore.String, value: func(r row) any { return strings.Map(unicode.ToUpper, r.text("s")) }},
		{text: "substring(s, a)", typ: fstore.String, value: func(r row) any { return runes(r.text("s"), r.int("a"), math.MaxInt64) }},
		{text: "substring(s, a, b)", typ: fstore.String, value: func(r row) any { return runes(r.text("s"), r.int("a"), r.int("b")) }},
		{text: "hash64(s)", typ: fstore.Int64, value: func(r row) any { return hashed([]byte(r.text("s"))) }},
		{text: "hash64(r)", typ: fstore.Int64, value: func(r row) any { return hashed(r["r"].([]byte)) }},
		{text: "hash64(a)", typ: fstore.Int64, value: func(r row) any {
			var b []byte
			for i := range 8 {
				b = append(b, byte(r.int("a")>>(8*i)))
			}
			return hashed(b)
		}},
		{text: "bucket(a, b)", typ: fstore.Int64, value: func(r row) any {
			if r.int("b") <= 0 {
				return nil
			}
			x := new(big.Int).SetUint64(uint64(r.int("a")))
			return x.Mod(x, big.NewInt(r.int("b"))).Int64()
		}},
		{text: "haversine_km(x, y, y, x)", value: func(r row) any { return chord(r.float("x"), r.float("y"), r.float("y"), r.float("x")) }},
		{text: "geohash(x, y, 7)", typ: fstore.String, value: func(r row) any { return cell(r.float("x"), r.float("y"), 7) }},
		{text: "sum(l)", value: func(r row) any { return folded(r, 0, func(s, x float64) float64 { return s + x }) }},
		{text: "norm(l)", value: func(r row) any {
			return math.Sqrt(folded(r, 0, func(s, x float64) float64 { return s + float64(x*x) }))
		}},
		{text: "dot(l, [x, y])", value: func(r row) any {
			if l := r["l"].([]float64); len(l) == 2 {
				return float64(l[0]*r.float("x")) + float64(l[1]*r.float("y"))
			}
			return nil
		}},
		{text: "cosine(l, l)", value: func(r row) any {
			squares := folded(r, 0, func(s, x float64) float64 { return s + float64(x*x) })
			return squares / float64(math.Sqrt(squares)*math.Sqrt(squares))
		}},
		{text: "mean(l)", value: unlessEmpty(func(r row) any {
			return folded(r, 0, func(s, x float64) float64 { return s + x }) / float64(len(r["l"].([]float64)))
		})},
		{text: "min(l)", value: unlessEmpty(func(r row) any { return folded(r, math.Inf(1), lesser) })},
		{text: "max(l)", value: unlessEmpty(func(r row) any {
			return -folded(r, math.Inf(1), func(s, x float64) float64 { return lesser(s, -x) })
		})},
		{text: "is_null(a)", typ: fstore.Bool, nulls: true, value: func(r row) any { return r["a"] == nil }},
		{text: "s != null", typ: fstore.Bool, nulls: true, value: func(r row) any { return r["s"] != nil }},
		{text: "coalesce(a, b, 7)", typ: fstore.Int64, nulls: true, value: func(r row) any { return firstOf(r["a"], r["b"], int64(7)) }},
		{text: "coalesce(w, split(s, 'e'))", typ: fstore.List(fstore.String), nulls: true, value: func(r row) any {
			if r["w"] == nil && r["s"] != nil {
				return strings.Split(r.text("s"), "e")
			}
			return r["w"]
		}},
		{text: "if_null(r, z)", typ: fstore.Bytes, nulls: true, value: func(r row) any { return firstOf(r["r"], r["z"]) }},
		{text: "p ? u : v", typ: fstore.Timestamp, nulls: true, value: func(r row) any {
			switch r["p"] {
			case true:
				return r["u"]
			case false:
				return r["v"]
			}
			return nil
		}},
		{text: "p && q", typ: fstore.Bool, nulls: true, value: func(r row) any { return decided(false, r["p"], r["q"]) }},
		{text: "p || q", typ: fstore.Bool, nulls: true, value: func(r row) any { return decided(true, r["p"], r["q"]) }},
	}
	for operator, holds := range comparisonsOf {
		all = append(all, plain{text: "(u - v) " + operator + " (v - u)", typ: fstore.Bool, value: func(r row) any {
			return holds(r.time("u").Compare(r.time("v")))
		}})
	}
	slices.SortFunc(all, func(a, b plain) int { return strings.Compare(a.text, b.text) })
	for i := range all {
		if all[i].typ == fstore.Invalid {
			all[i].typ = fstore.Float64
		}
	}
	return all
}

var east = time.FixedZone("", 5*3600)

// comparisonsOf has for each comparison which orders satisfy it.
var comparisonsOf = map[string]func(order int) bool{
	"==": func(o int) bool { return o == 0 }, "!=": func(o int) bool { return o != 0 }, "<": func(o int) bool { return o < 0 },
	"<=": func(o int) bool { return o <= 0 }, ">": func(o int) bool { return o > 0 }, ">=": func(o int) bool { return o >= 0 },
}

// local returns an instant in the zone that the IANA calls Etc/GMT-5, which is ahead of UTC.
func local(t time.Time) time.Time { return t.In(east) }

// inYears returns nil for an instant outside the years 1 to 9999.
func inYears(t time.Time) any {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return nil
	}
	return t
}

func lesser(x, y float64) float64 {
	if x < y || x != x {
		return x
	}
	return y
}

func folded(r row, s float64, f func(s, x float64) float64) float64 {
	for _, x := range r["l"].([]float64) {
		s = f(s, x)
	}
	return s
}

func unlessEmpty(f func(r row) any) func(r row) any {
	return func(r row) any {
		if len(r["l"].([]float64)) == 0 {
			return nil
		}
		return f(r)
	}
}

func runes(s string, from, to int64) string {
	var out []rune
	i := int64(0)
	for _, c := range s {
		if i >= from && i < to {
			out = append(out, c)
		}
		i++
	}
	return string(out)
}

// hashed hashes byte by byte.
func hashed(b []byte) int64 {
	d := xxhash.New()
	for i := range b {
		_, _ = d.Write(b[i : i+1])
	}
	return int64(d.Sum64())
}

// chord computes a distance from the chord between two points, which no formula of the package does.
func chord(lat1, lon1, lat2, lon2 float64) any {
	point := func(lat, lon float64) [3]float64 {
		a, b := lat*math.Pi/180, lon*math.Pi/180
		return [3]float64{math.Cos(a) * math.Cos(b), math.Cos(a) * math.Sin(b), math.Sin(a)}
	}
	if math.Max(math.Abs(lat1), math.Abs(lon1)) > 1e4 || math.Max(math.Abs(lat2), math.Abs(lon2)) > 1e4 {
		return either(func(any) bool { return true }) // the reference loses the angle
	}
	p, q := point(lat1, lon1), point(lat2, lon2)
	square := 0.0
	for i := range p {
		square += (p[i] - q[i]) * (p[i] - q[i])
	}
	want := 2 * 6371.0088 * math.Asin(min(1, math.Sqrt(square)/2))
	return either(func(got any) bool { g := got.(float64); return math.Abs(g-want) < 1e-2 || g != g && want != want })
}

// cell writes a geohash from the numbers of the cell's row and column in binary.
func cell(lat, lon float64, length int) any {
	if !(math.Abs(lat) <= 90) || !(math.Abs(lon) <= 180) {
		return nil
	}
	column, line := part(lon, 180, 18), part(lat, 90, 17) // 35 bits in turn
	digits := ""
	for bit := range 35 {
		n, shift := column, 17-bit/2
		if bit%2 == 1 {
			n, shift = line, 16-bit/2
		}
		digits += strconv.FormatInt(n>>shift&1, 2)
	}
	out := ""
	for i := range length {
		n, _ := strconv.ParseUint(digits[5*i:5*i+5], 2, 8)
		out += string("0123456789bcdefghjkmnpqrstuvwxyz"[n])
	}
	return out
}

// part returns in which of 2^bits equal parts of the span from -end to end x lies.
func part(x, end float64, bits int) int64 {
	at := new(big.Rat).SetFloat64(x)
	at.Add(at, new(big.Rat).SetFloat64(end)).Mul(at, big.NewRat(1<<bits, int64(2*end)))
	return min(new(big.Int).Quo(at.Num(), at.Denom()).Int64(), 1<<bits-1)
}

func firstOf(values ...any) any {
	for _, v := range values {
		if v != nil {
			return v
		}
	}
	return nil
}

// decided returns the bool that decides if one of the values is it, else null if one is null, else the other.
func decided(decides bool, values ...any) any {
	out := any(!decides)
	for _, v := range values {
		if v == nil {
			out = nil
		}
	}
	if slices.Contains(values, any(decides)) {
		return decides
	}
	return out
}
