package system

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// special are files that a reader would never come to the end of, or only with much memory.
var special = map[string]func(path string) error{
	"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o644) },
	"device": func(path string) error { return os.Symlink("/dev/zero", path) },
	"large": func(path string) error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Truncate(200 << 20)
	},
}

// In the place of every file that fstore reads there is a pipe, a device or 200 MB of nothing: the command that reads
// it ends soon, with an error that names the file.
func TestSpecialFilesInThePlaceOfEveryInput(t *testing.T) {
	r := newRepo(t, "")
	r.must("init", ".")
	r.must("apply", "--yes")
	r.materialize("--to", "2025-12-01")
	r.must("training-set", "create", "t", "--service", "churn", "--labels", "data/labels.parquet", "--out", "t.parquet", "--snapshot")
	create := []string{"training-set", "create", "u", "--service", "churn", "--out", "out/u.parquet", "--labels"}
	get := []string{"get", "--service", "churn", "--entities"}
	state := one(t, filepath.Join(r.dir, ".fstore/state/*/customer_orders@1/*.manifest.parquet"))
	for _, c := range []struct {
		place string   // in the repo
		args  []string // of the command that reads it
		fine  string   // the special files that it does without
	}{
		{"fstore.yaml", []string{"plan"}, ""},
		{"customer.yaml", []string{"validate"}, ""},
		{"shop.sql", []string{"validate"}, ""},
		{".fstore/registry.db", []string{"list"}, ""},
		{".fstore/registry.db-wal", []string{"list"}, "large"},
		{".fstore/registry.db", []string{"apply", "--yes"}, ""},
		{".fstore/online.db", []string{"get", "--service", "churn", "--entity", "customer_id=12003"}, ""},
		{".fstore/online.db-wal", []string{"get", "--service", "churn", "--entity", "customer_id=12003"}, "large"},
		{"data/customers.parquet", []string{"materialize", "customer_profile", "--to", "2025-12-02"}, ""},
		{"data/customers.parquet", []string{"training-set", "verify", "t.lock.json"}, "pipe device large"}, // the snapshot has it, and it is reported
		{"data/lines/2025-01.parquet", []string{"validate"}, ""},
		{"data/labels.parquet", append(create[:len(create):len(create)], "data/labels.parquet"), ""},
		{"l.csv", append(create[:len(create):len(create)], "l.csv"), ""},
		{"q.sql", append(create[:len(create)-1:len(create)-1], "--labels-sql", "q.sql"), ""},
		{"t.lock.json", []string{"training-set", "verify", "t.lock.json"}, ""},
		{"t.lock.json", []string{"training-set", "verify", "t"}, ""},
		{"t.lock.json", []string{"training-set", "rebuild", "t.lock.json", "--out", "out/again.parquet"}, ""},
		{"t.lock.json", []string{"training-set", "diff", "t.lock.json", "t"}, ""},
		{"t.parquet", []string{"training-set", "verify", "t.lock.json"}, ""},
		{"k.csv", append(get[:len(get):len(get)], "k.csv"), ""},
		{"k.json", append(get[:len(get):len(get)], "k.json"), ""},
		{"k.jsonl", append(get[:len(get):len(get)], "k.jsonl"), ""},
		{"k.parquet", append(get[:len(get):len(get)], "k.parquet"), ""},
		{".fstore/state/digests.json", []string{"training-set", "verify", "t", "--no-rebuild"}, "pipe device large"}, // what is remembered is lost
		{state, []string{"materialize", "customer_orders", "--to", "2025-12-02"}, "pipe device large"},               // likewise
		{".fstore/state/causality.json", []string{"verify", "--causal"}, "pipe device large"},                        // likewise
	} {
		for kind, make := range special {
			t.Run(strings.Join([]string{c.args[0], filepath.Base(c.place), kind}, " "), func(t *testing.T) {
				path := filepath.Join(r.dir, c.place)
				restore := putAside(t, path)
				defer restore()
				if err := make(path); err != nil {
					t.Fatal(err)
				}
				cmd := r.command(c.args...)
				var out strings.Builder
				cmd.Stdout, cmd.Stderr = &out, &out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				hung := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
				_ = cmd.Wait()
				status, fine := cmd.ProcessState.ExitCode(), strings.Contains(c.fine, kind)
				if !hung.Stop() || status < 0 || (status == 0) && !fine || status != 0 && !strings.Contains(out.String(), filepath.Base(c.place)) && !fine {
					t.Errorf("fstore %s: exit status %d\n%s", strings.Join(c.args, " "), status, &out)
				}
				if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && usage.Maxrss > 1<<20 {
					t.Errorf("it took %d MB", usage.Maxrss>>10)
				}
			})
		}
	}
}

// putAside moves a file away, if there is one, and returns what brings it back.
func putAside(t *testing.T, path string) (restore func()) {
	t.Helper()
	aside := path + ".aside"
	was := os.Rename(path, aside) == nil
	return func() {
		err := os.RemoveAll(path)
		if was && err == nil {
			err = os.Rename(aside, path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// one returns the only path that a pattern matches, relative to nothing but the repo.
func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatal(fmt.Errorf("%s matches %v, %v", pattern, found, err))
	}
	rel := found[0][strings.Index(found[0], ".fstore/"):]
	return rel
}
