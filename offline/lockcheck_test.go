package offline

import (
	"strings"
	"testing"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// A lock that a program has sealed which does not know the rules is refused as well.
func TestALockThatContradictsItselfIsRefused(t *testing.T) {
	r := newRepo(t, 2)
	refuses(r, realLocks(r)[0].text, []contradiction{
		{"continuous publication of another view", "continuous: [v@1] are named", func(l *lock.Lock) { l.Continuous = []fstore.ViewRef{l.Views[0].Ref} }},
		{"no such use", "use 9 is not one of", func(l *lock.Lock) { *l.Features[0].Use = 9 }},
		{"use of another view", "is not one of", func(l *lock.Lock) { *l.Features[0].Use = 1 }},
		{"no such view", "there is no view w@9", func(l *lock.Lock) { l.Uses[1].View.Version = 9 }},
		{"no such feature", "has no feature q", func(l *lock.Lock) { l.Features[0].Feature = "q" }},
		{"another type", "has no feature a of type string", func(l *lock.Lock) { l.Features[0].Type = l.Features[1].Type }},
		{"other keys", "binds other keys", func(l *lock.Lock) { l.Uses[0].Keys = nil }},
		{"no source", "there is no source s", func(l *lock.Lock) { l.Views[0].Sources = nil }},
		{"source without files", "there is no s with path", func(l *lock.Lock) { l.Sources[0].Path = "elsewhere" }},
		{"no files", "it has no files", func(l *lock.Lock) { l.Sources[0].Files = nil }},
		{"no digest", `sources[0].files[0].sha256: "../../x" is not 64`, func(l *lock.Lock) { l.Sources[0].Files[0].SHA256 = "../../x" }},
		{"a digest in upper case", "output.sha256: \"" + strings.Repeat("A", 64), func(l *lock.Lock) { l.Output.SHA256 = strings.Repeat("A", 64) }},
		{"no size", "labels.file.size: -1", func(l *lock.Lock) { l.Labels.File.Size = -1 }},
		{"no path", `sources[0].files[0].path: "" is not a clean absolute path`, func(l *lock.Lock) { l.Sources[0].Files[0].Path = "" }},
		{"a path that leads out", `path: "/../../home/x" is not a clean absolute path`, func(l *lock.Lock) { l.Sources[0].Files[0].Path = "/../../home/x" }},
		{"a step out in a path", `path: "/data/day=1/../x" is not a clean`, func(l *lock.Lock) { l.Sources[0].Files[0].Path = "/data/day=1/../x" }},
		{"a path with an empty step", `labels.file.path: "/data//x"`, func(l *lock.Lock) { l.Labels.File.Path = "/data//x" }},
		{"a path with a slash at its end", `output.path: "/data/"`, func(l *lock.Lock) { l.Output.Path = "/data/" }},
		{"a path from nowhere", `output.path: "x.parquet"`, func(l *lock.Lock) { l.Output.Path = "x.parquet" }},
		{"a zero byte", `path: "/a\x00b" contains a zero byte`, func(l *lock.Lock) { l.Sources[0].Files[0].Path = "/a\x00b" }},
		{"a long path", "is longer than 4096 bytes", func(l *lock.Lock) { l.Sources[0].Files[0].Path = strings.Repeat("/a", 3000) }},
		{"a long step", "has a step longer than 255 bytes", func(l *lock.Lock) { l.Sources[0].Files[0].Path = "/k=" + strings.Repeat("v", 300) }},
		{"neither file nor query", "either a file or a query", func(l *lock.Lock) { l.Labels.File = nil }},
		{"values in more rows than there are", "uses: 0 has a value in", func(l *lock.Lock) { *l.Uses[0].WithValue = l.Output.Rows + 1 }},
		{"values in fewer rows than none", "uses: 0 has a value in -1 of", func(l *lock.Lock) { *l.Uses[0].WithValue = -1 }},
		{"values of a feature in rows without any", "has a value in 0 rows, and its feature", func(l *lock.Lock) { *l.Uses[0].WithValue = 0 }},
		{"another content", "the digest of the content", func(l *lock.Lock) { l.Output.Rows++ }},
		{"a name that is none", "name", func(l *lock.Lock) { l.Name = "../x" }},
		{"a view twice", "v@1 is there twice", func(l *lock.Lock) { l.Views = append(l.Views, l.Views[0]) }},
		{"a view without a use", "there is none of view spare@1", func(l *lock.Lock) {
			spare := *l.Views[0]
			spare.Ref.Name, spare.View.Name = "spare", "spare"
			l.Views = append(l.Views, &spare)
		}},
		{"a view of another name", "v@1 is called w in its definition", func(l *lock.Lock) { l.Views[0].View.Name = "w" }},
		{"another event time", "its times are not those of source s", func(l *lock.Lock) { l.Views[0].View.Event = "elsewhen" }},
		{"another created time", "its times are not those of source s", func(l *lock.Lock) { l.Views[0].View.Created = "elsewhen" }},
		{"another availability", "its times are not those of source s", func(l *lock.Lock) { l.Views[0].View.Available.Lag += fstore.Duration(time.Hour) }},
		{"other inputs", "it reads source s, and inputs says r", func(l *lock.Lock) { l.Views[0].View.Inputs = []string{"r"} }},
		{"a source of a view twice", "source s is there twice", func(l *lock.Lock) { l.Views[0].Sources = append(l.Views[0].Sources, l.Views[0].Sources[0]) }},
		{"a feature of a view twice", "feature a is there twice", func(l *lock.Lock) {
			l.Views[0].View.Features = append(l.Views[0].View.Features, l.Views[0].View.Features[0])
		}},
		{"sources for a file of labels", "a file makes them, and it reads no sources", func(l *lock.Lock) { l.Labels.Inputs = l.Views[0].Sources }},
		{"a source twice", "it is there twice with path", func(l *lock.Lock) { l.Sources = append(l.Sources, l.Sources[0]) }},
		{"a source that nothing reads", "no definition has it with path", func(l *lock.Lock) {
			l.Sources = append(l.Sources, l.Sources[0])
			l.Sources[len(l.Sources)-1].Name = "r"
		}},
		{"a file of two sizes", "has another size or digest where it is named before", func(l *lock.Lock) {
			l.Sources[0].Files = append(l.Sources[0].Files, l.Sources[0].Files[0])
			l.Sources[0].Files[1].Size++
		}},
		{"a file of two digests", "has another size or digest where it is named before", func(l *lock.Lock) {
			l.Sources[0].Files[0].Path = l.Labels.File.Path
		}},
		{"another name of a column", "and feature 1 is a BIGINT", func(l *lock.Lock) { lastColumns(l)[0].Name = "z" }},
		{"another type of a column", "and feature 1 is a BIGINT", func(l *lock.Lock) { lastColumns(l)[0].Type = "DOUBLE" }},
		{"a feature that is not in the output", "output: column", func(l *lock.Lock) { l.Features = append(l.Features, l.Features[0]) }},
		{"a column that is not a feature", "output: column", func(l *lock.Lock) { l.Features = l.Features[:len(l.Features)-1] }},
		{"more features than columns", "output: it has 0 columns", func(l *lock.Lock) { l.Output.Columns = nil }},
		{"a column twice", "is there twice", func(l *lock.Lock) { l.Output.Columns = append([]lock.Column{l.Output.Columns[0]}, l.Output.Columns...) }},
		{"another instant", "the output has no column nope of instants", func(l *lock.Lock) { l.Labels.Timestamp = "nope" }},
		{"an instant that is none", "of instants", func(l *lock.Lock) { l.Labels.Timestamp = "k" }},
		{"another column for a key", "the output has no column nope of labels for a join key", func(l *lock.Lock) { l.Uses[0].Keys[0].Column = "nope" }},
		{"a key of another type", "the output has no column k of labels for a join key", func(l *lock.Lock) { l.Output.Columns[0].Type = "BLOB" }},
		{"other rows of labels", "rows are taken, and the output has", func(l *lock.Lock) { l.Labels.Rows++ }},
		{"other counts", "values and", func(l *lock.Lock) { l.Output.Columns[0].Statistics.Count-- }},
		{"fewer than no nulls", "values and", func(l *lock.Lock) {
			s := &lastColumns(l)[0].Statistics
			s.Count, s.Nulls = s.Count+s.Nulls+1, -1
		}},
		{"more NaNs than values", "values are NaN", func(l *lock.Lock) { s := &l.Output.Columns[0].Statistics; s.NaNs = s.Count + 1 }},
		{"more distinct values than values", "values are distinct", func(l *lock.Lock) { s := &l.Output.Columns[0].Statistics; *s.Distinct = s.Count + 1 }},
		{"another histogram", "the histogram counts", func(l *lock.Lock) { l.Output.Columns[0].Statistics.Histogram[0].Count++ }},
		{"a least value without a greatest", "only one of the least", func(l *lock.Lock) { l.Output.Columns[0].Statistics.Max = nil }},
	})
}

// The verdicts of a lock are of its views with SQL, one of each.
func TestALockWithOtherVerdictsIsRefused(t *testing.T) {
	r := newRepo(t, 2)
	locks := realLocks(r)
	refuses(r, locks[0].text, []contradiction{
		{"a verdict for a view without SQL", "causality: v@1 has no SQL to check", func(l *lock.Lock) { l.Causality = []lock.Causality{{View: l.Views[0].Ref, Verdict: lock.Unchecked}} }},
	})
	verdict := func(of, candidates int64) lock.Causality {
		return lock.Causality{View: fstore.ViewRef{Name: "g", Version: 1}, Verdict: "no leak", Instants: of, Candidates: candidates}
	}
	refuses(r, locks[1].text, []contradiction{
		{"a verdict for no view", "causality: there is no view h@1", func(l *lock.Lock) {
			l.Causality = []lock.Causality{verdict(4, 9)}
			l.Causality[0].View.Name = "h"
		}},
		{"two verdicts for a view", "causality: g@1 is there twice", func(l *lock.Lock) { l.Causality = []lock.Causality{verdict(4, 9), verdict(4, 9)} }},
		{"fewer than no instants", "causality: g@1 is compared at -1 of 9 instants", func(l *lock.Lock) { l.Causality = []lock.Causality{verdict(-1, 9)} }},
		{"more instants than there are", "causality: g@1 is compared at 10 of 9 instants", func(l *lock.Lock) { l.Causality = []lock.Causality{verdict(10, 9)} }},
	})
}

// The on-demand views, request columns and faults of a lock agree with the rest, and the expressions compile.
func TestALockWithOtherOnDemandFeaturesIsRefused(t *testing.T) {
	r := newRepo(t, 2)
	refuses(r, realLocks(r)[2].text, []contradiction{
		{"a view that is null", "on_demand: 0 is null", func(l *lock.Lock) { l.OnDemand[0] = nil }},
		{"a view twice", "trip@1 is there twice", func(l *lock.Lock) { l.OnDemand[1] = l.OnDemand[0] }},
		{"a view of another name", "on_demand: trip@1 is called tour", func(l *lock.Lock) { l.OnDemand[0].View.Name = "tour" }},
		{"no on-demand view", "it has no use, and there is no on-demand view", func(l *lock.Lock) { l.Features[1].View.Name = "nope" }},
		{"no such on-demand feature", "has no feature nope of type", func(l *lock.Lock) { l.Features[1].Feature = "nope" }},
		{"another type", "has no feature share of type bool", func(l *lock.Lock) { l.Features[1].Type = fstore.Bool }},
		{"an expression that does not compile", "on_demand: ", func(l *lock.Lock) { l.OnDemand[0].View.Features[0].Expression = "price / (" }},
		{"an expression that is too costly", "on_demand: ", func(l *lock.Lock) {
			l.OnDemand[0].View.Features[0].Expression = strings.Repeat("(", 5000) + "price" + strings.Repeat(")", 5000)
		}},
		{"an input that is not there", "on_demand: ", func(l *lock.Lock) { l.OnDemand[0].Inputs[0].Ref.Version = 9 }},
		{"an input with a feature that is not there", "on_demand: ", func(l *lock.Lock) { l.OnDemand[0].Inputs[0].Features[0] = "nope" }},
		{"an input by other keys", "on_demand: ", func(l *lock.Lock) { l.OnDemand[0].Inputs[0].Keys[0].Column = "price" }},
		{"an input twice", "input v is there twice", func(l *lock.Lock) { l.OnDemand[0].Inputs = append(l.OnDemand[0].Inputs, l.OnDemand[0].Inputs[0]) }},
		{"a view before one that it reads", "on_demand: ", func(l *lock.Lock) { l.OnDemand[0], l.OnDemand[1] = l.OnDemand[1], l.OnDemand[0] }},
		{"a request column with a dot", "request column", func(l *lock.Lock) { l.OnDemand[0].View.Request[0].Name = "v.q" }},
		{"a default of another type", "its default is not", func(l *lock.Lock) { l.OnDemand[0].View.Request[1].Default = value(fstore.Int64, int64(1)) }},
		{"no mapping", "request: it has", func(l *lock.Lock) { l.Request = nil }},
		{"another label column", "request: ", func(l *lock.Lock) { l.Request[1].Column = "nope" }},
		{"a label column of another type", "is VARCHAR, and the request column is float64", func(l *lock.Lock) { l.Output.Columns[2].Type = "VARCHAR" }},
		{"an absent column that is there", "request: it has", func(l *lock.Lock) { l.Request[1].Absent = true }},
		{"a fault of no feature", "there is no on-demand feature", func(l *lock.Lock) { l.Faults[0].Feature = "nope" }},
		{"more faults than rows", "faults: ", func(l *lock.Lock) { l.Faults[0].Rows = 1000 }},
		{"a fault before the first row", "faults: ", func(l *lock.Lock) { l.Faults[0].FirstRow = 0 }},
		{"no zone data", "build: zones is", func(l *lock.Lock) { l.Build.Zones = "" }},
	})
}

// contradiction changes a lock so that its members contradict each other.
type contradiction struct {
	name, want string
	do         func(*lock.Lock)
}

// refuses checks that a lock is refused with each of the contradictions.
func refuses(r *repo, text []byte, cases []contradiction) {
	r.Helper()
	for _, c := range cases {
		l, err := lock.Read(text)
		if err != nil {
			r.Fatal(err)
		}
		rows := l.Output.Rows
		c.do(l)
		if l.Output.Rows == rows { // else it is the digest of the content that contradicts
			l.Output.Content = lock.ContentDigest(rows, l.Output.Columns)
		}
		sealed, err := lock.Encode(l)
		if err != nil {
			r.Fatal(err)
		}
		_, err = lock.Read(sealed)
		if err == nil {
			r.Errorf("%s: it is read", c.name)
			continue
		}
		r.fails(err, "the lock contradicts itself", c.want)
	}
}

// lastColumns returns the columns of the features.
func lastColumns(l *lock.Lock) []lock.Column {
	return l.Output.Columns[len(l.Output.Columns)-len(l.Features):]
}
