package offline

import (
	"cmp"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	gocmp "github.com/google/go-cmp/cmp"
)

// rowsOfSample is the definition of a sample: the numbers with the smallest MD5, in order.
func rowsOfSample(s lock.Sample, rows int64) []int64 {
	var all []int64
	for i := range rows {
		all = append(all, i)
	}
	sum := func(i int64) string { return fmt.Sprintf("%x", md5.Sum(fmt.Appendf(nil, "%d:%d", s.Seed, i))) }
	slices.SortFunc(all, func(a, b int64) int { return cmp.Compare(sum(a), sum(b)) })
	all = all[:min(s.Rows, rows)]
	slices.Sort(all)
	return all
}

func TestSampleTakesTheSameLabelsInTheirOrder(t *testing.T) {
	for _, threads := range []int{1, 4} {
		r := newRepo(t, threads)
		v := history(r)
		r.write("l.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2011-12-10' AS t, range AS n, range % 3 AS churned FROM range(5000)")
		for _, s := range []lock.Sample{{Rows: 1, Seed: 0}, {Rows: 100, Seed: 0}, {Rows: 100, Seed: 7}, {Rows: 4999, Seed: -1}, {Rows: 5000, Seed: 0}, {Rows: 9000, Seed: 3}} {
			req := r.request("l.parquet", all(v))
			req.Sample, req.Targets = &s, []string{"churned"}
			rows, sum := r.train(req)
			var got []int64
			for _, row := range rows {
				var n int64
				if _, err := fmt.Sscan(row[2], &n); err != nil {
					t.Fatal(err)
				}
				got = append(got, n)
			}
			if diff := gocmp.Diff(rowsOfSample(s, 5000), got); diff != "" {
				t.Errorf("%v: %s", s, diff)
			}
			if sum.Rows != int64(len(rows)) || sum.Labels != 5000 || sum.Views[0].WithValue != sum.Rows {
				t.Errorf("%v: summary %+v", s, sum)
			}
			text, err := os.ReadFile(filepath.Join(r.dir, "out.lock.json"))
			if err != nil {
				t.Fatal(err)
			}
			lock, err := lock.Read(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(&s, lock.Labels.Sample); diff != "" || lock.Labels.Rows != 5000 || !slices.Equal(lock.Labels.Targets, []string{"churned"}) {
				t.Errorf("%v: the lock has %+v", s, lock.Labels)
			}
			inputs, err := trainset.FindInputs(t.Context(), r.e, lock, trainset.Search{})
			if err != nil {
				t.Fatal(err)
			}
			again, err := trainset.Rebuild(t.Context(), r.e, trainset.RebuildRequest{Lock: lock, Text: text, Inputs: inputs, Now: req.Now})
			if err != nil || !again.Same || !again.SameBytes {
				t.Errorf("%v: made again: %+v, %v", s, again, err)
			}
		}
	}
}

func TestTargetMustBeAColumnToLearn(t *testing.T) {
	r := newRepo(t, 1)
	v := history(r)
	r.write("l.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2011-12-10' AS t, true AS churned")
	for _, c := range []struct {
		targets []string
		want    string
	}{
		{[]string{"chrned"}, "there is no column chrned, the target"},
		{[]string{"k"}, "column k is a join key"},
		{[]string{"t"}, "column t holds the instants"},
		{[]string{"x"}, "there is no column x, the target"}, // a feature
		{[]string{"churned", "churned"}, "is the target twice"},
	} {
		req := r.request("l.parquet", all(v))
		req.Targets = c.targets
		_, err := r.e.TrainingSet(t.Context(), req)
		r.fails(err, c.want)
	}
}

// A lock says of its sample and targets what its output bears out.
func TestLockOfAnotherSampleContradictsItself(t *testing.T) {
	r := newRepo(t, 1)
	v := history(r)
	r.write("l.parquet", "SELECT 1::BIGINT AS k, TIMESTAMP '2011-12-10' AS t, range AS churned FROM range(10)")
	req := r.request("l.parquet", all(v))
	req.Sample, req.Targets = &lock.Sample{Rows: 4}, []string{"churned"}
	_, sum := r.train(req)
	for name, change := range map[string]func(*lock.Lock){
		"no rows":    func(l *lock.Lock) { l.Labels.Sample.Rows = 0 },
		"more rows":  func(l *lock.Lock) { l.Labels.Sample.Rows = 5 },
		"no sample":  func(l *lock.Lock) { l.Labels.Sample = nil },
		"a key":      func(l *lock.Lock) { l.Labels.Targets = []string{"k"} },
		"a feature":  func(l *lock.Lock) { l.Labels.Targets = []string{"x"} },
		"no feature": func(l *lock.Lock) { l.Labels.Targets = []string{"nothing"} },
	} {
		l, err := lock.Read(sum.Lock)
		if err != nil {
			t.Fatal(err)
		}
		change(l)
		text, err := lock.Encode(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lock.Read(text); err == nil {
			t.Errorf("%s: the lock is taken", name)
		}
	}
}
