package project

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/client"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/server/servedlog"
)

// allTypes is a repo whose view has a feature of each type, computed from x, and one with a default.
const allTypes = usersAndEvents + `kind: feature_view
name: v
entities: [user]
event_timestamp: ts
sql: v.sql
features:
  - {name: b, type: bool}
  - {name: i, type: int32}
  - {name: l, type: int64}
  - {name: f, type: float32}
  - {name: d, type: float64}
  - {name: s, type: string}
  - {name: y, type: bytes}
  - {name: t, type: timestamp}
  - {name: n, type: float64, default: -7.5}
  - {name: lb, type: list<bool>}
  - {name: li, type: list<int32>}
  - {name: ll, type: list<int64>}
  - {name: lf, type: list<float32>}
  - {name: ld, type: list<float64>}
  - {name: ls, type: list<string>}
  - {name: ly, type: list<bytes>}
  - {name: lt, type: list<timestamp>}
---
kind: feature_service
name: s
features: [v.*]
`

const allTypesSQL = `select id, ts,
  x > 0 as b,
  (x * 1000)::integer as i,
  (x * 1e12)::bigint as l,
  x::float as f,
  case when x > 2 then 'nan'::double when x > 1 then x / 3 else x * 1e300 end as d,
  'é ' || x::varchar as s,
  encode('b' || x::varchar) as y,
  ts + to_microseconds((x * 1e6)::bigint) as t,
  x as n,
  case when x < 0 then []::boolean[] when x is not null then [x > 0, x > 1] end as lb,
  case when x < 0 then []::integer[] when x is not null then [(x * 1000)::integer] end as li,
  case when x < 0 then []::bigint[] when x is not null then [(x * 1e12)::bigint, 0] end as ll,
  case when x < 0 then []::float[] when x is not null then [x::float, 'inf'::float] end as lf,
  case when x < 0 then []::double[] when x is not null then [x, 'nan'::double] end as ld,
  case when x < 0 then []::varchar[] when x is not null then [x::varchar, ''] end as ls,
  case when x < 0 then []::blob[] when x is not null then [encode(x::varchar)] end as ly,
  case when x < 0 then []::timestamp[] when x is not null then [ts, ts + interval 1 day] end as lt
from events
`

const outcomeUsers = 12 // of which the last two have no events

// outcomesWorld is a repo that is served, with everything logged, and what it answered.
type outcomesWorld struct {
	t *testing.T
	*Project
	dir    string
	random *rand.Rand
	served []answeredRow
}

// answeredRow is a row as a client got it.
type answeredRow struct {
	id      int64 // -1: null
	at      time.Time
	request string
	cells   []string // of the features, in their order
}

func newOutcomesWorld(t *testing.T, keys servedlog.Keys, seed uint64) *outcomesWorld {
	t.Helper()
	w := &outcomesWorld{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, 1))}
	logged := "path: " + filepath.Join(w.dir, "served") + ", sample: 100%, keys: " + string(keys)
	if keys == servedlog.HashedKeys {
		logged += ", hmac_key: hmac.key"
	}
	var events []event
	for hour := range 5 {
		for id := range int64(outcomeUsers - 2) {
			x := w.random.Float64()*5 - 2
			e := event{ID: id, TS: skewDay.Add(time.Duration(hour)*time.Hour - time.Minute), X: &x}
			if w.random.IntN(5) == 0 {
				e.X = nil
			}
			events = append(events, e)
		}
	}
	w.write("data/events.parquet", events)
	for name, text := range map[string]string{
		"fstore.yaml": "project: p\nserve: {grpc: 127.0.0.1:0, http: 127.0.0.1:0, metrics: 127.0.0.1:0, log: {" + logged + "}}\n",
		"d.yaml":      allTypes, "v.sql": allTypesSQL, "hmac.key": "0123456789abcdef",
	} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.open()
	applyAll(t, w.Project)
	for hour := range 3 { // each with other values
		p := skewDay.Add(time.Duration(hour) * time.Hour)
		if _, err := w.Materialize(t.Context(), MaterializeRequest{To: p, LeakCheck: "off"}); err != nil {
			t.Fatal(err)
		}
		w.serve(p.Add(time.Minute))
		w.serve(p.Add(time.Duration(2+w.random.IntN(50)) * time.Minute))
	}
	w.nameRequests()
	return w
}

func (w *outcomesWorld) open() {
	w.t.Helper()
	var err error
	if w.Project, err = Open(w.t.Context(), w.dir, Options{Lookup: func(string) (string, bool) { return "", false }}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.Close() })
}

// write writes a Parquet file.
func (w *outcomesWorld) write(name string, rows any) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	var err error
	switch rows := rows.(type) {
	case []event:
		err = parquet.WriteFile(path, rows)
	case []keyOutcome:
		err = parquet.WriteFile(path, rows)
	case []requestOutcome:
		err = parquet.WriteFile(path, rows)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// serve answers some users at an instant, in several requests, and remembers the answers.
func (w *outcomesWorld) serve(at time.Time) {
	w.t.Helper()
	s, err := w.Server(w.t.Context(), ServerOptions{At: at})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	c, err := client.Open(s.Addresses().GRPC.String(), client.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	for range 12 { // numbers of one and two digits
		keys := fstore.NewColumn("id", fstore.Int64, 0)
		ids := w.random.Perm(outcomeUsers)[:1+w.random.IntN(4)]
		for _, id := range ids {
			keys.AppendInt64(int64(id))
		}
		if w.random.IntN(2) == 0 {
			keys.AppendNull()
		}
		answer, err := c.Get(ctx, client.Request{Selection: client.Selection{Service: "s"}, Keys: []fstore.Column{keys}})
		if err != nil {
			w.t.Fatal(err)
		}
		for row := range answer.Rows {
			r := answeredRow{id: -1, at: at}
			if row < len(ids) {
				r.id = int64(ids[row])
			}
			for i := range answer.Features {
				r.cells = append(r.cells, cellOf(&answer.Features[i].Column, row))
			}
			w.served = append(w.served, r)
		}
	}
	stop()
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
}

// compareRequests compares ids of requests: by the server, and then by the number.
func compareRequests(a, b string) int {
	server, number, _ := strings.Cut(a, "-")
	other, second, _ := strings.Cut(b, "-")
	return cmp.Or(cmp.Compare(server, other), cmp.Compare(len(number), len(second)), cmp.Compare(number, second))
}

// nameRequests finds the ids of requests: the log has them in the order of the answers.
func (w *outcomesWorld) nameRequests() {
	w.t.Helper()
	type logged struct {
		at      int64
		request string
		row     int64
	}
	var all []logged
	if err := servedlog.Read(filepath.Join(w.dir, "served"), servedlog.Reader{
		Chosen: func(*servedlog.Info) bool { return true },
		Do: func(r *servedlog.Rows) error {
			for i := range r.Len {
				all = append(all, logged{r.At[i], r.Request[i], r.Row[i]})
			}
			return nil
		},
		Unreadable: func(path string, err error) { w.t.Error(path, err) },
	}); err != nil {
		w.t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b logged) int {
		return cmp.Or(cmp.Compare(a.at, b.at), compareRequests(a.request, b.request), cmp.Compare(a.row, b.row))
	})
	if len(all) != len(w.served) {
		w.t.Fatalf("%d rows are logged, and %d were answered", len(all), len(w.served))
	}
	for i := range all {
		w.served[i].request = all[i].request
	}
}

// cellOf writes a value so that other bits are another text.
func cellOf(c *fstore.Column, row int) string {
	if c.IsNull(row) {
		return "null"
	}
	if !c.Type.IsList() {
		return elementOf(c, row)
	}
	out := []string{}
	for i := c.Offsets[row]; i < c.Offsets[row+1]; i++ {
		out = append(out, elementOf(c, int(i)))
	}
	return "[" + strings.Join(out, " ") + "]"
}

func elementOf(c *fstore.Column, i int) string {
	switch c.Type.Elem() {
	case fstore.Bool:
		return fmt.Sprint(c.Bools[i])
	case fstore.Int32:
		return fmt.Sprint(c.Int32s[i])
	case fstore.Int64, fstore.Timestamp:
		return fmt.Sprint(c.Int64s[i])
	case fstore.Float32:
		return fmt.Sprintf("%08x", math.Float32bits(c.Float32s[i]))
	case fstore.Float64:
		return fmt.Sprintf("%016x", math.Float64bits(c.Float64s[i]))
	case fstore.String:
		return fmt.Sprintf("%q", c.Strings[i])
	case fstore.Bytes: // below
	}
	return fmt.Sprintf("%q", c.Bytes[i])
}

// parquetCell writes a value of a Parquet file as cellOf does.
func parquetCell(values []parquet.Value, most int) string {
	element := func(v parquet.Value) string {
		switch v.Kind() {
		case parquet.Boolean:
			return fmt.Sprint(v.Boolean())
		case parquet.Int32:
			return fmt.Sprint(v.Int32())
		case parquet.Int64:
			return fmt.Sprint(v.Int64())
		case parquet.Float:
			return fmt.Sprintf("%08x", math.Float32bits(v.Float()))
		case parquet.Double:
			return fmt.Sprintf("%016x", math.Float64bits(v.Double()))
		}
		return fmt.Sprintf("%q", v.ByteArray())
	}
	switch first := values[0]; {
	case first.DefinitionLevel() == 0:
		return "null"
	case most <= 1:
		return element(first)
	case first.IsNull():
		return "[]"
	}
	out := []string{}
	for _, v := range values {
		out = append(out, element(v))
	}
	return "[" + strings.Join(out, " ") + "]"
}

// cellsOf reads a Parquet file: for each row, its cells by column.
func cellsOf(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	columns := file.Schema().Columns()
	var out []map[string]string
	for _, group := range file.RowGroups() {
		rows := group.Rows()
		buffer := make([]parquet.Row, group.NumRows())
		for read := 0; read < len(buffer); {
			n, err := rows.ReadRows(buffer[read:])
			if n == 0 {
				t.Fatal(err)
			}
			for _, row := range buffer[read : read+n] {
				cells := map[string]string{}
				row.Range(func(column int, values []parquet.Value) bool {
					leaf, _ := file.Schema().Lookup(columns[column]...)
					cells[columns[column][0]] = parquetCell(values, leaf.MaxDefinitionLevel)
					return true
				})
				out = append(out, cells)
			}
			read += n
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

type keyOutcome struct {
	ID      *int64    `parquet:"id,optional"`
	At      time.Time `parquet:"event_timestamp,timestamp(microsecond)"`
	Churned int64     `parquet:"churned"`
}

type requestOutcome struct {
	Request string    `parquet:"request_id"`
	ID      *int64    `parquet:"id,optional"`
	At      time.Time `parquet:"event_timestamp,timestamp(microsecond)"`
	Churned int64     `parquet:"churned"`
}

// label is a label and the rows that it may belong to, the best first.
type label struct {
	at        time.Time
	churned   int64
	rows      []int
	ambiguous bool
}

// joined is the oracle: for each label that stays, the row that it belongs to. No row was served after its outcome.
func (w *outcomesWorld) joined(labels []label, within time.Duration) (kept map[int]int, want lock.ServedCounts) {
	want.Log = int64(len(w.served))
	of := map[int]int{} // row → label
	for i, l := range labels {
		last := slices.IndexFunc(l.rows, func(row int) bool { return !w.served[row].at.After(l.at) })
		switch {
		case l.ambiguous:
			want.Ambiguous++
		case len(l.rows) == 0:
			want.NotServed++
		case last < 0:
			want.After++
		case l.at.Sub(w.served[l.rows[last]].at) > within:
			want.TooOld++
		default:
			other, taken := of[l.rows[last]]
			if taken {
				want.Replaced++
			}
			if !taken || !labels[other].at.After(l.at) {
				of[l.rows[last]] = i
			}
		}
	}
	kept = map[int]int{}
	for row, l := range of {
		kept[l] = row
	}
	want.Joined = int64(len(kept))
	return kept, want
}

// checkSet compares a training set with the oracle's.
func (w *outcomesWorld) checkSet(set *TrainingSet, labels []label, within time.Duration) {
	w.t.Helper()
	kept, want := w.joined(labels, within)
	if *set.Served != want {
		w.t.Errorf("counts: got %+v, want %+v", *set.Served, want)
	}
	got := cellsOf(w.t, set.Out)
	row := 0
	for i, l := range labels {
		is, ok := kept[i]
		if !ok {
			continue
		}
		if row >= len(got) {
			w.t.Fatalf("the set has %d rows, and label %d is missing", len(got), i)
		}
		cells, from := got[row], w.served[is]
		row++
		for _, c := range []struct{ name, want string }{
			{"event_timestamp", fmt.Sprint(from.at.UnixMicro())}, {"outcome_timestamp", fmt.Sprint(l.at.UnixMicro())}, {"churned", fmt.Sprint(l.churned)},
		} {
			if cells[c.name] != c.want {
				w.t.Fatalf("row %d: %s is %s, want %s", row, c.name, cells[c.name], c.want)
			}
		}
		for f, o := range set.List.Outputs {
			if cells[o.Name()] != from.cells[f] {
				w.t.Fatalf("row %d: %s is %s, and %s was served at %s", row, o.Name(), cells[o.Name()], from.cells[f], from.at)
			}
		}
	}
	if row != len(got) {
		w.t.Errorf("the set has %d rows, want %d", len(got), row)
	}
}

// instant returns an instant near those at which rows were served: often just one of them, or a microsecond from it.
func (w *outcomesWorld) instant(within time.Duration) time.Time {
	at := w.served[w.random.IntN(len(w.served))].at
	switch w.random.IntN(6) {
	case 0:
		return at
	case 1:
		return at.Add(-time.Microsecond)
	case 2:
		return at.Add(within)
	case 3:
		return at.Add(within + time.Microsecond)
	}
	return at.Add(time.Duration(w.random.Int64N(int64(3*time.Hour))) - time.Hour)
}

// What was answered is the row in the training set, for every type. Each label belongs to the last row of its keys at or before the
// outcome: an oracle that looks at every row agrees. The same holds of hashed keys.
func TestOutcomesByKeys(t *testing.T) {
	t.Parallel()
	for _, keys := range []servedlog.Keys{servedlog.PlainKeys, servedlog.HashedKeys} {
		t.Run(string(keys), func(t *testing.T) {
			t.Parallel()
			w := newOutcomesWorld(t, keys, 11)
			const within = 70 * time.Minute
			var file []keyOutcome
			var labels []label
			for range 300 {
				id := int64(w.random.IntN(outcomeUsers+3) - 1) // -1: null
				o := keyOutcome{At: w.instant(within), Churned: w.random.Int64()}
				if id >= 0 {
					o.ID = &id
				}
				l := label{at: o.At, churned: o.Churned}
				for row, r := range w.served {
					if id >= 0 && r.id == id {
						l.rows = append(l.rows, row)
					}
				}
				slices.SortFunc(l.rows, func(a, b int) int { // the last before the outcome first; then those after it
					x, y := w.served[a], w.served[b]
					return cmp.Or(-x.at.Compare(y.at), -compareRequests(x.request, y.request))
				})
				file, labels = append(file, o), append(labels, l)
			}
			w.write("labels.parquet", file)
			set, err := w.JoinOutcomes(t.Context(), OutcomesRequest{
				Labels: filepath.Join(w.dir, "labels.parquet"), Out: filepath.Join(w.dir, "set.parquet"), Within: fstore.Duration(within), Targets: []string{"churned"},
			})
			if err != nil {
				t.Fatal(err)
			}
			w.checkSet(set, labels, within)
			w.checkRebuild("set")
			if keys == servedlog.HashedKeys {
				w.checkWithoutKey()
			}
		})
	}
}

// checkRebuild removes the log and the labels, and rebuilds.
func (w *outcomesWorld) checkRebuild(name string) {
	w.t.Helper()
	for _, path := range []string{"served", "labels.parquet"} {
		if err := os.RemoveAll(filepath.Join(w.dir, path)); err != nil {
			w.t.Fatal(err)
		}
	}
	v, err := w.VerifyTrainingSet(w.t.Context(), name, VerifySetOptions{})
	if err != nil || !v.OK || v.Rebuild == nil || !v.Rebuild.SameBytes {
		w.t.Errorf("verify: %+v, %v", v, err)
	}
}

// checkWithoutKey opens the repo without the key of the HMAC, with which the set was made.
func (w *outcomesWorld) checkWithoutKey() {
	w.t.Helper()
	settings := "project: p\n"
	if err := os.WriteFile(filepath.Join(w.dir, "fstore.yaml"), []byte(settings), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.open()
	v, err := w.VerifyTrainingSet(w.t.Context(), "set", VerifySetOptions{})
	if err != nil || v.OK || !strings.Contains(v.Problem, "the key of the HMAC is not at hand") {
		w.t.Errorf("verify: %+v, %v", v, err)
	}
}

// Labels with a request id belong to that request's row: the keys say which, and a row after the outcome is not taken. It needs no
// keys in the log if each request has one row.
func TestOutcomesByRequest(t *testing.T) {
	t.Parallel()
	for _, keys := range []servedlog.Keys{servedlog.PlainKeys, servedlog.NoKeys} {
		t.Run(string(keys), func(t *testing.T) {
			t.Parallel()
			w := newOutcomesWorld(t, keys, 12)
			rows := map[string]int{}
			for _, r := range w.served {
				rows[r.request]++
			}
			const within = 40 * time.Minute
			var file []requestOutcome
			var labels []label
			for range 200 {
				at := w.random.IntN(len(w.served))
				r := w.served[at]
				o := requestOutcome{Request: r.request, At: w.instant(within), Churned: w.random.Int64()}
				l := label{at: o.At, churned: o.Churned, rows: []int{at}}
				switch {
				case w.random.IntN(10) == 0:
					o.Request, l.rows = "no-1", nil
				case keys == servedlog.PlainKeys && r.id >= 0:
					o.ID = &r.id
				case keys == servedlog.NoKeys && rows[r.request] > 1:
					l.ambiguous = true
				}
				file, labels = append(file, o), append(labels, l)
			}
			w.write("labels.parquet", file)
			set, err := w.JoinOutcomes(t.Context(), OutcomesRequest{
				Labels: filepath.Join(w.dir, "labels.parquet"), Out: filepath.Join(w.dir, "set.parquet"), Within: fstore.Duration(within), Service: "s",
			})
			if err != nil {
				t.Fatal(err)
			}
			w.checkSet(set, labels, within)
			w.checkRebuild("set")
		})
	}
}
