package offline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/fstore-dev/fstore"
)

// The engine's advice is about settings and options that users of fstore do not have.
func TestAdviceOfTheEngineIsLeftOut(t *testing.T) {
	e, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s, err := e.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return text(path)
	}
	two := "COPY (SELECT 1 AS a) TO " + text(filepath.Join(dir, "a.parquet")) + " (FORMAT parquet)"
	for _, sql := range []string{two, strings.ReplaceAll(two, "a", "a")} {
		if err := s.exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	leaks := regexp.MustCompile(`(?i)strict_mode|ignore_errors|union_by_name|null_padding|possible (fixes|solution)|\bset [a-z_]+ ?=|https?://|configuration option|sample_size|all_varchar`)
	for _, sql := range []string{
		"SELECT (SELECT unnest([1, 2]))",
		"FROM read_csv(" + file("q.csv", "a,b\n1,\"x\n") + ", header = true, auto_detect = false, columns = {a: 'VARCHAR', b: 'VARCHAR'})",
		"FROM read_csv(" + file("n.csv", "a,b\n1,2,3\n") + ", header = true, auto_detect = false, columns = {a: 'VARCHAR', b: 'VARCHAR'})",
		"FROM read_csv(" + file("t.csv", "a\nx\n") + ", header = true, auto_detect = false, columns = {a: 'INTEGER'})",
		"FROM read_csv(" + file("s.csv", strings.Repeat("a;b|c,d\n\"", 50)) + ")",
		"FROM read_json(" + file("j.json", "{\"a\": 1}\n{\"a\": [}\n") + ")",
		"FROM read_parquet([" + text(filepath.Join(dir, "a.parquet")) + ", " + text(filepath.Join(dir, "b.parquet")) + "])",
		"SELECT 'x'::INTEGER", "SELECT 1 / 'x'", "SELECT nosuch(1)", "SELECT strptime('x', '%Y')", "SELECT repeat('x', 9223372036854775807)",
		"FROM 'https://example.invalid/x.parquet'", "SELECT 1 WHERE " + strings.Repeat("(", 2000) + "1" + strings.Repeat(")", 2000), "SELECT [1, 2]::INTEGER[3]",
	} {
		_, err := s.query(t.Context(), sql)
		if err == nil {
			continue
		}
		if message := err.Error(); leaks.MatchString(message) || message == "" {
			t.Errorf("%s\n%q", sql, message)
		}
	}
	for message, want := range map[string]string{
		"CSV Error on Line: 2\nValue with unterminated quote found.\n\nPossible fixes:\n* Disable the parser's strict mode (strict_mode=false)":                              "CSV Error on Line: 2\nValue with unterminated quote found.",
		"More than one row returned by a subquery.\n\nUse \"SET scalar_subquery_error_on_multiple_rows=false\" to revert":                                                    "More than one row returned by a subquery.",
		"schema mismatch in glob: column \"a\" was read from b, but is missing in c. If you are trying to read files with different schemas, try setting union_by_name=True": "schema mismatch in glob: column \"a\" was read from b, but is missing in c.",
		"Malformed JSON in file x, at byte 3: unexpected character. Try setting 'ignore_errors' to true":                                                                     "Malformed JSON in file x, at byte 3: unexpected character.",
		"Could not convert string 'x' to INT32": "Could not convert string 'x' to INT32",
		"the column set (a) is empty":           "the column set (a) is empty",
	} {
		if got := withoutAdvice(message); got != want {
			t.Errorf("%q\n got %q\nwant %q", message, got, want)
		}
	}
}

// A file that is whole, and that fstore cannot read, is not called damaged.
func TestFilesThatAreNotSupportedAreNotDamaged(t *testing.T) {
	type row struct {
		K int64 `parquet:"k,snappy"`
	}
	var buf bytes.Buffer
	w := parquet.NewGenericWriter[row](&buf)
	rows := make([]row, 100)
	for i := range rows {
		rows[i].K = int64(i % 7)
	}
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole := buf.Bytes()
	footer := func(edit func(*format.FileMetaData)) []byte {
		n := len(whole) - 8 - int(binary.LittleEndian.Uint32(whole[len(whole)-8:]))
		var meta format.FileMetaData
		protocol := new(thrift.CompactProtocol)
		if err := thrift.Unmarshal(protocol, whole[n:len(whole)-8], &meta); err != nil {
			t.Fatal(err)
		}
		edit(&meta)
		raw, err := thrift.Marshal(protocol, &meta)
		if err != nil {
			t.Fatal(err)
		}
		out := append(bytes.Clone(whole[:n]), raw...)
		return append(binary.LittleEndian.AppendUint32(out, uint32(len(raw))), parquetMagic...)
	}
	codec := func(c format.CompressionCodec) []byte {
		return footer(func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.Codec = c })
	}
	for _, c := range []struct {
		name       string
		content    []byte
		want, hint string
	}{
		{"lz4", codec(format.Lz4), "is compressed in a way that fstore cannot read", "zstd"},
		{"lzo", codec(format.LZO), "is compressed in a way that fstore cannot read", "zstd"},
		{"encrypted footer", append(append([]byte(encryptedMagic), whole[4:len(whole)-4]...), encryptedMagic...), "is encrypted", "without Parquet's encryption"},
		{"plain footer", footer(func(m *format.FileMetaData) {
			m.EncryptionAlgorithm = format.EncryptionAlgorithm{Value: &format.AesGcmV1{}}
		}), "is encrypted", "without Parquet's encryption"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x.parquet")
			if err := os.WriteFile(path, c.content, 0o644); err != nil {
				t.Fatal(err)
			}
			err := readWhole(t, path)
			if err == nil { // the pages are not encrypted in truth: this is what is said when they cannot be read
				err = misread(path, "no page begins here")
			}
			var e *fstore.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || !strings.Contains(e.Hint, c.hint) || strings.Contains(err.Error(), "damaged") {
				t.Errorf("got %v, want %q with a hint of %q", err, c.want, c.hint)
			}
		})
	}
}

// readWhole reads a file as a source and returns what is wrong with it.
func readWhole(t *testing.T, path string) error {
	t.Helper()
	e, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s, err := e.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.sourceView(t.Context(), &fstore.Source{Name: "s", Path: path}, cut{}, &usage{all: true}); err != nil {
		return err
	}
	if _, err := s.query(t.Context(), "SELECT md5(string_agg(k, ' ' ORDER BY k))\nFROM s"); err != nil {
		return s.blame(t.Context(), err)
	}
	return nil
}

// SQL reads 0.0 for -0.0 of a file, and one NaN, so that max() and DISTINCT have no choice.
func TestSQLReadsOneZero(t *testing.T) {
	e, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s, err := e.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	path := filepath.Join(t.TempDir(), "x.parquet")
	if err := s.exec(t.Context(), "COPY (SELECT unnest(['0.0', '-0.0', 'nan', '-nan'])::DOUBLE AS x, unnest(['0.0', '-0.0', 'nan', '-nan'])::FLOAT AS y) TO "+text(path)+" (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	if err := s.sourceView(t.Context(), &fstore.Source{Name: "s", Path: path}, cut{}, &usage{all: true}); err != nil {
		t.Fatal(err)
	}
	b, err := s.query(t.Context(), "SELECT DISTINCT x::VARCHAR || ' ' || y::VARCHAR || ' ' || signbit(x)::VARCHAR AS v\nFROM s\nORDER BY v")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(b.Columns[0].Strings, ", "); got != "0.0 0.0 false, nan nan false" {
		t.Errorf("got %s", got)
	}
}
