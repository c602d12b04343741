package offline

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fstore-dev/fstore"
)

// A file that is not a Parquet file, or not all of one, is named with what is wrong with it, by whichever operation comes
// to it, and nothing is written.
func TestDamagedFilesAreNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(b []byte) []byte
		want   string
	}{
		{"empty", func([]byte) []byte { return nil }, "b.parquet is empty, so it is not a Parquet file"},
		{"text", func([]byte) []byte { return []byte("k,event,x\n1,2011-12-09,1\n") }, "b.parquet is not a Parquet file: it does not begin like one"},
		{"a byte", func([]byte) []byte { return []byte("P") }, "b.parquet is not a Parquet file"},
		{"only a beginning", func(b []byte) []byte { return b[:4] }, "b.parquet is cut off"},
		{"cut off", func(b []byte) []byte { return b[:len(b)-10] }, "b.parquet is cut off: it begins like a Parquet file and does not end like one"},
		{"a footer longer than the file", func(b []byte) []byte { b[len(b)-5] = 0x7f; return b }, "b.parquet is damaged: its footer would have "},
		{"a footer of zeros", func(b []byte) []byte {
			n := len(b) - 8 - int(b[len(b)-8]) - int(b[len(b)-7])<<8
			copy(b[n:len(b)-8], make([]byte, len(b)))
			return b
		}, "b.parquet is damaged: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRepo(t, 2)
			r.write("s/a.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | 1"))
			r.write("s/b.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "2 | 2011-12-02 | 2"))
			r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
			path := filepath.Join(r.dir, "s", "b.parquet")
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			bad := c.damage(bytes.Clone(good))
			if err := os.WriteFile(path, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			src := source_("s/*.parquet")
			v := view(src, []string{"k int64"}, []string{"x int64"})
			_, err = r.e.SourceColumns(t.Context(), &src)
			r.fails(err, "source s: ", c.want)
			_, err = r.asOf(v, day)
			r.fails(err, "source s: ", c.want)
			before := len(r.files())
			_, err = r.e.TrainingSet(t.Context(), r.request("l.parquet", all(v)))
			r.fails(err, "source s: ", c.want)

			// The same for labels, and they may come from anywhere.
			if err := os.WriteFile(path, good, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(r.dir, "b.parquet"), bad, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err = r.e.TrainingSet(t.Context(), r.request("b.parquet", all(v)))
			r.fails(err, "labels: ", c.want)
			if after := len(r.files()); after != before+1 {
				t.Errorf("%d files, want %d", after, before+1)
			}
		})
	}
}

// Whatever bytes of a file are damaged, reading it gives an error that names the file, or values; it does not break.
// Damage that leaves a page readable cannot be seen: Parquet files seldom have checksums.
func TestRandomDamage(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s/a.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT | y VARCHAR", "1 | 2011-12-01 | 1 | a"))
	r.write("s/b.parquet", "SELECT i AS k, TIMESTAMP '2011-12-02' + to_seconds(i) AS event, hash(i) AS x, md5(i::VARCHAR) AS y FROM range(2000) t(i)")
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
	path := filepath.Join(r.dir, "s", "b.parquet")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	v := view(source_("s/*.parquet"), []string{"k int64"}, []string{"y string"})
	named := 0
	for i := range 60 {
		bad := bytes.Clone(good)
		from := 4
		if i%2 == 0 { // the footer is a small part of the file, and has the most to break
			from = len(bad) - 600
		}
		at := from + random.IntN(len(bad)-8-from)
		for j := range 1 + random.IntN(8) {
			bad[min(at+j, len(bad)-9)] ^= byte(1 + random.IntN(255))
		}
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := r.asOf(v, day)
		if err != nil && !strings.Contains(err.Error(), "b.parquet") {
			t.Errorf("damage %d at byte %d: the error names no file: %v", i, at, err)
		}
		if err != nil {
			named++
		}
		if _, err := r.e.TrainingSet(t.Context(), r.request("s/b.parquet", all(v))); err == nil {
			t.Error("labels without an instant were taken")
		}
	}
	if named < 30 {
		t.Errorf("only %d of 60 damages were noticed", named)
	}
}

// What a pattern matches and the engine passes over without a word is an error: rows would be missing.
func TestAPatternPassesNothingOver(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		make          func(path string) error
		want          string
	}{
		{"a link to nothing", "s/*.parquet", func(path string) error { return os.Symlink("nowhere", path) }, "s/b.parquet cannot be read: no such file or directory"},
		{"a folder of files", "s/*.parquet", func(path string) error { return os.Mkdir(path, 0o755) }, "s/b.parquet is a folder (move it away, or name what is in such folders: s/*.parquet/*.parquet)"},
		{"a pipe", "s/*.parquet", func(path string) error { return syscall.Mkfifo(path, 0o644) }, "s/b.parquet is not a file"},
		{"a pipe by its name", "s/b.parquet", func(path string) error { return syscall.Mkfifo(path, 0o644) }, "s/b.parquet is not a file"},
		{"a device by its name", "/dev/null", nil, "/dev/null is not a file"},
		{"a folder by its name", "s", nil, "s is a folder (write s/*.parquet)"},
		{"a URL", "s3://bucket/*.parquet", nil, "path s3://bucket/*.parquet is a URL"},
		{"nothing", "t/*.parquet", nil, "t/*.parquet: there is no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRepo(t, 2)
			r.write("s/a.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | 1"))
			if c.make != nil {
				if err := c.make(filepath.Join(r.dir, "s", "b.parquet")); err != nil {
					t.Fatal(err)
				}
			}
			src := source_(c.pattern)
			_, err := r.e.SourceColumns(t.Context(), &src)
			r.fails(err, c.want)
		})
	}

	// A folder that is not named like a file may stand beside the files.
	r := newRepo(t, 2)
	r.write("s/a.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-01 | 1"))
	r.write("s/archive/b.parquet", values("k BIGINT | event TIMESTAMP | y BIGINT", "1 | 2011-12-01 | 1"))
	for _, pattern := range []string{"s/*", "s/**/*.parquet", "s/[ab].parquet"} {
		src := source_(pattern)
		if _, err := r.e.SourceColumns(t.Context(), &src); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

// Labels are a file, and nothing waits for one that is not.
func TestLabelsThatAreNoFile(t *testing.T) {
	r := newRepo(t, 2)
	v := history(r)
	for _, name := range []string{"pipe.csv", "pipe.parquet"} {
		if err := syscall.Mkfifo(filepath.Join(r.dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(r.dir, "folder.csv"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"pipe.csv": "pipe.csv is not a file", "pipe.parquet": "pipe.parquet is not a file", "/dev/zero": "/dev/zero is not a file",
		"folder.csv": "folder.csv is a folder", ".": "is a folder", "nowhere.parquet": "nowhere.parquet cannot be read: no such file", "*.parquet": "*.parquet cannot be read: no such file",
	} {
		_, err := r.e.TrainingSet(t.Context(), r.request(path, all(v)))
		r.fails(err, "training set t: labels: ", want)
	}
}

// The memory and the disk that a query takes are limits of the machine, not mistakes in what it reads.
func TestOutOfMemory(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(Options{Threads: 1, MemoryLimit: "40MB", Dir: dir, TempDir: filepath.Join(dir, "tmp")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s, err := e.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.exec(t.Context(), "SET max_temp_directory_size = '1MiB'"); err != nil {
		t.Fatal(err)
	}
	err = s.exec(t.Context(), "CREATE TEMP TABLE big AS SELECT i, md5(i::VARCHAR) AS x FROM range(3000000) t(i) ORDER BY x")
	isTooLarge(t, err, "the temporary folder is full: ", "offline.temp_dir")
	err = s.exec(t.Context(), "SELECT list(i) FROM range(30000000) t(i)")
	isTooLarge(t, err, "out of memory: ", "offline.memory_limit")
}

func isTooLarge(t *testing.T, err error, message, hint string) {
	t.Helper()
	e, ok := err.(*fstore.Error)
	if !ok || e.Kind != fstore.ErrTooLarge || !strings.HasPrefix(e.Message, message) || !strings.Contains(e.Hint, hint) || strings.Contains(e.Message, "\n") {
		t.Errorf("got %v, want %s … %s", err, message, hint)
	}
}
