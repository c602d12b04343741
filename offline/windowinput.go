package offline

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
	"github.com/fstore-dev/fstore/window"
)

// windowInput returns the view whose rows a windowed view aggregates. It has two features for each series: whether the row
// passes, and the value.
func windowInput(v *fstore.ViewVersion, all []window.Series) fstore.ViewVersion {
	in := fstore.ViewVersion{Ref: v.Ref, Sources: v.Sources, Views: v.Views, View: fstore.View{
		Name: v.View.Name, Entities: v.View.Entities, Keys: v.View.Keys, Inputs: v.View.Inputs,
		Event: v.View.Event, Created: v.View.Created, Available: v.View.Available,
	}}
	columns := windowColumns(&v.View)
	add := func(x, name string, t fstore.Type) {
		columns = append(columns, x+" AS "+ident(name))
		in.View.Features = append(in.View.Features, fstore.Feature{Name: name, Column: name, Type: t})
	}
	for i, s := range all {
		name := nameOf(&s, v.View.Features)
		add(expressionSQL(s.Where), seriesColumn(i, "condition", name, s.Where), fstore.Bool)
		add(valueSQL(&s), seriesColumn(i, "expression", name, s.Expression), s.Type)
	}
	in.View.SQL = "SELECT " + strings.Join(columns, ", ") + "\nFROM " + windowFrom(&v.View)
	return in
}

// seriesColumn names a column of a series. The columns are in the order of their names; errors give the name without its
// number.
func seriesColumn(i int, what, aggregation, sql string) string {
	const most = 40
	if shown := []rune(strings.Join(strings.Fields(sql), " ")); len(shown) > most {
		sql = string(shown[:most]) + "…"
	} else {
		sql = string(shown)
	}
	return fmt.Sprintf("%03d the %s of %s (%s)", i, what, aggregation, sql)
}

var ofSeries = regexp.MustCompile(`^[0-9]{3,} (the (?:condition|expression) of .*)$`)

// columnInErrors returns what errors call a column of a view.
func columnInErrors(name string) string {
	if m := ofSeries.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return "column " + name
}

// windowColumns returns the columns that the input of a windowed view has besides its series.
func windowColumns(v *fstore.View) []string {
	var out []string
	add := func(name string) {
		if quoted := ident(name); name != "" && !slices.Contains(out, quoted) {
			out = append(out, quoted)
		}
	}
	add(v.Event)
	add(v.Created)
	for _, k := range v.Keys {
		add(k.Name)
	}
	return out
}

// windowFrom returns the relation that a windowed view aggregates.
func windowFrom(v *fstore.View) string {
	if v.Source != "" {
		return ident(v.Source)
	}
	return "(\n" + v.SQL + "\n) AS _input"
}

// expressionSQL returns an expression as part of a query. It may end in a comment.
func expressionSQL(text string) string {
	if text == "" {
		return "true"
	}
	return "(\n" + text + "\n)"
}

// nameOf returns the name of the first aggregation of an expression.
func nameOf(s *window.Series, features []fstore.Feature) string {
	for _, f := range features {
		if f.Window.Expression == s.Expression && f.Window.Where == s.Where {
			if end := strings.LastIndexByte(f.Name, '_'); end > 0 {
				return f.Name[:end]
			}
			return f.Name
		}
	}
	return ""
}

// valueSQL returns the values of a series, null for rows that do not pass: an expression may be made for those that do. What
// is counted is true or null.
func valueSQL(s *window.Series) string {
	x := expressionSQL(s.Expression)
	if s.Where != "" {
		x = "(CASE WHEN " + expressionSQL(s.Where) + " THEN " + x + " END)"
	}
	switch {
	case s.Need == window.Counted:
		return "CASE WHEN " + x + " IS NOT NULL THEN true END"
	case s.Need == window.Compared && s.Type == fstore.String:
		return x + "::VARCHAR"
	}
	return x
}

// settle chooses the types of the series whose values are only compared.
func (s *session) settle(ctx context.Context, v *fstore.ViewVersion, c cut, all []window.Series) error {
	for i := range all {
		if all[i].Need != window.Compared {
			continue
		}
		sql := "SELECT " + expressionSQL(all[i].Expression) + " AS x\nFROM " + windowFrom(&v.View)
		reads, err := s.inputs(ctx, &fstore.ViewVersion{Ref: v.Ref, Sources: v.Sources, Views: v.Views, View: fstore.View{SQL: sql}}, c, "_settle")
		if err == nil {
			err = invalid(s.admit(ctx, sql, reads))
		}
		if err != nil {
			return err
		}
		columns, err := s.describe(ctx, sql)
		if err != nil {
			return err
		}
		t, ok := sqltype.Parse(columns[0].Type).Distinct()
		if !ok {
			return fstore.Errorf(fstore.ErrInvalid, "%s is %s, whose values fstore cannot tell apart", all[i].Expression, columns[0].Type).
				WithHint("count distinct parts of it")
		}
		all[i].Type = t
	}
	return nil
}

// streamSQL returns the query of the rows of the view's input, under conditions: k0, k1…, visible (the instant from which the row
// is visible), asks (false), event, created, and the columns of the series.
func (w *windows) streamSQL(where ...string) string {
	columns := append(w.keys(), w.visibleSQL()+" AS visible", "false AS asks", "event", "created")
	for i := range w.record {
		f := fmt.Sprintf("f%d", i)
		columns = append(columns, w.feature(i, f)+" AS "+f)
	}
	return "SELECT " + strings.Join(columns, ", ") + "\nFROM " + w.name + "\nWHERE " + and(append(w.hasKey(), where...))
}
