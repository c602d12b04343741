package project

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// verdictFiles is a folder with files of a source.
type verdictFiles struct {
	*testing.T
	dir string
}

func (f verdictFiles) write(name, text string) {
	f.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		f.Fatal(err)
	}
}

// of returns files as the engine would.
func (f verdictFiles) of(names ...string) offline.SourceFiles {
	f.Helper()
	var out []offline.SourceFile
	for _, name := range names {
		info, err := os.Stat(filepath.Join(f.dir, name))
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, offline.SourceFile{Path: filepath.Join(f.dir, name), File: trainset.Identify(info)})
	}
	return offline.SourceFiles{"s": out}
}

// A verdict answers a request for as many instants or fewer, over files of the same content, whatever their names, times and
// inodes. Where files have come, what was computed is known.
func TestAVerdictAnswersForFilesOfTheSameContent(t *testing.T) {
	f := verdictFiles{t, t.TempDir()}
	f.write("a", "one")
	f.write("day=1/b", "two")
	digests := trainset.NewDigests(filepath.Join(t.TempDir(), "digests.json"), t.TempDir())
	digests.TrustAfter(-time.Hour)
	v := &verdicts{file: filepath.Join(t.TempDir(), "state", "causality.json"), digests: digests}
	key := verdictKey{Fingerprint: "f", Build: "b"}
	was := f.of("a", "day=1/b")
	cuts := []offline.CutDigest{{At: fstore.FromMicros(5), Digest: "5"}}
	v.keep(keptVerdict{Key: key, Files: was, Asked: 4, Verdict: lock.Causality{Verdict: "no leak at 4 of 9 instants", Instants: 4, Candidates: 9}, Cuts: cuts})
	for name := range was["s"] { // as a training set does
		if _, err := digests.Of(t.Context(), was["s"][name].Path); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.save(); err != nil {
		t.Fatal(err)
	}
	again := &verdicts{file: v.file, digests: digests}
	again.kept = again.load()
	find := func(key verdictKey, instants int, names ...string) (found bool, known, added int) {
		answer, cuts, files := again.find(t.Context(), key, nil, instants, f.of(names...))
		return answer != nil, len(cuts), len(files)
	}
	expect := func(name string, key verdictKey, instants int, wantFound bool, wantKnown, wantAdded int, names ...string) {
		t.Helper()
		if found, known, added := find(key, instants, names...); found != wantFound || known != wantKnown || added != wantAdded {
			t.Errorf("%s: found %v, %d known, %d added", name, found, known, added)
		}
	}
	expect("the same files", key, 4, true, 0, 0, "a", "day=1/b")
	expect("fewer instants", key, 1, true, 0, 0, "a", "day=1/b")
	expect("more instants", key, 5, false, 1, 0, "a", "day=1/b")
	expect("all instants", key, offline.AllInstants, false, 1, 0, "a", "day=1/b")
	for name, other := range map[string]verdictKey{
		"another definition":              {Fingerprint: "g", Build: "b"},
		"another build":                   {Fingerprint: "f", Build: "c"},
		"read by another view":            {Fingerprint: "f", Build: "b", Read: true},
		"rows created later do not exist": {Fingerprint: "f", Build: "b", AsOf: &time.Time{}},
	} {
		expect(name, other, 1, false, 0, 0, "a", "day=1/b")
	}
	f.write("a", "one")
	expect("written again with the same content", key, 4, true, 0, 0, "a", "day=1/b")
	f.write("copy", "one")
	expect("under another name", key, 4, true, 0, 0, "copy", "day=1/b")
	f.write("day=2/b", "two")
	expect("in another folder that is a column", key, 4, false, 0, 0, "a", "day=2/b")
	f.write("c", "three")
	expect("a file has come", key, 4, false, 1, 1, "a", "c", "day=1/b")
	expect("a file is gone", key, 4, false, 0, 0, "a")
	f.write("a", "ONE")
	expect("other content of the same size", key, 4, false, 0, 0, "a", "day=1/b")
}

// A verdict answers for other labels only if these make no difference: both see all that any label sees.
func TestAVerdictAnswersForLabelsThatSeeAsMuch(t *testing.T) {
	at := func(us int64) *time.Time { p := fstore.FromMicros(us); return &p }
	for name, c := range map[string]struct {
		kept, whole, asked *time.Time
		want               bool
	}{
		"the same labels":                {at(5), at(9), at(5), true},
		"other labels":                   {at(5), at(9), at(6), false},
		"all labels, then some":          {nil, at(9), at(8), false},
		"all labels, then late ones":     {nil, at(9), at(9), true},
		"late labels, then later ones":   {at(10), at(9), at(11), true},
		"late labels, then all":          {at(9), at(9), nil, true},
		"some labels, then all":          {at(8), at(9), nil, false},
		"nothing is ever seen, any time": {at(8), nil, at(1), true},
	} {
		k := keptVerdict{Until: c.kept, Whole: c.whole, Asked: 4}
		if got := k.answers(c.asked, 4); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Whoever reads a view's rows is a reader, also an older live version; one that reads rows of another definition is none.
func TestReadersOfAView(t *testing.T) {
	so := fstore.View{Name: "so", SQL: "select 1", Event: "ts", Features: []fstore.Feature{{Name: "x", Type: fstore.Int64, Column: "x"}}}
	with := func(change func(*fstore.View)) fstore.View { v := so; change(&v); return v }
	day := fstore.Duration(24 * time.Hour)
	for name, c := range map[string]struct {
		up   fstore.View
		want bool
	}{
		"the same":            {so, true},
		"of another schedule": {with(func(v *fstore.View) { v.Publish, v.TTL = &fstore.Publish{Every: day}, &day }), true},
		"described otherwise": {with(func(v *fstore.View) { v.Description, v.Owner, v.SQLFile = "d", "o", "f.sql" }), true},
		"of other SQL":        {with(func(v *fstore.View) { v.SQL = "select 2" }), false},
		"another":             {with(func(v *fstore.View) { v.Name = "other" }), false},
		"of other features":   {with(func(v *fstore.View) { v.Features = nil }), false},
	} {
		readers := []*fstore.ViewVersion{{View: fstore.View{Name: "r"}}, {View: fstore.View{Name: "s"}, Views: []fstore.View{c.up}}}
		if got := isRead(&fstore.ViewVersion{View: so}, readers); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The file of verdicts stays within its bound: the oldest verdicts go. Many verdicts of the same files name them once.
func TestTheOldestVerdictsMakeRoom(t *testing.T) {
	files := func(n int) offline.SourceFiles {
		var out []offline.SourceFile
		for i := range 400 {
			out = append(out, offline.SourceFile{Path: fmt.Sprintf("/data/%d/%d.parquet", n, i), SHA256: strings.Repeat("a", 64)})
		}
		return offline.SourceFiles{"s": out}
	}
	v := &verdicts{file: filepath.Join(t.TempDir(), "causality.json")}
	const all = 500
	for n := range all {
		v.kept = append(v.kept, keptVerdict{Key: verdictKey{Fingerprint: fmt.Sprint(n)}, Files: files(n), fresh: true})
	}
	v.dirty = true
	if err := v.save(); err != nil {
		t.Fatal(err)
	}
	got := v.load()
	if len(got) < 100 || len(got) >= all || got[len(got)-1].Key.Fingerprint != fmt.Sprint(all-1) || !reflect.DeepEqual(got[0].Files, files(all-len(got))) {
		t.Errorf("%d verdicts of %d are kept", len(got), all)
	}
	for n := range v.kept {
		v.kept[n].Files = files(1)
	}
	v.dirty = true
	if err := v.save(); err != nil {
		t.Fatal(err)
	}
	if got := v.load(); len(got) != all || !reflect.DeepEqual(got[7].Files, files(1)) {
		t.Errorf("%d verdicts of the same files are kept", len(got))
	}
}
