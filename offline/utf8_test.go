package offline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/fstore-dev/fstore"
)

// textRow is a row whose text other writers may have written in another encoding.
type textRow struct {
	K    string   `parquet:"k"`
	Dict string   `parquet:"dict,dict"`
	Enum string   `parquet:"enum,enum"`
	JSON string   `parquet:"json,json"`
	List []string `parquet:"list,list"`
	T    int64    `parquet:"t,timestamp(microsecond)"`
	X    int64    `parquet:"x"`
}

func goodText() textRow {
	return textRow{K: "a", Dict: "a", Enum: "a", JSON: `"a"`, List: []string{"a"}, T: day.UnixMicro(), X: 1}
}

// badTexts are rows in which one column is not UTF-8.
func badTexts() map[string]textRow {
	out := map[string]textRow{}
	for name, spoil := range map[string]func(*textRow, string){
		"k":    func(r *textRow, s string) { r.K = s },
		"dict": func(r *textRow, s string) { r.Dict = s },
		"enum": func(r *textRow, s string) { r.Enum = s },
		"json": func(r *textRow, s string) { r.JSON = `"` + s + `"` },
		"list": func(r *textRow, s string) { r.List[0] = s },
	} {
		r := goodText()
		spoil(&r, "a\xff")
		out[name] = r
	}
	return out
}

func writeTexts(t *testing.T, path string, rows ...textRow) {
	t.Helper()
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
}

// Text that is not UTF-8 is refused wherever it comes in: it would become another text where somebody writes it as JSON.
func TestTextOfASourceThatIsNotUTF8IsRefused(t *testing.T) {
	for column, bad := range badTexts() {
		if column == "json" {
			continue // JSON is not declared as text
		}
		t.Run(column, func(t *testing.T) {
			r := newRepo(t, 2)
			typ := "string"
			if column == "list" {
				typ = "list<string>"
			}
			src := source_("s.parquet")
			src.Event = "t"
			v := view(src, []string{"x int64"}, []string{column + " " + typ})
			writeTexts(t, filepath.Join(r.dir, "s.parquet"), goodText())
			if got, err := r.asOf(v, day); err != nil || len(got) != 1 {
				t.Fatalf("good text: %v, %v", got, err)
			}
			writeTexts(t, filepath.Join(r.dir, "s.parquet"), goodText(), bad)
			got, err := r.asOf(v, day)
			if !errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), "UTF") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestTextOfLabelsThatIsNotUTF8IsRefused(t *testing.T) {
	for column, bad := range badTexts() {
		t.Run(column, func(t *testing.T) {
			r := newRepo(t, 2)
			r.write("s.parquet", values("k VARCHAR | event TIMESTAMP | y BIGINT", "a | 2011-12-09 | 10"))
			v := view(source_("s.parquet"), []string{"k string"}, []string{"y int64"})
			writeTexts(t, filepath.Join(r.dir, "l.parquet"), goodText(), bad)
			_, err := r.e.TrainingSet(t.Context(), r.request("l.parquet", all(v)))
			if !errors.Is(err, fstore.ErrInvalid) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestFolderValuesThatAreNotUTF8AreRefused(t *testing.T) {
	for _, folder := range []string{"store=a%FF", "store=a\xff"} {
		r := newRepo(t, 2)
		if err := os.MkdirAll(filepath.Join(r.dir, "s", folder), 0o755); err != nil {
			t.Skip(err) // a file system of UTF-8 names
		}
		writeTexts(t, filepath.Join(r.dir, "s", folder, "s.parquet"), goodText())
		src := source_("s/*/*.parquet")
		src.Event = "t"
		got, err := r.asOf(view(src, []string{"x int64"}, []string{"store string"}), day)
		if !errors.Is(err, fstore.ErrInvalid) {
			t.Errorf("%q: got %q, %v", folder, got, err)
		}
	}
}
