package offline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/fstore-dev/fstore"
)

// patchFooter changes the footer of a Parquet file.
func patchFooter(t testing.TB, path string, patch func(*format.FileMetaData)) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := len(text) - 8
	at := end - int(binary.LittleEndian.Uint32(text[end:]))
	footer := &format.FileMetaData{}
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), text[at:end], footer); err != nil {
		t.Fatal(err)
	}
	patch(footer)
	patched, err := thrift.Marshal(new(thrift.CompactProtocol), footer)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text[:at:at], patched...)
	text = append(binary.LittleEndian.AppendUint32(text, uint32(len(patched))), "PAR1"...)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func int64Bytes(v int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }

// A file whose statistics contradict its values is refused by training and by what is served alike. One that states
// less than it could, or wider bounds, is read.
func TestWrongStatisticsInAFooterAreFound(t *testing.T) {
	const k, event, created, name, amount = 0, 1, 2, 3, 4
	at := func(day int) int64 { return time.Date(2011, 12, day, 0, 0, 0, 0, time.UTC).UnixMicro() }
	type stats = format.Statistics
	for _, c := range []struct {
		what   string
		column int
		group  int
		patch  func(*stats)
		want   string
	}{
		{"as it is", event, 0, func(*stats) {}, ""},
		{"a late event", event, 1, func(s *stats) { s.MinValue = int64Bytes(at(30)); s.MaxValue = int64Bytes(at(31)) }, "column event in row group 1 are wrong: they say that the minimum is"},
		{"an early event", event, 0, func(s *stats) { s.MinValue = int64Bytes(at(1) - 9e9); s.MaxValue = int64Bytes(at(1) - 8e9) }, "column event in row group 0 are wrong: they say that the maximum is"},
		{"events of the first version", event, 0, func(s *stats) { *s = stats{Min: int64Bytes(at(30)), Max: int64Bytes(at(31)), NullCount: s.NullCount} }, "column event in row group 0"},
		{"nulls that are not stated", created, 0, func(s *stats) { s.NullCount = 0 }, "they say that no value is null, but "},
		{"all null", created, 1, func(s *stats) { s.NullCount = 2048 }, "they say that every value is null, but "},
		{"a key", k, 0, func(s *stats) { s.MaxValue = int64Bytes(3) }, `the maximum is "3", but the data has "2047"`},
		{"a text key", name, 0, func(s *stats) { s.MinValue = []byte("n9") }, `the minimum is "n9", but the data has "n0"`},
		{"wide bounds", k, 0, func(s *stats) { s.MinValue, s.MaxValue = int64Bytes(-5), int64Bytes(1e6) }, ""},
		{"a text that was cut", name, 0, func(s *stats) { s.MinValue, s.MaxValue = []byte("n"), []byte("o") }, ""},
		{"no bounds", k, 0, func(s *stats) { *s = stats{} }, ""},
		{"one bound", k, 0, func(s *stats) { s.MaxValue = nil }, ""},
		{"texts in the order of the first version", name, 0, func(s *stats) { *s = stats{Min: []byte("z"), Max: []byte("\xff"), NullCount: s.NullCount} }, ""},
		{"another miscount", created, 0, func(s *stats) { s.NullCount++ }, ""},
		{"a column that is neither time nor key", amount, 0, func(s *stats) { s.MaxValue = int64Bytes(-1) }, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := newRepo(t, 2)
			r.write("s/a.parquet", `SELECT i AS k, TIMESTAMP '2011-12-01' + to_minutes(i) AS event,
  CASE WHEN i % 2 = 0 THEN TIMESTAMP '2011-12-05' END AS created, 'n' || i % 1000 AS name, i AS amount FROM range(4096) t(i)`)
			path := filepath.Join(r.dir, "s/a.parquet")
			rewriteInGroups(r, path)
			patchFooter(t, path, func(f *format.FileMetaData) {
				if len(f.RowGroups) != 2 {
					t.Fatalf("%d row groups", len(f.RowGroups))
				}
				c.patch(&f.RowGroups[c.group].Columns[c.column].MetaData.Statistics)
			})
			r.write("l.parquet", "SELECT i AS k, 'n' || i % 1000 AS name, TIMESTAMP '2011-12-20' AS t FROM range(10) t(i)")
			src := source_("s/*.parquet")
			src.Created = "created"
			v := view(src, []string{"k int64", "name string"}, []string{"amount int64"})
			_, serving := r.asOf(v, day)
			_, training := r.e.TrainingSet(t.Context(), r.request("l.parquet", all(v)))
			for _, err := range []error{training, serving} {
				switch {
				case c.want == "" && err != nil:
					t.Error(err)
				case c.want != "" && (!errors.Is(err, fstore.ErrInvalid) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want)):
					t.Errorf("%v, want %s", err, c.want)
				}
			}
		})
	}
}

// What writers compress is decoded as it is, or passed over.
func TestRightStatisticsAreNoFalseAlarm(t *testing.T) {
	r := newRepo(t, 2)
	for _, codec := range []string{"uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4", "lz4_raw"} {
		path := filepath.Join(r.dir, codec+".parquet")
		s, err := r.e.session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if err := s.exec(t.Context(), `COPY (SELECT CASE WHEN i % 5 > 0 THEN (hash(i) // 2)::BIGINT END AS k, hash(i) AS u, (hash(i) % 200)::UINTEGER AS small, DATE '2000-01-01' + (i % 900)::INTEGER AS day,
  TIMESTAMP '2011-12-01' + to_microseconds(i * i) AS event, repeat('x', (hash(i) % 300)::INTEGER) || i AS name, i::DOUBLE / 7 AS f, md5(i::VARCHAR)::UUID AS id, i::HUGEINT AS huge, i::DECIMAL(30, 2) AS d
FROM range(20000) t(i)) TO `+text(path)+` (FORMAT parquet, COMPRESSION `+codec+`, ROW_GROUP_SIZE 4096)`); err != nil {
			t.Fatal(err)
		}
		if err := footerIsRight(t.Context(), path, []string{"k", "u", "small", "day", "event", "name", "f", "id", "huge", "d"}); err != nil {
			t.Error(err)
		}
	}
}

// rewriteInGroups writes a file again in row groups of 2,048 rows.
func rewriteInGroups(r *repo, path string) {
	r.Helper()
	s, err := r.e.session(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	defer s.close()
	if err := s.exec(r.Context(), fmt.Sprintf("COPY (SELECT * FROM read_parquet(%s) ORDER BY k) TO %s (FORMAT parquet, ROW_GROUP_SIZE 2048)", text(path), text(path+".new"))); err != nil {
		r.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		r.Fatal(err)
	}
}

// Statistics that were right once are checked again after the file changes.
func TestAChangedFooterIsCheckedAgain(t *testing.T) {
	r := newRepo(t, 1)
	r.write("a.parquet", "SELECT i AS k, i AS a FROM range(10) t(i)")
	path := filepath.Join(r.dir, "a.parquet")
	r.e.digests.TrustAfter(0)
	tick(t, r.e.digests, path)
	if err := r.e.checkFooter(t.Context(), path, []string{"k"}); err != nil {
		t.Fatal(err)
	}
	patchFooter(t, path, func(f *format.FileMetaData) { f.RowGroups[0].Columns[0].MetaData.Statistics.MaxValue = int64Bytes(1) })
	if err := r.e.checkFooter(t.Context(), path, []string{"k"}); err == nil {
		t.Error("the wrong statistics of a changed file are not found")
	}
}
