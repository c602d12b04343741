package ondemand

import (
	"fmt"
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand/vector"
)

// oracle is an expression with its meaning for one row. A nil value is null. faults collects the reasons.
type oracle struct {
	text  string
	ints  func(row map[string]*int64, faults map[vector.Reason]bool) *int64
	bools func(row map[string]*int64, faults map[vector.Reason]bool) *bool
}

func drawOracleInt(t *rapid.T, depth int) oracle {
	pick := rapid.IntRange(0, 6).Draw(t, "int")
	if depth == 0 || pick == 0 {
		name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
		return oracle{text: name, ints: func(row map[string]*int64, _ map[vector.Reason]bool) *int64 { return row[name] }}
	}
	x, y := drawOracleInt(t, depth-1), drawOracleInt(t, depth-1)
	switch pick {
	case 1:
		return oracle{text: fmt.Sprintf("(%s / %s)", x.text, y.text), ints: func(row map[string]*int64, faults map[vector.Reason]bool) *int64 {
			a, b := x.ints(row, faults), y.ints(row, faults)
			if a == nil || b == nil {
				return nil
			}
			if *b == 0 {
				faults[vector.DivisionByZero] = true
				return nil
			}
			q := *a / *b
			return &q
		}}
	case 2:
		return oracle{text: fmt.Sprintf("(%s * %s)", x.text, y.text), ints: func(row map[string]*int64, faults map[vector.Reason]bool) *int64 {
			a, b := x.ints(row, faults), y.ints(row, faults)
			if a == nil || b == nil {
				return nil
			}
			product := *a * *b
			if high, _ := bits.Mul64(uint64(max(*a, -*a)), uint64(max(*b, -*b))); high != 0 || *a != 0 && product / *a != *b {
				faults[vector.Overflow] = true
				return nil
			}
			return &product
		}}
	case 3, 4:
		return oracle{text: fmt.Sprintf("coalesce(%s, %s)", x.text, y.text), ints: func(row map[string]*int64, faults map[vector.Reason]bool) *int64 {
			if a := x.ints(row, faults); a != nil {
				return a
			}
			return y.ints(row, faults)
		}}
	}
	c := drawOracleBool(t, depth-1)
	return oracle{text: fmt.Sprintf("(%s ? %s : %s)", c.text, x.text, y.text), ints: func(row map[string]*int64, faults map[vector.Reason]bool) *int64 {
		switch b := c.bools(row, faults); {
		case b == nil:
			return nil
		case *b:
			return x.ints(row, faults)
		}
		return y.ints(row, faults)
	}}
}

func drawOracleBool(t *rapid.T, depth int) oracle {
	yes, no := true, false
	pick := rapid.IntRange(0, 4).Draw(t, "bool")
	if depth <= 0 || pick == 0 {
		x := drawOracleInt(t, max(0, depth-1))
		return oracle{text: x.text + " == null", bools: func(row map[string]*int64, faults map[vector.Reason]bool) *bool {
			if x.ints(row, faults) == nil {
				return &yes
			}
			return &no
		}}
	}
	if pick == 1 {
		x, y, z := drawOracleInt(t, depth-1), drawOracleInt(t, depth-1), drawOracleInt(t, depth-1)
		return oracle{text: fmt.Sprintf("%s in [%s, %s]", x.text, y.text, z.text), bools: func(row map[string]*int64, faults map[vector.Reason]bool) *bool {
			a, b, c := x.ints(row, faults), y.ints(row, faults), z.ints(row, faults)
			switch {
			case a == nil:
				return nil
			case b != nil && *b == *a || c != nil && *c == *a:
				return &yes
			case b == nil || c == nil:
				return nil
			}
			return &no
		}}
	}
	if pick == 2 {
		x, y := drawOracleInt(t, depth-1), drawOracleInt(t, depth-1)
		return oracle{text: fmt.Sprintf("%s < %s", x.text, y.text), bools: func(row map[string]*int64, faults map[vector.Reason]bool) *bool {
			a, b := x.ints(row, faults), y.ints(row, faults)
			if a == nil || b == nil {
				return nil
			}
			less := *a < *b
			return &less
		}}
	}
	operator, decides := "&&", false
	if pick == 3 {
		operator, decides = "||", true
	}
	parts := []oracle{drawOracleBool(t, depth-1), drawOracleBool(t, depth-1), drawOracleBool(t, depth-1)}
	return oracle{
		text: fmt.Sprintf("(%s %s (%s %s %s))", parts[0].text, operator, parts[1].text, operator, parts[2].text),
		bools: func(row map[string]*int64, faults map[vector.Reason]bool) *bool {
			null := false
			for _, p := range parts {
				switch b := p.bools(row, faults); {
				case b == nil:
					null = true
				case *b == decides:
					return b
				}
			}
			if null {
				return nil
			}
			b := !decides
			return &b
		},
	}
}

// Nulls and faults follow the rules of docs/on-demand.md, row by row.
func TestNullsAndFaultsFollowTheirRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawOracleInt(t, 4)
		rows := rapid.IntRange(1, 30).Draw(t, "rows")
		columns := map[string]*fstore.Column{}
		var want []any
		counts := map[vector.Reason]int{}
		for _, name := range []string{"a", "b", "c"} {
			c := fstore.NewColumn(name, fstore.Int64, rows)
			columns[name] = &c
		}
		for range rows {
			row := map[string]*int64{}
			for name, c := range columns {
				if rapid.IntRange(0, 3).Draw(t, "null") == 0 {
					c.AppendNull()
					continue
				}
				x := rapid.SampledFrom([]int64{0, 1, -2, 7, 1 << 40}).Draw(t, name)
				row[name] = &x
				c.AppendInt64(x)
			}
			faults := map[vector.Reason]bool{}
			if v := e.ints(row, faults); v == nil {
				want = append(want, nil)
			} else {
				want = append(want, *v)
			}
			for why := range faults {
				counts[why]++
			}
		}
		r := evalColumns(t, Feature{Name: "f", Type: fstore.Int64, Expression: e.text}, columns, rows)
		for i, w := range want {
			if got := r.Columns[0].Value(i); got != w {
				t.Fatalf("%s, row %d: got %v, want %v", e.text, i, got, w)
			}
		}
		for _, f := range r.Faults {
			if counts[f.Reason] != f.Rows {
				t.Fatalf("%s: %d rows with %s, not %d", e.text, f.Rows, f.Reason, counts[f.Reason])
			}
			delete(counts, f.Reason)
		}
		if len(counts) > 0 {
			t.Fatalf("%s: not counted: %v", e.text, counts)
		}
	})
}
