package offline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
)

// place makes empty files and folders (with a / at the end) of a repo.
func (r *repo) place(names ...string) {
	r.Helper()
	for _, name := range names {
		path, isFolder := filepath.Join(r.dir, name), strings.HasSuffix(name, "/")
		dir := filepath.Dir(path)
		if isFolder {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			r.Fatal(err)
		}
		if isFolder {
			continue
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			r.Fatal(err)
		}
	}
}

func TestFilesOfATableAreNotASource(t *testing.T) {
	const delta, iceberg, hudi = "Delta Lake table", "Apache Iceberg table", "Apache Hudi table"
	for _, c := range []struct {
		what, log, file string
		paths           []string
		want            string
	}{
		{
			"delta", "t/_delta_log/00000000000000000000.json", "t/part-0.parquet",
			[]string{"t/*.parquet", "t/part-0.parquet", "t", "t/", "*/*.parquet", "**/*.parquet", "**", "t/part-?.parquet", "t/[p]*", "./t/../t/*.parquet", "${T:-t}/*.parquet"},
			delta,
		},
		{
			"delta, partitioned", "t/_delta_log/", "t/day=2011-12-09/region=eu/part-0.parquet",
			[]string{"t/*/*/*.parquet", "t/day=2011-12-09/*/*.parquet", "t/day=2011-12-09/region=eu/*.parquet", "t/day=2011-12-09/region=eu/part-0.parquet", "t/day=2011-12-09", "t/**/*.parquet"},
			delta,
		},
		{"a checkpoint of delta", "t/_delta_log/", "t/_delta_log/00000000000000000010.checkpoint.parquet", []string{"t/_delta_log/*.parquet", "t/*/*.parquet"}, delta},
		{"named like a file", "t.parquet/_delta_log/", "t.parquet/part-0.parquet", []string{"*.parquet", "t.parquet", "t.parquet/*.parquet"}, delta},
		{"iceberg", "t/metadata/v1.metadata.json", "t/data/a.parquet", []string{"t/data/*.parquet", "t/data/a.parquet", "t/data", "t", "t/**/*.parquet", "t/*/*.parquet"}, iceberg},
		{"iceberg, partitioned and hashed", "t/metadata/00001-5a3f1d6e.metadata.json", "t/data/0101/1011/00/day=2011-12-09/a.parquet", []string{"t/data/0101/1011/00/day=2011-12-09/*.parquet"}, iceberg},
		{"iceberg beside its metadata", "t/metadata/v1.metadata.json", "t/a.parquet", []string{"t/*.parquet"}, iceberg},
		{"hudi", "t/.hoodie/hoodie.properties", "t/2011/12/09/a.parquet", []string{"t/*/*/*/*.parquet", "t/2011/12/09/*.parquet", "t/2011/12", "t/**"}, hudi},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := newRepo(t, 1)
			r.write(c.file, values("k BIGINT | event TIMESTAMP", "1 | 2011-12-01"))
			r.place(c.log)
			for _, path := range c.paths {
				src := source_(path)
				_, err := r.e.SourceColumns(t.Context(), &src)
				r.fails(err, "source s: ", c.want, "write the rows of the table to plain Parquet files elsewhere")
			}
			labels := filepath.Join(r.dir, c.file)
			_, err := r.e.TrainingSet(t.Context(), r.request(labels, &fstore.FeatureList{}))
			r.fails(err, "labels: ", c.want)
		})
	}
}

// Neither a link hides a table, nor is everything beside one taken for its files.
func TestATableBesideASource(t *testing.T) {
	r := newRepo(t, 1)
	r.write("lake/t/day=1/part-0.parquet", values("k BIGINT | event TIMESTAMP", "1 | 2011-12-01"))
	r.place("lake/t/_delta_log/")
	r.write("s/a.parquet", values("k BIGINT | event TIMESTAMP", "1 | 2011-12-01"))
	for link, to := range map[string]string{"folder": "lake/t/day=1", "files/b.parquet": "lake/t/day=1/part-0.parquet"} {
		r.place("files/")
		if err := os.Symlink(filepath.Join(r.dir, to), filepath.Join(r.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	r.write("files/a.parquet", values("k BIGINT | event TIMESTAMP", "1 | 2011-12-01"))
	for _, path := range []string{"folder/*.parquet", "files/*.parquet", "files/b.parquet"} {
		src := source_(path)
		_, err := r.e.SourceColumns(t.Context(), &src)
		r.fails(err, "Delta Lake table")
	}
	r.place("s/metadata/notes.json", "lake/u/metadata.json", "_delta_log_of_mine/")
	r.write("lake/u/a.parquet", values("k BIGINT | event TIMESTAMP", "1 | 2011-12-01"))
	for _, path := range []string{"s/*.parquet", "lake/u/*.parquet", "files/a.parquet"} {
		if _, rows, err := r.source(source_(path)); err != nil || len(rows) != 1 {
			t.Errorf("%s: %v, %v", path, rows, err)
		}
	}
}
