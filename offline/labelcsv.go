package offline

import (
	"context"
	"fmt"

	"github.com/fstore-dev/fstore"
)

// labelCSV reads a CSV file with a header. Keys are read as the entity's types and the instant as a time; of the
// other columns DuckDB guesses the types from all rows, and keeps as text what a number would change (007, or
// more digits than a double has).
func (s *session) labelCSV(ctx context.Context, l *labels, req *TrainingRequest) error {
	files, err := s.files(ctx, req.Labels.Path)
	if err != nil {
		return err
	}
	read := "read_csv(" + escaped(files) + ", header = true, sample_size = -1"
	guessed, err := s.describe(ctx, "SELECT *\nFROM "+read+")")
	if err != nil {
		return err
	}
	if err := s.exec(ctx, "CREATE TEMP TABLE _csv AS\nSELECT *, row_number() OVER () - 1 AS _row\nFROM "+read+", all_varchar = true)"); err != nil {
		return err
	}
	keys := map[string]fstore.Type{}
	for _, k := range req.List.KeyColumns() {
		keys[k.Name] = k.Type
	}
	typed := make([]string, 0, len(guessed)+1)
	for _, c := range guessed {
		x := ident(c.Name)
		var conv conversion
		to := c.Type
		key, isKey := keys[c.Name]
		switch {
		case isKey:
			conv, to = keyFromText(x, key), sqlType(key)
		case c.Name == req.Timestamp:
			conv, to = timeFromText(x, c.Type)
		default:
			conv = conversion{cast: "CAST(" + x + " AS " + c.Type + ")"}
			if changed, err := s.changesText(ctx, x, c.Type); err != nil {
				return err
			} else if changed {
				conv, to = conversion{cast: x}, "VARCHAR"
			}
		}
		if err := s.checkText(ctx, c.Name, conv, to); err != nil {
			return err
		}
		typed = append(typed, conv.cast+" AS "+x)
		l.columns = append(l.columns, fstore.EngineColumn{Name: c.Name, Type: to})
	}
	l.from = "(\n  SELECT\n  " + list(append(typed, "_row")) + "\n  FROM _csv\n)"
	return nil
}

// changesText reports whether reading a column's text as a number would change it.
func (s *session) changesText(ctx context.Context, x, guessed string) (bool, error) {
	t := parseType(guessed)
	if t.bits == 0 && t.mantissa == 0 {
		return false, nil
	}
	b, err := s.query(ctx, "SELECT coalesce(bool_or(regexp_matches("+x+", '^[+-]?(0[0-9]|[0-9]{20}|[0-9]{16,}$)') AND ("+
		fmt.Sprint(t.mantissa > 0)+" OR regexp_matches("+x+", '^[+-]?0[0-9]'))), false)\nFROM _csv")
	if err != nil {
		return false, err
	}
	return b.Columns[0].Bools[0], nil
}

// checkText returns an error naming the first row whose text is not of a type.
func (s *session) checkText(ctx context.Context, name string, c conversion, to string) error {
	if c.fits == "" {
		return nil
	}
	x := ident(name)
	b, err := s.query(ctx, "SELECT _row + 1, "+x+"\nFROM _csv\nWHERE "+x+" IS NOT NULL AND ("+c.fits+") IS NOT TRUE\nORDER BY _row\nLIMIT 1")
	if err != nil {
		return err
	}
	if b.Len > 0 {
		return fstore.Errorf(fstore.ErrInvalid, "row %d: column %s: %q is not a %s", b.Columns[0].Int64s[0], name, b.Columns[1].Strings[0], to)
	}
	return nil
}

// keyFromText reads a join key as people and data frames write it: 17850 and 17850.0 are the integer 17850.
func keyFromText(x string, to fstore.Type) conversion {
	whole := "regexp_replace(trim(" + x + "), '\\.0*$', '')"
	switch to {
	case fstore.String:
		return conversion{cast: x}
	case fstore.Int32, fstore.Int64:
		return conversion{
			fits: "regexp_full_match(" + whole + ", '[+-]?[0-9]+') AND TRY_CAST(" + whole + " AS " + sqlType(to) + ") IS NOT NULL",
			cast: "TRY_CAST(" + whole + " AS " + sqlType(to) + ")",
		}
	case fstore.Bytes:
		return conversion{cast: "from_base64(" + x + ")"}
	case fstore.Timestamp:
		c, _ := timeFromText(x, "TIMESTAMP")
		return c
	}
	return conversion{fits: "TRY_CAST(" + x + " AS " + sqlType(to) + ") IS NOT NULL", cast: "TRY_CAST(" + x + " AS " + sqlType(to) + ")"}
}

// timeFromText reads an instant with or without a zone. Digits behind the sixth are cut off, which rounds down.
func timeFromText(x, guessed string) (conversion, string) {
	cut := "regexp_replace(" + x + ", '(\\.[0-9]{6})[0-9]+', '\\1')"
	to := "TIMESTAMP WITH TIME ZONE"
	if guessed == "TIMESTAMP" || guessed == "DATE" {
		to = guessed
	}
	cast := "TRY_CAST(" + cut + " AS TIMESTAMP WITH TIME ZONE)"
	if to != "TIMESTAMP WITH TIME ZONE" {
		cast = "make_timestamp(epoch_us(" + cast + "))::" + to
	}
	return conversion{fits: cast + " IS NOT NULL", cast: cast}, to
}
