package offline

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/trainset"
)

func TestATrainingSetNeverReplacesWhatItIsMadeFrom(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s/a.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-09 | 10"))
	r.write("hive/day=1/a.parquet", values("k BIGINT | event TIMESTAMP | y BIGINT", "1 | 2011-12-09 | 10"))
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
	if err := os.WriteFile(filepath.Join(r.dir, "l.csv"), []byte("k,t\n1,2011-12-10\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(r.dir, "s"), filepath.Join(r.dir, "link")); err != nil {
		t.Fatal(err)
	}
	hive := source_("hive/**/*.parquet")
	hive.Name = "h"
	list := all(view(source_("s/*.parquet"), []string{"k int64"}, []string{"x int64"}), view(hive, []string{"k int64"}, []string{"y int64"}))
	list.Uses[1].Version.Ref.Name = "w"
	for _, c := range []struct{ labels, out, want string }{
		{"l.parquet", "l.parquet", "is the file of the labels"},
		{"l.csv", "l.csv", "is the file of the labels"},
		{"l.parquet", "x/../l.parquet", "is the file of the labels"},
		{"l.parquet", "s/a.parquet", "is a file of source s"},
		{"l.parquet", "link/a.parquet", "is a file of source s"},
		{"l.parquet", "s/new.parquet", "would be a file of source s, which reads s/*.parquet"},
		{"l.parquet", "hive/day=2/new.parquet", "would be a file of source h"},
		{"l.parquet", "s", "it is a folder"},
	} {
		before := r.files()
		req := r.request(c.labels, list)
		req.Out = filepath.Join(r.dir, c.out)
		_, err := r.e.TrainingSet(t.Context(), req)
		r.fails(err, "training set t: ", c.want)
		after := r.files()
		for name, content := range before {
			if !bytes.Equal(after[name], content) {
				t.Errorf("--out %s: %s has changed", c.out, name)
			}
		}
		if len(after) != len(before) {
			t.Errorf("--out %s: %d files, were %d", c.out, len(after), len(before))
		}
	}
}

// files returns the content of all files of the repo.
func (r *repo) files() map[string][]byte {
	out := map[string][]byte{}
	err := filepath.Walk(r.dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			out[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return out
}

func TestATrainingSetAndItsLockAppearTogetherOrNotAtAll(t *testing.T) {
	r := newRepo(t, 2)
	path := func(name string) string { return filepath.Join(r.dir, name) }
	if err := os.WriteFile(path("out.parquet"), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	v := history(r)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
	if err := os.Mkdir(path("out.lock.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := r.e.TrainingSet(t.Context(), r.request("l.parquet", all(v)))
	r.fails(err, "out.lock.json: it is a folder")
	if got, _ := os.ReadFile(path("out.parquet")); string(got) != "old" {
		t.Errorf("the output is %q", got)
	}
}

func TestAFileThatChangesWhileItIsReadIsNotLocked(t *testing.T) {
	for _, name := range []string{"s.parquet", "l.parquet"} {
		r := newRepo(t, 2)
		v := history(r)
		r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
		req := r.request("l.parquet", all(v))
		req.Progress = func(p trainset.Progress) {
			if p.Stage == "write" {
				later := time.Now().Add(time.Hour)
				if err := os.Chtimes(filepath.Join(r.dir, name), later, later); err != nil {
					t.Error(err)
				}
			}
		}
		_, err := r.e.TrainingSet(t.Context(), req)
		r.fails(err, name+" has changed while it was read")
		if !errors.Is(err, fstore.ErrConflict) {
			t.Errorf("no conflict: %v", err)
		}
		if left, _ := filepath.Glob(filepath.Join(r.dir, "*out*")); len(left) > 0 {
			t.Errorf("written: %v", left)
		}
	}
}

func TestWhatAKilledProcessLeftIsRemovedAndWhatALiveOneUsesIsNot(t *testing.T) {
	r := newRepo(t, 1)
	v := history(r)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
	left := filepath.Join(r.dir, ".other.parquet-unfinished-1", stagedFile)
	ready := filepath.Join(r.dir, ".other.parquet-unfinished-2", stagedLock) // may be recorded
	for _, file := range []string{left, ready} {
		if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("half of it"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	live, err := trainset.NewStaging(filepath.Join(r.dir, "live.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	r.train(r.request("l.parquet", all(v)))
	if _, err := os.Stat(filepath.Dir(left)); !os.IsNotExist(err) {
		t.Errorf("what a killed process left: %v", err)
	}
	for _, path := range []string{live.Folder(), ready} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	none := func([]byte) (string, bool, error) { return "", false, nil }
	if done, err := trainset.Settle(t.Context(), r.dir, none); err != nil || len(done) > 0 {
		t.Errorf("settled %v: %v", done, err)
	}
	if _, err := os.Stat(live.Folder()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(ready)); !os.IsNotExist(err) {
		t.Errorf("what nobody has recorded: %v", err)
	}
	if err := live.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(live.Folder()); !os.IsNotExist(err) {
		t.Errorf("removed: %v", err)
	}
}

func TestLabelColumnsMayHaveAnyName(t *testing.T) {
	r := newRepo(t, 4)
	v := history(r)
	for _, name := range []string{"_row", "_ROW", "row", "file_row_number", "filename", "event", "k0", "l0", "l1", "t0", "e0", "o0", "p0", "j0_0", "visible", "a b", `q"uo'te`, "ünï", "Select", "rowid", "_labels"} {
		r.write("l.parquet", "SELECT 1::BIGINT AS k, 5000 - i AS "+ident(name)+", TIMESTAMP '2011-12-10' AS t FROM range(5000) t(i)")
		sql := r.request("", all(v))
		sql.Labels = Labels{SQL: "SELECT 1::BIGINT AS k, 5000 - i AS " + ident(name) + ", TIMESTAMP '2011-12-10' AS t FROM (SELECT unnest(range(5000)) AS i) ORDER BY i", Sources: v.Sources}
		for _, req := range []TrainingRequest{r.request("l.parquet", all(v)), sql} {
			if _, err := r.e.TrainingSet(t.Context(), req); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			rows, columns := r.read("out.parquet")
			if columns[1].Name != name || rows[0][1] != "5000" || rows[4999][1] != "1" {
				t.Errorf("%s: %v, from %v to %v", name, columns, rows[0], rows[4999])
			}
		}
	}
	type twins struct {
		Small int64 `parquet:"c"`
		Big   int64 `parquet:"C"`
	}
	if err := parquet.WriteFile(filepath.Join(r.dir, "l.parquet"), []twins{{1, 2}}); err != nil {
		t.Fatal(err)
	}
	_, err := r.e.TrainingSet(t.Context(), r.request("l.parquet", all(v)))
	r.fails(err, "columns c and C")
	req := r.request("", all(v))
	req.Labels = Labels{SQL: "SELECT k, event AS t, x AS label, x AS Label FROM s", Sources: v.Sources}
	_, err = r.e.TrainingSet(t.Context(), req)
	r.fails(err, "columns label and Label have the same name")
}

func TestJoinsOneByOneGiveTheSameBytes(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", "SELECT i % 50 AS k, TIMESTAMP '2011-12-01' + to_minutes(i % 7000) AS event, i AS x, i % 3 AS y FROM range(20000) t(i)")
	r.write("l.parquet", "SELECT (hash(i) % 60)::BIGINT AS k, i AS row, TIMESTAMP '2011-12-01' + to_minutes((hash(i + 5) % 9000)::BIGINT) AS t FROM range(10000) t(i)")
	first, second := view(source_("s.parquet"), []string{"k int64"}, []string{"x int64"}), view(source_("s.parquet"), []string{"k int64"}, []string{"y int64"})
	second.Ref.Name, second.View.TTL = "w", ttl(time.Hour)
	req := r.request("l.parquet", all(first, second))
	req.List.Outputs[0], req.List.Outputs[1] = req.List.Outputs[1], req.List.Outputs[0]
	r.train(req)
	want, err := os.ReadFile(req.Out)
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.e.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	req.AsOf = &req.Now
	made := &training{session: s, req: &req, byRef: map[fstore.ViewRef]lookup{}, summary: &TrainingSummary{}}
	for _, do := range []func(context.Context) error{made.readLabels, made.readViews, made.join} {
		if err := do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	from, err := made.joinOneByOne(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.dir, "one.parquet")
	if err := made.copy(t.Context(), from, path); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d: %v", len(got), len(want), err)
	}
}

func TestATrainingSetOfNoLabels(t *testing.T) {
	r := newRepo(t, 2)
	r.write("l.parquet", values("k BIGINT | t TIMESTAMP"))
	rows, s := r.train(r.request("l.parquet", all(history(r))))
	if len(rows) != 0 || s.Rows != 0 {
		t.Errorf("%d rows, %+v", len(rows), s)
	}
}
