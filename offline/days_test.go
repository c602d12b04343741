package offline

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// lateDays are files that arrive when the definitions are there already, and say of a row only on which day it was true.
var lateDays = []struct {
	name string
	path string // of the source
	file string // the one that arrives
	rows string
	gone string // the one that was there and is not any more, if so
}{
	{"beside others", "s/*.parquet", "s/b.parquet", "2 | 2011-12-08 | 20", ""},
	{"before others", "s/*.parquet", "s/0.parquet", "2 | 2011-12-08 | 20", ""},
	{"instead of the other", "s/*.parquet", "s/b.parquet", "2 | 2011-12-08 | 20", "s/a.parquet"},
	{"without rows", "s/*.parquet", "s/b.parquet", "", ""},
	{"with nulls", "s/*.parquet", "s/b.parquet", "2 | NULL | 20", ""},
}

// A source without a stated availability is not read once a file has days, whatever reads it: the rows of a day would be
// known at its midnight, before they were.
func TestDaysThatArriveLater(t *testing.T) {
	for _, c := range lateDays {
		for _, stated := range []bool{false, true} {
			t.Run(c.name+map[bool]string{true: ", stated"}[stated], func(t *testing.T) {
				r := newRepo(t, 1)
				r.write("labels.parquet", values("k BIGINT | t TIMESTAMP", "2 | 2011-12-09"))
				r.write("s/a.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-07 | 10"))
				src := source_(c.path)
				src.Available.Stated = stated
				table := view(src, []string{"k int64"}, []string{"x int64"})
				sql := query("SELECT k, event + INTERVAL 1 HOUR AS event, x FROM s", []string{"k int64"}, []string{"x int64"}, src)
				upstream := query("SELECT k, event, x FROM u", []string{"k int64"}, []string{"x int64"}, src)
				upstream.Views = []fstore.View{table.View}
				upstream.Views[0].Name, upstream.View.Inputs = "u", []string{"u"}
				req := r.request("labels.parquet", all(table))
				r.train(req) // while all are times

				var rows []string
				if c.rows != "" {
					rows = append(rows, c.rows)
				}
				r.write(c.file, values("k BIGINT | event DATE | x BIGINT", rows...))
				if c.gone != "" {
					if err := os.Remove(filepath.Join(r.dir, c.gone)); err != nil {
						t.Fatal(err)
					}
				}
				for name, err := range r.readers(req, table, sql, upstream) {
					if stated && err != nil {
						t.Errorf("%s: %v", name, err)
					}
					if !stated {
						r.fails(err, "source s: column event is a DATE in "+filepath.Join(r.dir, c.file)+", which does not say when in the day a row is known",
							"availability: event + 1d when a row sums up its day, event when it is known at 00:00")
					}
				}
			})
		}
	}
}

// readers reads a source in every way there is, through views too.
func (r *repo) readers(req TrainingRequest, views ...*fstore.ViewVersion) map[string]error {
	ctx := context.Background()
	out := map[string]error{}
	_, out["labels"] = r.e.TrainingSet(ctx, func() TrainingRequest {
		req := req
		req.List, req.Labels = all(), Labels{SQL: "SELECT k, event AS t FROM s", Sources: views[0].Sources}
		return req
	}())
	_, out["query of the source"] = r.e.Query(ctx, QueryRequest{Source: &views[0].Sources[0], Limit: 1})
	_, out["query"] = r.e.Query(ctx, QueryRequest{SQL: Labels{SQL: "SELECT k FROM s", Sources: views[0].Sources}, Limit: 1})
	for _, v := range views {
		name := strings.Fields(v.View.SQL + " the source")[0]
		_, out["as of, of "+name] = r.asOf(v, day)
		_, out["query, of "+name] = r.e.Query(ctx, QueryRequest{View: v, Limit: 1})
		again := req
		again.List = all(v)
		_, out["training, of "+name] = r.e.TrainingSet(ctx, again)
	}
	return out
}

// A query that yields days where it yielded times, because its source's files have others, is refused in the same way.
func TestDaysThatAQueryYieldsLater(t *testing.T) {
	for _, stated := range []bool{false, true} {
		r := newRepo(t, 1)
		src := source_("s.parquet")
		v := query("SELECT k, d AS event, x FROM s", []string{"k int64"}, []string{"x int64"}, src)
		reader := query("SELECT * FROM u", []string{"k int64"}, []string{"x int64"}, src)
		reader.Views = []fstore.View{v.View}
		reader.Views[0].Name, reader.Views[0].Inputs, reader.View.Inputs = "u", []string{"s"}, []string{"u"}
		v.View.Available.Stated, reader.Views[0].Available.Stated = stated, stated
		for _, typ := range []string{"TIMESTAMP", "DATE"} {
			r.write("s.parquet", values("k BIGINT | event TIMESTAMP | d "+typ+" | x BIGINT", "1 | 2011-12-07 | 2011-12-07 | 10"))
			for name, v := range map[string]*fstore.ViewVersion{"view v@1: ": v, "view u: ": reader} {
				if _, err := r.asOf(v, day); typ == "DATE" && !stated {
					r.fails(err, name+"column event is a DATE, which does not say when in the day a row is known", "availability: event + 1d")
				} else if err != nil {
					t.Errorf("%s of %s: %v", name, typ, err)
				}
			}
		}
	}
}

// A lock says which files and definitions a training set was made from. It is made again as it was, also where an older
// build took days without a word: their availability is in the lock.
func TestATrainingSetOfDaysIsMadeAgain(t *testing.T) {
	r := newRepo(t, 1)
	r.write("s/a.parquet", values("k BIGINT | event TIMESTAMP | x BIGINT", "1 | 2011-12-07 | 10"))
	r.write("s/b.parquet", values("k BIGINT | event DATE | x BIGINT", "2 | 2011-12-08 | 20"))
	r.write("labels.parquet", values("k BIGINT | t TIMESTAMP", "2 | 2011-12-09"))
	m := r.make(r.request("labels.parquet", all(view(source_("s/*.parquet"), []string{"k int64"}, []string{"x int64"}))))
	m.lock.Views[0].View.Available.Stated, m.lock.Views[0].Sources[0].Available.Stated = false, false
	text, err := lock.Encode(m.lock)
	if err != nil {
		t.Fatal(err)
	}
	m.text = append(text, '\n')
	if m.lock, err = lock.Read(text); err != nil {
		t.Fatal(err)
	}
	_, found := m.states("")
	if again := m.rebuild(r.e, found); !again.Same {
		t.Errorf("it comes out different: %v", again.Columns)
	}
}
