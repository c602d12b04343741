package system

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	featurerepo "github.com/fstore-dev/fstore/feature_repo"
)

// TestTrainingSetCreateIsKilled kills fstore training-set create, mostly over a training set that it replaces. Nobody ever
// finds a file beside the lock of another one; the next command of any kind leaves the file, the lock and the record of one
// training set, the old or the new, and nothing beside them.
func TestTrainingSetCreateIsKilled(t *testing.T) {
	t.Parallel()
	r := newRepo(t, "")
	r.must("init", ".")
	r.must("apply", "--yes")
	c := &creates{
		repo: r, rand: rand.New(rand.NewPCG(*seedFlag, 10)), whole: 300 * time.Millisecond, at: map[string]int{},
		labels: featurerepo.Generate(featurerepo.Small).Labels, out: filepath.Join(r.dir, "out", "set.parquet"),
	}
	for c.killed < *killsFlag {
		if c.rand.IntN(6) == 0 { // the first of its name again
			if err := errors.Join(os.RemoveAll(filepath.Dir(c.out)), os.RemoveAll(filepath.Join(r.dir, ".fstore"))); err != nil {
				t.Fatal(err)
			}
			r.must("apply", "--yes")
		}
		c.kill()
	}
	if *killsFlag >= 100 && len(c.at) < 4 {
		t.Errorf("kills hit only %v", c.at)
	}
	t.Logf("%d killed (%v), %d finished by themselves; a create takes %v, seed %d", c.killed, c.at, c.finished, c.whole.Round(time.Millisecond), *seedFlag)
}

// creates is a repo in which one training set is made over and over, each time of other labels.
type creates struct {
	*repo
	rand   *rand.Rand
	labels []featurerepo.Label
	out    string
	whole  time.Duration

	killed, finished int
	at               map[string]int // kills by what they left
}

// pair is a training set as its files are; the digests are empty for what is not there.
type pair struct {
	file string // SHA-256 of the file
	lock string // the lock, compact
	of   string // SHA-256 that the lock names
}

func (c *creates) create() []string {
	return []string{"training-set", "create", "set", "--service", "churn", "--labels", "labels.parquet", "--out", c.out}
}

// kill makes the training set of some of the labels, is killed, looks at what is there, lets another command go on from
// that, and makes it again.
func (c *creates) kill() {
	c.t.Helper()
	from := c.rand.IntN(len(c.labels) - 1)
	if err := parquet.WriteFile(filepath.Join(c.dir, "labels.parquet"), c.labels[from:from+1+c.rand.IntN(len(c.labels)-from)]); err != nil {
		c.t.Fatal(err)
	}
	before, recorded := c.files(), c.recorded()
	args := c.create()
	if recorded != "" {
		args = append(args, "--replace")
	}
	when := c.moment()
	begun := time.Now()
	p, _ := c.start(args...)
	for alive := true; alive && !when(time.Since(begun)); {
		select {
		case <-p.done:
			alive = false
		case <-time.After(20 * time.Microsecond):
		}
	}
	p.kill()
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		c.killed++
		c.at[c.remains(before)]++
	} else if p.cmd.ProcessState.ExitCode() != 0 {
		c.t.Fatalf("create ended with %v:\n%s", p.cmd.ProcessState, p.log)
	} else {
		c.finished++
	}
	c.check(before, recorded)
	begun = time.Now()
	if args = c.create(); c.recorded() != "" {
		args = append(args, "--replace")
	}
	c.must(args...)
	c.whole = (c.whole + time.Since(begun)) / 2
	if now := c.files(); now.file == "" || now.file != now.of || now.lock != c.recorded() {
		c.t.Fatalf("after %d kills, the next create left %+v", c.killed, now)
	}
	c.nothingElse()
}

// moment draws when to kill: after some time, or once the folder of the unfinished files, the lock in it, the record or
// the gap between old and new files is there.
func (c *creates) moment() func(time.Duration) bool {
	after := rand.N(c.whole)
	wal := filepath.Join(c.dir, ".fstore", "registry.db-wal")
	size := max(0, fileSize(wal)) + c.rand.Int64N(24<<10)
	there := fileSize(lockOf(c.out)) >= 0
	glob := func(name string) func(time.Duration) bool {
		return func(time.Duration) bool {
			found, _ := filepath.Glob(filepath.Join(filepath.Dir(c.out), ".set.parquet-unfinished-*", name))
			return len(found) > 0
		}
	}
	switch c.rand.IntN(6) {
	case 0:
		return func(since time.Duration) bool { return since >= after }
	case 1:
		return behind(glob("out.parquet"), rand.N(30*time.Millisecond))
	case 2:
		return behind(glob("out.lock.json"), rand.N(10*time.Millisecond))
	case 3:
		if there {
			return func(time.Duration) bool { return fileSize(lockOf(c.out)) < 0 }
		}
		return func(time.Duration) bool { return fileSize(c.out) >= 0 }
	}
	return behind(func(time.Duration) bool { return fileSize(wal) > size }, rand.N(4*time.Millisecond))
}

func lockOf(out string) string { return strings.TrimSuffix(out, ".parquet") + ".lock.json" }

// files reads the training set as it lies there.
func (c *creates) files() pair {
	c.t.Helper()
	var p pair
	if b, err := os.ReadFile(c.out); err == nil {
		sum := sha256.Sum256(b)
		p.file = hex.EncodeToString(sum[:])
	} else if !errors.Is(err, fs.ErrNotExist) {
		c.t.Fatal(err)
	}
	b, err := os.ReadFile(lockOf(c.out))
	if errors.Is(err, fs.ErrNotExist) {
		return p
	}
	p.lock, p.of = c.lock(b)
	return p
}

// lock returns a lock without spaces, and the digest of the file that it is of.
func (c *creates) lock(b []byte) (compact, of string) {
	c.t.Helper()
	var l struct {
		Output struct {
			SHA256 string `json:"sha256"`
		} `json:"output"`
	}
	var any any
	if err := errors.Join(json.Unmarshal(b, &l), json.Unmarshal(b, &any)); err != nil {
		c.t.Fatalf("a lock: %v in %s", err, b)
	}
	out, err := json.Marshal(any)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(out), l.Output.SHA256
}

// recorded returns the lock in the registry, compact; empty if there is none. It runs no command of training sets, which
// would mend what there is to look at.
func (c *creates) recorded() string {
	c.t.Helper()
	for _, row := range tables(c.t, c.dir) {
		if row.table == "training_sets" && row.cells["retired"] == nil {
			compact, _ := c.lock([]byte(row.cells["lock"].(string)))
			return compact
		}
	}
	return ""
}

// remains says what a kill left.
func (c *creates) remains(before pair) string {
	now := c.files()
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(c.out), ".set.parquet-unfinished-*", "out.lock.json"))
	ready, is := len(found) > 0, "the old files"
	switch {
	case now == pair{}:
		is = "no files"
	case now.lock == "":
		is = "a file without a lock"
	case now != before:
		is = "the new files"
	}
	if ready {
		return is + ", ready"
	}
	return is
}

// check looks at what a kill left, before and after another command.
func (c *creates) check(before pair, recorded string) {
	c.t.Helper()
	left, now := c.files(), c.recorded()
	if left.lock != "" && left.file != left.of {
		c.t.Fatalf("after %d kills there is a file beside the lock of another one: %+v", c.killed, left)
	}
	if c.rand.IntN(2) == 0 && now != "" {
		c.must("training-set", "show", "set")
	} else {
		c.must("training-set", "list")
	}
	switch is := c.files(); {
	case now == recorded && is != before:
		c.t.Fatalf("after %d kills: nothing new is recorded, but the files are %+v, were %+v", c.killed, is, before)
	case now != recorded && (is.lock != now || is.file != is.of):
		c.t.Fatalf("after %d kills: the new one is recorded, but the files are %+v", c.killed, is)
	}
}

// nothingElse says that no temporary file is left.
func (c *creates) nothingElse() {
	c.t.Helper()
	entries, err := os.ReadDir(filepath.Dir(c.out))
	if err != nil || len(entries) != 2 {
		c.t.Fatalf("after %d kills, beside the training set: %v, %v", c.killed, entries, err)
	}
	if left := c.repo.files(".fstore/tmp"); len(left) > 0 {
		c.t.Fatalf("after %d kills: %v", c.killed, left)
	}
}
