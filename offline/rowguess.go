package offline

import (
	"context"
	"fmt"
	"slices"
)

// guess is a type and the condition under which a text is surely a value of it. Texts that would not come out as they went
// in stay text (0042, +49…, 0x1F, yes, more digits than a double has).
type guess struct {
	to   string
	fits string // %[1]s is the text
}

var timeGuesses = []guess{
	{"DATE", `regexp_full_match(%[1]s, '[0-9]{4}-[0-9]{2}-[0-9]{2}')`},
	{"TIMESTAMP", `regexp_full_match(%[1]s, '[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?')`},
	{"TIMESTAMP WITH TIME ZONE", `regexp_full_match(%[1]s, '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)? ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)')`},
}

var guesses = append([]guess{
	{"BIGINT", `TRY_CAST(%[1]s AS BIGINT)::VARCHAR = trim(%[1]s)`},
	{"DOUBLE", `(regexp_full_match(trim(%[1]s), '-?(0|[1-9][0-9]{0,14}|(0|[1-9][0-9]{0,15})?\.[0-9]*([eE][+-]?[0-9]+)?|[1-9][0-9]*[eE][+-]?[0-9]+)') ` +
		`AND isfinite(TRY_CAST(%[1]s AS DOUBLE)) OR regexp_full_match(%[1]s, '(?i)nan|-?inf'))`},
	{"BOOLEAN", `lower(%[1]s) IN ('true', 'false')`},
	{"TIME", `regexp_full_match(%[1]s, '[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?')`},
}, timeGuesses...)

// guessing is a column of _csv whose type is being determined.
type guessing struct {
	column  int
	x       string  // its text
	among   []guess // types that are still possible, in order of preference
	nothing bool    // it has no text
}

// to returns the type of the column.
func (g *guessing) to() string {
	if g.nothing || len(g.among) == 0 {
		return "VARCHAR"
	}
	return g.among[0].to
}

// fits returns whether the first type that is still possible fits all texts; null if there is no text.
func (g *guessing) fits() string {
	fits := "(" + fmt.Sprintf(g.among[0].fits, g.x) + ") AND TRY_CAST(" + g.x + " AS " + g.among[0].to + ") IS NOT NULL"
	return "bool_and((" + fits + ") IS TRUE) FILTER (WHERE " + g.x + " IS NOT NULL)"
}

// guessedTogether is how many columns one query looks at. Each query binds all columns of the file, and each column needs
// memory.
const guessedTogether = 256

// firstRows is how many rows are tried first. They rule out most types, so few types are tried on all rows.
const firstRows = 64

// guessColumns returns for every column of _csv the first type that fits all its texts: an instant with or without a zone
// for the timestamp, VARCHAR if no type fits, and nothing for a column whose type is declared.
func (s *session) guessColumns(ctx context.Context, names []string, want rowsWanted) ([]string, error) {
	var columns []*guessing
	for i, name := range names {
		x := fmt.Sprintf("c%d", i)
		switch {
		case !want.column(name) || want.typed(name) != nil:
		case name == want.timestamp:
			columns = append(columns, &guessing{column: i, x: cutDigits(x), among: timeGuesses})
		default:
			columns = append(columns, &guessing{column: i, x: x, among: guesses})
		}
	}
	out := make([]string, len(names))
	for group := range slices.Chunk(columns, guessedTogether) {
		for _, from := range []string{fmt.Sprintf("_csv\nWHERE row < %d", firstRows), "_csv"} {
			if err := s.ruleOut(ctx, group, from); err != nil {
				return nil, err
			}
		}
		for _, g := range group {
			out[g.column] = g.to()
		}
	}
	return out, nil
}

// ruleOut rules out types of columns until the first type left fits all texts of the given rows.
func (s *session) ruleOut(ctx context.Context, columns []*guessing, from string) error {
	open := slices.Clone(columns)
	for {
		open = slices.DeleteFunc(open, func(g *guessing) bool { return len(g.among) == 0 })
		if len(open) == 0 {
			return nil
		}
		fits := make([]string, 0, len(open))
		for _, g := range open {
			fits = append(fits, g.fits())
		}
		b, err := s.query(ctx, "SELECT\n  "+list(fits)+"\nFROM "+from)
		if err != nil {
			return err
		}
		var more []*guessing
		for i, g := range open {
			if g.nothing = b.Columns[i].IsNull(0); !g.nothing && !b.Columns[i].Bools[0] {
				g.among = g.among[1:]
				more = append(more, g)
			}
		}
		open = more
	}
}
