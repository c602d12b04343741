package offline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// csv writes labels and returns the training set made from them, or the error.
func (r *repo) csv(text string) ([][]string, []string, error) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, "l.csv"), []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
	if _, err := r.e.TrainingSet(r.Context(), r.request("l.csv", all(history(r)))); err != nil {
		return nil, nil, err
	}
	rows, columns := r.read("out.parquet")
	var types []string
	for _, c := range columns {
		types = append(types, c.Name+" "+c.Type)
	}
	return rows, types, nil
}

func TestNoLineOfACSVFileIsTakenForACommentOrAPreamble(t *testing.T) {
	r := newRepo(t, 2)
	rows, _, err := r.csv("c,k,t\n#a,1,2011-12-10\nb,1,2011-12-10\n#c,1,2011-12-10\n")
	if err != nil {
		t.Fatal(err)
	}
	r.check(rows, "#a | 1 | 2011-12-10 | 10", "b | 1 | 2011-12-10 | 10", "#c | 1 | 2011-12-10 | 10")
	_, _, err = r.csv("made by me\nk,t\n1,2011-12-10\n")
	r.fails(err, "labels: line 2", "fields: 2, in the header: 1")
}

func TestCSVTextIsReadAsATypeOnlyIfNothingIsLost(t *testing.T) {
	r := newRepo(t, 2)
	for _, c := range []struct {
		cells     string // separated by blanks; ~ is an empty one
		typ, want string
	}{
		{"1 ~ 20", "BIGINT", "1 NULL 20"},
		{"007 1", "VARCHAR", "007 1"},
		{"+491701234 1", "VARCHAR", "+491701234 1"},
		{"0x1F 1", "VARCHAR", "0x1F 1"},
		{"123456789012345678901 1", "VARCHAR", "123456789012345678901 1"},
		{"1.5 2 1e-7 .5", "DOUBLE", "1.5 2.0 1e-07 0.5"},
		{"0.12345678901234568 inf NaN", "DOUBLE", "0.12345678901234568 inf nan"},
		{"1e400 1", "VARCHAR", "1e400 1"},
		{"1234567890123456 1.5", "VARCHAR", "1234567890123456 1.5"},
		{"True false", "BOOLEAN", "true false"},
		{"yes no", "VARCHAR", "yes no"},
		{"t f", "VARCHAR", "t f"},
		{"8:26 09:15:00", "VARCHAR", "8:26 09:15:00"},
		{"08:26:00", "TIME", "08:26:00"},
		{"2011-12-09", "DATE", "2011-12-09"},
		{"13/04/2011", "VARCHAR", "13/04/2011"},
		{"2011-12-09 2011-12-09T10:00:00.5", "TIMESTAMP", "2011-12-09T00:00:00 2011-12-09T10:00:00.5"},
		{"2011-12-09T10:00:00.1234567", "VARCHAR", "2011-12-09T10:00:00.1234567"},
		{"2011-12-09T10:00:00+0200", "TIMESTAMP WITH TIME ZONE", "2011-12-09T08:00:00+00"},
		{"~ ~", "VARCHAR", "NULL NULL"},
	} {
		text, want := "k,t,c\n", strings.Fields(c.want)
		for _, cell := range strings.Fields(c.cells) {
			text += "1,2011-12-10," + strings.TrimPrefix(cell, "~") + "\n"
		}
		rows, types, err := r.csv(text)
		if err != nil {
			t.Errorf("%s: %v", c.cells, err)
			continue
		}
		if types[2] != "c "+c.typ {
			t.Errorf("%s: %s, want %s", c.cells, types[2], c.typ)
		}
		for i, row := range rows {
			if got := strings.Replace(row[2], " ", "T", 1); got != want[i] {
				t.Errorf("%s: row %d: %s, want %s", c.cells, i, got, want[i])
			}
		}
	}
}

func TestCSVOfAnyProgramIsRead(t *testing.T) {
	r := newRepo(t, 2)
	for name, text := range map[string]string{
		"with a mark":           "\xef\xbb\xbfk,t,c\n1,2011-12-10,a\n",
		"of windows":            "k,t,c\r\n1,2011-12-10,a\r\n",
		"of an old mac":         "k,t,c\r1,2011-12-10,a\r",
		"without a last break":  "k,t,c\n1,2011-12-10,a",
		"with semicolons":       "k;t;c\n1;2011-12-10;a\n",
		"with tabs":             "k\tt\tc\n1\t2011-12-10\ta\n",
		"with empty lines":      "k,t,c\n\n1,2011-12-10,a\n\n",
		"with blanks in a head": "k, t, c\n1,2011-12-10,a\n",
		"with quotes":           "\"k\",\"t\",\"c\"\n\"1\",\"2011-12-10\",\"a\"\n",
	} {
		rows, types, err := r.csv(text)
		if err != nil || len(rows) != 1 || strings.Join(types, ", ") != "k BIGINT, t DATE, c VARCHAR, x BIGINT" || strings.Join(rows[0], " ") != "1 2011-12-10 a 10" {
			t.Errorf("%s: %v %v %v", name, rows, types, err)
		}
	}
	rows, types, err := r.csv(",k,t,\"a \"\"b\"\", ü\",_row,row,file_row_number\n0,1.0,2011-12-10,\"x, \"\"y\"\"\nz\",3,3,3\n1,NaN,2011-12-10,,2,2,2\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(types, "; "); got != `column0 BIGINT; k BIGINT; t DATE; a "b", ü VARCHAR; _row BIGINT; row BIGINT; file_row_number BIGINT; x BIGINT` {
		t.Error(got)
	}
	r.check(rows, "0 | 1 | 2011-12-10 | x, \"y\"\nz | 3 | 3 | 3 | 10", "1 | NULL | 2011-12-10 | NULL | 2 | 2 | 2 | NULL")
	if rows, _, err := r.csv("k,t\n"); err != nil || len(rows) != 0 {
		t.Errorf("no rows: %v, %v", rows, err)
	}
}

func TestMistakesInCSVLabelsAreNamedInOneLine(t *testing.T) {
	r := newRepo(t, 2)
	for text, want := range map[string]string{
		"":                               "does not begin with a header",
		"k,t,\x00\n1,2011-12-10,a\n":     "the header is not text: byte 5 is zero",
		"k,t,c\n1,2011-12-10\n":          "line 2: fields: 2, in the header: 3",
		"k,t,c\n1,2011-12-10,a,b\n":      "line 2: fields: 4, in the header: 3",
		"k,t,c\n1,2011-12-10,\"a\n":      "line 2: Value with unterminated quote found",
		"k,t,c\n1,2011-12-10,\xe9\n":     "line 2: Invalid unicode",
		"k,t,c,c\n1,2011-12-10,a,b\n":    "columns c and c have the same name",
		"k,t,c,C\n1,2011-12-10,a,b\n":    "columns c and C have the same name",
		"k,t\n1,infinity\n":              "row 1: column t: infinity is not an instant",
		"k,t\n1,13/12/2011\n":            `row 1: column t: "13/12/2011" is not a`,
		"k,t\n\"1,000\",2011-12-10\n":    `row 1: column k: "1,000" is not an int64`,
		"k,t\n1,2011-12-10\n1,20111210x": `row 2: column t: "20111210x"`,
	} {
		_, _, err := r.csv(text)
		r.fails(err, "training set t: labels: ", want)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%d lines: %v", strings.Count(err.Error(), "\n")+1, err)
		}
	}
}

func TestLongCSVLabelsKeepTheirOrder(t *testing.T) {
	r := newRepo(t, 4)
	var b strings.Builder
	b.WriteString("i,k,t,text\n")
	for i := range 300000 {
		fmt.Fprintf(&b, "%d,1,2011-12-10 00:00:00,\"line %d\nof %d\"\n", i, i%7, i)
	}
	rows, _, err := r.csv(b.String())
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		if row[0] != fmt.Sprint(i) || row[3] != fmt.Sprintf("line %d\nof %d", i%7, i) {
			t.Fatalf("row %d is %q", i, row)
		}
	}
	if len(rows) != 300000 {
		t.Errorf("%d rows", len(rows))
	}
}
