package offline

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/regular"
)

// labelCSV reads a CSV file with a header, as RFC 4180 has it: nothing about it is guessed but the delimiter, which
// its header shows, or else a line might be lost as a comment or a preamble. Keys are read as the entity's types,
// the instant as a time, and the other columns as the first type of guesses that all their values are of.
func (s *session) labelCSV(ctx context.Context, l *labels, req *TrainingRequest) error {
	if err := s.labelFile(ctx, l, req.Labels.Path); err != nil {
		return err
	}
	file := l.file
	names, delimiter, err := csvHeader(file)
	if err != nil {
		return err
	}
	if err := checkNames(names); err != nil {
		return err
	}
	if err := s.readCSV(ctx, file, len(names), delimiter); err != nil {
		return err
	}
	keys := map[string]fstore.Type{}
	for _, k := range req.List.KeyColumns() {
		keys[k.Name] = k.Type
	}
	typed := make([]string, 0, len(names)+1)
	for i, name := range names {
		x := fmt.Sprintf("c%d", i)
		var conv conversion
		to := ""
		wanted := form{}
		if key, ok := keys[name]; ok {
			conv, to = keyFromText(x, key), sqlType(key)
			wanted = form{"a " + key.String(), "the join key has that type; an empty field is a missing key"}
		} else if name == req.Timestamp {
			conv, to, err = s.instantColumn(ctx, x)
			wanted = form{"an instant", "for example 2011-12-09T12:50:00Z or 2011-12-09"}
		} else {
			to, err = s.guess(ctx, x, guesses)
			conv.cast = "TRY_CAST(" + x + " AS " + to + ")"
		}
		if err == nil {
			err = s.checkText(ctx, x, name, conv, wanted)
		}
		if err != nil {
			return err
		}
		typed = append(typed, conv.cast+" AS "+ident(name))
		l.columns = append(l.columns, fstore.EngineColumn{Name: name, Type: to})
	}
	l.order = unused(l.columns, "_row")
	l.from = "(\n  SELECT\n  " + list(append(typed, "row AS "+ident(l.order))) + "\n  FROM _csv\n)"
	return nil
}

// csvHead bounds the header of a CSV file, in bytes.
const csvHead = 1 << 20

// csvHeader returns the columns of a CSV file and what stands between them: of comma, semicolon, tab and bar the one
// that gives the most columns.
func csvHeader(path string) (names []string, delimiter rune, err error) {
	f, err := regular.Open(path, regular.AnySize)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, csvHead))
	if err != nil {
		return nil, 0, err
	}
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	quoted := false
	if end := bytes.IndexFunc(head, func(r rune) bool {
		quoted = quoted != (r == '"')
		return !quoted && (r == '\n' || r == '\r')
	}); end >= 0 {
		head = head[:end]
	}
	if len(head) == csvHead || bytes.IndexByte(head, 0) >= 0 {
		return nil, 0, fstore.Errorf(fstore.ErrInvalid, "%s is not CSV: its first line is longer than 1 MB or contains a zero byte", path)
	}
	if len(head) == 0 {
		return nil, 0, fstore.Errorf(fstore.ErrInvalid, "%s does not begin with a header", path).WithHint("the first line names the columns")
	}
	for _, d := range []rune{',', ';', '\t', '|'} {
		r := csv.NewReader(bytes.NewReader(head))
		r.Comma = d
		if fields, err := r.Read(); err == nil && len(fields) > len(names) {
			names, delimiter = fields, d
		}
	}
	if names == nil {
		return nil, 0, fstore.Errorf(fstore.ErrInvalid, "%s: the header is not CSV: %.100q", path, head)
	}
	for i := range names {
		if names[i] = strings.TrimSpace(names[i]); names[i] == "" { // pandas writes its index so
			names[i] = fmt.Sprintf("column%d", i)
		}
	}
	return names, delimiter, nil
}

// readCSV makes _csv: a file's columns c0, c1… as text, empty ones null, and row, which counts from 0.
func (s *session) readCSV(ctx context.Context, file string, columns int, delimiter rune) error {
	types := make([]string, 0, columns)
	for i := range columns {
		types = append(types, fmt.Sprintf("c%d: 'VARCHAR'", i))
	}
	err := s.exec(ctx, "CREATE TEMP TABLE _csv AS\nSELECT *, row_number() OVER () - 1 AS row\nFROM read_csv("+escaped([]string{file})+
		", auto_detect = false, header = true, columns = {"+strings.Join(types, ", ")+"}, delim = "+text(string(delimiter))+
		", quote = '\"', escape = '\"', comment = '', max_line_size = 16777216)")
	return csvError(err)
}

var csvColumns = regexp.MustCompile(`^Expected Number of Columns: (\d+) Found: (\d+)`)

var csvMessage = regexp.MustCompile(`(?s)^CSV Error on Line: (\d+)\nOriginal Line: (.*)`)

// csvError says in one line what is wrong with a CSV file, of which the engine gives a page.
func csvError(err error) error {
	var e *duckdb.Error
	if !errors.As(err, &e) {
		return err
	}
	m := csvMessage.FindStringSubmatch(e.Message)
	if m == nil {
		return plain(err)
	}
	what, _, _ := strings.Cut(m[2], "\n\nPossible")
	what, _, _ = strings.Cut(what, "\nPossible")
	what = strings.TrimSpace(what)
	what = what[strings.LastIndexByte(what, '\n')+1:]
	if n := csvColumns.FindStringSubmatch(what); n != nil {
		what = "fields: " + n[2] + ", in the header: " + n[1]
	}
	return fstore.Errorf(fstore.ErrInvalid, "line %s: %.200s", m[1], what).
		WithHint("write it as RFC 4180 has it, in UTF-8: as many fields in each line as in the header, and \"…\" around text with delimiters, quotes or line breaks")
}

// guess is a type and the condition under which a text is a value of it and nothing else: what would come out of
// another text stays text (0042, +49…, 0x1F, yes, more digits than a double has).
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

// guess returns the first type that all texts of a column of _csv are of; VARCHAR where there is none.
func (s *session) guess(ctx context.Context, x string, among []guess) (string, error) {
	for _, g := range among {
		fits := "(" + fmt.Sprintf(g.fits, x) + ") AND TRY_CAST(" + x + " AS " + g.to + ") IS NOT NULL"
		b, err := s.query(ctx, "SELECT x IS NULL\nFROM (\n  SELECT max("+x+") AS x\n  FROM _csv\n)\nWHERE x IS NULL\nUNION ALL\nSELECT true\nFROM (\n  FROM _csv\n  WHERE "+
			x+" IS NOT NULL AND ("+fits+") IS NOT TRUE\n  LIMIT 1\n)")
		if err != nil || b.Len == 0 {
			return g.to, err
		}
	}
	return "VARCHAR", nil
}

// form is what a text has to be, for messages.
type form struct{ what, hint string }

// checkText returns an error naming the first row whose text is not what it has to be.
func (s *session) checkText(ctx context.Context, x, name string, c conversion, wanted form) error {
	if c.fits == "" {
		return nil
	}
	b, err := s.query(ctx, "SELECT row + 1, "+x+"\nFROM _csv\nWHERE "+x+" IS NOT NULL AND ("+c.fits+") IS NOT TRUE\nORDER BY row\nLIMIT 1")
	if err != nil {
		return err
	}
	if b.Len > 0 {
		return fstore.Errorf(fstore.ErrInvalid, "row %d: column %s: %q is not %s", b.Columns[0].Int64s[0], name, b.Columns[1].Strings[0], wanted.what).
			WithHint("%s", wanted.hint)
	}
	return nil
}

// keyFromText reads a join key as people and data frames write it: 17850 and 17850.0 are the integer 17850, and NaN
// is a missing one.
func keyFromText(x string, to fstore.Type) conversion {
	switch to {
	case fstore.String:
		return conversion{cast: x}
	case fstore.Int32, fstore.Int64:
		whole := "nullif(lower(regexp_replace(trim(" + x + "), '\\.0*$', '')), 'nan')"
		cast := "TRY_CAST(" + whole + " AS " + sqlType(to) + ")"
		return conversion{fits: whole + " IS NULL OR regexp_full_match(" + whole + ", '[+-]?[0-9]+') AND " + cast + " IS NOT NULL", cast: cast}
	case fstore.Bytes:
		cast := "TRY(from_base64(" + x + "))"
		return conversion{fits: cast + " IS NOT NULL", cast: cast}
	case fstore.Timestamp:
		return timeFromText(x, "TIMESTAMP")
	}
	cast := "TRY_CAST(" + x + " AS " + sqlType(to) + ")"
	return conversion{fits: cast + " IS NOT NULL", cast: cast}
}

// instantColumn returns how the texts of the instants are read and as what: with a zone unless none has one.
func (s *session) instantColumn(ctx context.Context, x string) (conversion, string, error) {
	to, err := s.guess(ctx, cutDigits(x), timeGuesses)
	if to == "VARCHAR" { // such as 2011-12-09 00:00:00 UTC, or empty
		to = "TIMESTAMP WITH TIME ZONE"
	}
	return timeFromText(x, to), to, err
}

// timeFromText reads an instant with or without a zone as a type of times.
func timeFromText(x, to string) conversion {
	cast := "TRY_CAST(" + cutDigits(x) + " AS TIMESTAMP WITH TIME ZONE)"
	if to != "TIMESTAMP WITH TIME ZONE" {
		cast = "make_timestamp(epoch_us(" + cast + "))::" + to
	}
	return conversion{fits: cast + " IS NOT NULL", cast: cast}
}

// cutDigits cuts off digits behind the sixth of a second, which rounds down.
func cutDigits(x string) string { return "regexp_replace(" + x + ", '(\\.[0-9]{6})[0-9]+', '\\1')" }
