package flight

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go"

	"github.com/fstore-dev/fstore"
)

// dictionaryFile returns a file of rows whose texts are in its dictionary once.
func dictionaryFile[T any](t *testing.T, rows int, row func(int) T) []byte {
	t.Helper()
	var file bytes.Buffer
	w := parquet.NewGenericWriter[T](&file)
	for at := 0; at < rows; at += 1000 {
		var some []T
		for i := at; i < min(at+1000, rows); i++ {
			some = append(some, row(i))
		}
		if _, err := w.Write(some); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// sizeOf returns the bytes of a batch in memory.
func sizeOf(b arrow.RecordBatch) (size int) {
	for _, c := range b.Columns() {
		size += int(c.Data().SizeInBytes())
	}
	return size
}

// longTexts are texts of 100 kB, and after them a short one.
func longTexts() (texts []string) {
	for i := range 7 {
		texts = append(texts, strings.Repeat(string(rune('a'+i)), 100_000))
	}
	return append(texts, "short")
}

// Batches of texts that the file has once, in a dictionary, are as large as others: 100,000 texts of 100 kB never take more
// than two bounds at a time, even where long ones begin only later.
func TestBatchesOfLongTextsOfADictionaryAreBounded(t *testing.T) {
	type row struct {
		N    int64  `parquet:"n"`
		Text string `parquet:"text,dict"`
	}
	const count = 100_000
	texts := longTexts()
	textOf := func(i int) string {
		if i < 20_000 {
			return texts[7]
		}
		return texts[i%len(texts)]
	}
	r := openFile(t, dictionaryFile(t, count, func(i int) row { return row{int64(i), textOf(i)} }))
	at, largest := 0, 0
	err := r.each(func(b arrow.RecordBatch) error {
		largest = max(largest, sizeOf(b))
		n, text := b.Column(0).(*array.Int64), b.Column(1).(*array.String)
		for i := range int(b.NumRows()) {
			if n.Value(i) != int64(at) || text.Value(i) != textOf(at) {
				t.Fatalf("row %d: %d, %.10s", at, n.Value(i), text.Value(i))
			}
			at++
		}
		return nil
	})
	if err != nil || at != count {
		t.Errorf("%d rows, %v", at, err)
	}
	if largest > 2*batchBytes+1<<20 || largest < batchBytes {
		t.Errorf("the largest batch has %d bytes", largest)
	}
}

// So are batches of lists of such texts, of which a row may have many.
func TestBatchesOfListsOfLongTextsAreBounded(t *testing.T) {
	type row struct {
		Texts []string `parquet:"texts,dict,list"`
	}
	const count = 1000
	texts := longTexts()
	listOf := func(i int) []string { return texts[:i%len(texts)] }
	r := openFile(t, dictionaryFile(t, count, func(i int) row { return row{listOf(i)} }))
	at := 0
	err := r.each(func(b arrow.RecordBatch) error {
		if size := sizeOf(b); size > batchBytes+2<<20 {
			t.Errorf("a batch has %d bytes", size)
		}
		lists := b.Column(0).(*array.List)
		all := lists.ListValues().(*array.String)
		for i := range int(b.NumRows()) {
			from, to := lists.ValueOffsets(i)
			var got []string
			for j := from; j < to; j++ {
				got = append(got, all.Value(int(j)))
			}
			if strings.Join(got, ",") != strings.Join(listOf(at), ",") {
				t.Fatalf("row %d has %d texts", at, len(got))
			}
			at++
		}
		return nil
	})
	if err != nil || at != count {
		t.Errorf("%d rows, %v", at, err)
	}
}

// An error that says what is wrong is not a damaged file.
func TestOwnErrorsAreNotExplained(t *testing.T) {
	for want, err := range map[error]error{fstore.ErrTooLarge: errLong, fstore.ErrConflict: fstore.Errorf(fstore.ErrConflict, "it is another")} {
		if (&Set{Name: "churn"}).explain(&err); !errors.Is(err, want) || strings.Contains(err.Error(), "cannot be read") {
			t.Error(err)
		}
	}
}
