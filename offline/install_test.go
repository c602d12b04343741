package offline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// Names of the files in a staging folder.
const (
	stagedFile = "out.parquet"
	stagedLock = "out.lock.json"
)

// errKilled stands for the end of the process.
var errKilled = errors.New("killed")

// TestAKilledTrainingSetIsThereOrNot ends a training set that replaces another one at each point at which its files are
// moved, settles what is left, and finds the old one or the new one, whole.
func TestAKilledTrainingSetIsThereOrNot(t *testing.T) {
	moves := []struct {
		name     string
		recorded bool
		undo     func(dir, out string) error // takes back what comes behind the point
	}{
		{"before_the_lock_is_ready", false, func(dir, _ string) error { return os.Remove(filepath.Join(dir, stagedLock)) }},
		{"before_it_is_recorded", false, func(string, string) error { return nil }},
		{"before_the_old_lock_is_removed", true, func(string, string) error { return nil }},
		{"before_the_file_is_moved", true, func(_, out string) error { return os.Remove(lock.Path(out)) }},
		{"before_the_lock_is_moved", true, func(dir, out string) error {
			return errors.Join(os.Remove(lock.Path(out)), os.Rename(filepath.Join(dir, stagedFile), out))
		}},
		{"before_the_folder_is_removed", true, func(dir, out string) error {
			return errors.Join(os.Rename(filepath.Join(dir, stagedFile), out), os.Rename(filepath.Join(dir, stagedLock), lock.Path(out)))
		}},
	}
	for _, m := range moves {
		t.Run(m.name, func(t *testing.T) {
			r := newRepo(t, 1)
			v := history(r)
			r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10"))
			req := r.request("l.parquet", all(v))
			r.train(req)
			old := r.pair(req.Out)
			r.write("l.parquet", values("k BIGINT | t TIMESTAMP", "1 | 2011-12-10", "2 | 2011-12-11"))
			var lock []byte
			kept := ""
			req.Now = req.Now.Add(time.Hour)
			req.Record = func(s *TrainingSummary) error {
				lock = s.Lock
				found, err := filepath.Glob(filepath.Join(r.dir, ".out.parquet-unfinished-*"))
				if err != nil || len(found) != 1 {
					t.Fatal(found, err)
				}
				kept = filepath.Join(r.dir, "kept")
				if err := os.CopyFS(kept, os.DirFS(found[0])); err != nil {
					t.Fatal(err)
				}
				return errKilled
			}
			if _, err := r.e.TrainingSet(t.Context(), req); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			if got := r.pair(req.Out); got != old {
				t.Error("a training set that could not be recorded has changed the files")
			}
			dir := filepath.Join(r.dir, ".out.parquet-unfinished-1")
			if err := errors.Join(os.Rename(kept, dir), m.undo(dir, req.Out)); err != nil {
				t.Fatal(err)
			}
			recorded := func(have []byte) (string, bool, error) {
				return req.Out, m.recorded && string(have) == string(lock), nil
			}
			done, err := trainset.Settle(t.Context(), r.dir, recorded)
			if err != nil {
				t.Fatal(err)
			}
			got := r.pair(req.Out)
			whole, err := trainset.Digest(context.Background(), req.Out)
			switch {
			case err != nil:
				t.Error(err)
			case !m.recorded && (got != old || len(done) > 0):
				t.Errorf("it was not recorded, but the files are not the old ones; settled %v", done)
			case m.recorded && (got.lock != string(lock)+"\n" || got.file == old.file):
				t.Errorf("it was recorded, but the files are not the new ones; settled %v", done)
			}
			if !strings.Contains(got.lock, whole.SHA256) {
				t.Error("the lock is that of another file")
			}
			if left, _ := filepath.Glob(filepath.Join(r.dir, ".*unfinished*")); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

// filePair is the content of a training set's files; empty for one that is not there.
type filePair struct{ file, lock string }

func (r *repo) pair(out string) filePair {
	file, _ := os.ReadFile(out)
	lock, _ := os.ReadFile(lock.Path(out))
	return filePair{string(file), string(lock)}
}
