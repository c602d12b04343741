package offline

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/regular"
	"github.com/fstore-dev/fstore/sqltype"
)

// openCSV reads a CSV file with a header (RFC 4180). It takes the delimiter from the header and guesses nothing else about
// the format, because a guess might lose a line as a comment or preamble. It reads keys as the entity's types, the instant
// as a time, and every other column as the first type of guesses that fits all its values.
func (s *session) openCSV(ctx context.Context, r *rowFile, format csvFormat, want rowsWanted) error {
	names, delimiter, err := format.header(r.file)
	if err != nil {
		return err
	}
	if err := checkNames(names); err != nil {
		return err
	}
	if err := s.readCSV(ctx, r.file, len(names), delimiter, format); err != nil {
		return err
	}
	guessed, err := s.guessColumns(ctx, names, want)
	if err != nil {
		return err
	}
	var typed []string
	for i, name := range names {
		if !want.column(name) {
			continue
		}
		x := fmt.Sprintf("c%d", i)
		conv, to, wanted := csvColumn(x, name, want, guessed[i])
		if err := s.checkText(ctx, x, name, conv, wanted); err != nil {
			return err
		}
		typed = append(typed, conv.cast+" AS "+ident(name))
		r.columns = append(r.columns, fstore.EngineColumn{Name: name, Type: to})
	}
	if len(typed) == 0 { // all columns that are wanted are absent
		for i, name := range names {
			typed = append(typed, fmt.Sprintf("c%d AS %s", i, ident(name)))
			r.columns = append(r.columns, fstore.EngineColumn{Name: name, Type: "VARCHAR"})
		}
	}
	r.order = unused(r.columns, "_row")
	r.from = "(\n  SELECT\n  " + list(append(typed, "row AS "+ident(r.order))) + "\n  FROM _csv\n)"
	return nil
}

// csvColumn returns the expression that reads the text x of a column, its engine type, and what the text must be. guessed is
// the type that fits all texts of the column.
func csvColumn(x, name string, want rowsWanted, guessed string) (conversion, string, form) {
	if f := want.typed(name); f != nil {
		hint := "the request column has that type; an empty field is null"
		switch {
		case want.isKey(name):
			hint = "the join key has that type; an empty field is a missing key"
		case len(want.values) > 0:
			hint = "the reference has that type; an empty field is null"
		}
		return typedFromText(x, f.Type), sqltype.Of(f.Type), form{f.Type.WithArticle(), hint}
	}
	if name == want.timestamp {
		if guessed == "VARCHAR" { // such as 2011-12-09 00:00:00 UTC, or empty
			guessed = "TIMESTAMP WITH TIME ZONE"
		}
		return timeFromText(x, guessed), guessed, form{"an instant", "for example 2011-12-09T12:50:00Z or 2011-12-09"}
	}
	return conversion{cast: "TRY_CAST(" + x + " AS " + guessed + ")"}, guessed, form{}
}

// csvFormat is how a CSV file is written, according to its ending.
type csvFormat struct {
	delimiter   rune   // 0: the header shows it
	compression string // as the engine names it
}

// csvHead bounds the header of a CSV file, in bytes.
const csvHead = 1 << 20

// header returns the columns of a file and their delimiter. Unless the format says it, the delimiter is the one of comma,
// semicolon, tab and bar that gives the most columns.
func (c csvFormat) header(path string) (names []string, delimiter rune, err error) {
	head, err := c.head(path)
	if err != nil {
		return nil, 0, err
	}
	quoted := false
	if end := bytes.IndexFunc(head, func(r rune) bool {
		quoted = quoted != (r == '"')
		return !quoted && (r == '\n' || r == '\r')
	}); end >= 0 {
		head = head[:end]
	}
	if len(head) == 0 {
		return nil, 0, fstore.Errorf(fstore.ErrInvalid, "%s does not begin with a header", path).WithHint("the first line names the columns")
	}
	if !utf8.Valid(head) {
		return nil, 0, fstore.Errorf(fstore.ErrInvalid, "%s: the header is not UTF-8: %.100q", path, head).WithHint("save the file as UTF-8")
	}
	if at := bytes.IndexByte(head, 0); at >= 0 {
		return nil, 0, fstore.Errorf(fstore.ErrInvalid, "%s: the header is not text: byte %d is zero", path, at+1).WithHint("save the file as CSV in UTF-8")
	}
	delimiters := []rune{',', ';', '\t', '|'}
	if c.delimiter != 0 {
		delimiters = []rune{c.delimiter}
	}
	for _, d := range delimiters {
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
		if names[i] = strings.TrimSpace(names[i]); names[i] == "" { // pandas writes its index column without a name
			names[i] = fmt.Sprintf("column%d", i)
		}
	}
	return names, delimiter, nil
}

// head returns the start of a file's text, with the header.
func (c csvFormat) head(path string) ([]byte, error) {
	f, err := regular.Open(path, regular.AnySize)
	if err != nil {
		return nil, regular.ReadError(path, err)
	}
	defer f.Close()
	var text io.Reader = f
	if c.compression == gzipped {
		if text, err = gzip.NewReader(f); err != nil {
			return nil, fstore.Errorf(fstore.ErrInvalid, "%s is not compressed with gzip: %v", path, err)
		}
	}
	head, err := io.ReadAll(io.LimitReader(text, csvHead))
	if err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "%s cannot be read: %v", path, err)
	}
	return bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), nil
}

const (
	gzipped      = "gzip"
	uncompressed = "none"
)

// readCSV makes _csv: a file's columns c0, c1… as text (null if empty), and row, which counts from 0.
func (s *session) readCSV(ctx context.Context, file string, columns int, delimiter rune, format csvFormat) error {
	types := make([]string, 0, columns)
	for i := range columns {
		types = append(types, fmt.Sprintf("c%d: 'VARCHAR'", i))
	}
	err := s.exec(ctx, "CREATE TEMP TABLE _csv AS\nSELECT *, row_number() OVER () - 1 AS row\nFROM read_csv("+escaped([]string{file})+
		", auto_detect = false, header = true, columns = {"+strings.Join(types, ", ")+"}, delim = "+text(string(delimiter))+
		", quote = '\"', escape = '\"', comment = '', max_line_size = 16777216, compression = "+text(format.compression)+")")
	return csvError(err)
}

var csvColumns = regexp.MustCompile(`^Expected Number of Columns: (\d+) Found: (\d+)`)

var csvMessage = regexp.MustCompile(`(?s)^CSV Error on Line: (\d+)\nOriginal Line: (.*)`)

// csvError says in one line what is wrong with a CSV file. The engine's own message fills a page.
func csvError(err error) error {
	var e *duckdb.Error
	if !errors.As(err, &e) {
		return err
	}
	m := csvMessage.FindStringSubmatch(e.Message)
	if m == nil {
		return translate(err)
	}
	what, _, _ := strings.Cut(m[2], "\n\nPossible")
	what, _, _ = strings.Cut(what, "\nPossible")
	what = strings.TrimSpace(what)
	what = what[strings.LastIndexByte(what, '\n')+1:]
	if n := csvColumns.FindStringSubmatch(what); n != nil {
		what = "fields: " + n[2] + ", in the header: " + n[1]
	}
	return fstore.Errorf(fstore.ErrInvalid, "line %s: %.200s", m[1], what).
		WithHint("write it as RFC 4180 says, in UTF-8: as many fields in each line as in the header, and \"…\" around text with delimiters, quotes or line breaks")
}

// form says, for messages, what a text must be.
type form struct{ what, hint string }

// checkText returns an error that names the first row whose text is not what it must be.
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

// typedFromText reads a value of a declared type as people and data frames write it: 17850 and 17850.0 are the integer
// 17850, and NaN is a missing key.
func typedFromText(x string, to fstore.Type) conversion {
	switch to {
	case fstore.String:
		return conversion{cast: x}
	case fstore.Int32, fstore.Int64:
		whole := "nullif(lower(regexp_replace(trim(" + x + "), '\\.0*$', '')), 'nan')"
		cast := "TRY_CAST(" + whole + " AS " + sqltype.Of(to) + ")"
		return conversion{fits: whole + " IS NULL OR regexp_full_match(" + whole + ", '[+-]?[0-9]+') AND " + cast + " IS NOT NULL", cast: cast}
	case fstore.Bytes:
		cast := "TRY(from_base64(" + x + "))"
		return conversion{fits: cast + " IS NOT NULL", cast: cast}
	case fstore.Timestamp:
		return timeFromText(x, "TIMESTAMP")
	case fstore.Bool, fstore.Float32, fstore.Float64: // are cast, below
	}
	cast := "TRY_CAST(" + x + " AS " + sqltype.Of(to) + ")"
	return conversion{fits: cast + " IS NOT NULL", cast: cast}
}

// timeFromText reads an instant with or without a zone as a type of times.
func timeFromText(x, to string) conversion {
	cast := "TRY_CAST(" + cutDigits(x) + " AS TIMESTAMP WITH TIME ZONE)"
	if to != "TIMESTAMP WITH TIME ZONE" {
		cast = "make_timestamp(epoch_us(" + cast + "))::" + to
	}
	return conversion{fits: cast + " IS NOT NULL", cast: cast}
}

// cutDigits cuts off digits after the sixth of a second, which rounds down.
func cutDigits(x string) string { return "regexp_replace(" + x + ", '(\\.[0-9]{6})[0-9]+', '\\1')" }
