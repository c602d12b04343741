package offline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/fstore-dev/fstore"
)

const causalCases = "../registry/sqlgate/testdata/causal/"

// causalRepo is a repo with the tables of the cases of the static hints, and their sources.
func causalRepo(t *testing.T) (*repo, []fstore.Source) {
	t.Helper()
	r := newRepo(t, 1)
	tables, err := txtar.ParseFile(causalCases + "tables.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tables.Files {
		if name, ok := strings.CutSuffix(f.Name, ".sql"); ok {
			r.write(name+".parquet", string(f.Data))
		}
	}
	stated := fstore.Available{Stated: true}
	return r, []fstore.Source{
		{Name: "countries", Path: "countries.parquet"},
		{Name: "delayed", Path: "delayed.parquet", Event: "ts", Available: fstore.Available{Lag: fstore.Duration(time.Hour), Stated: true}},
		{Name: "events", Path: "events.parquet", Event: "ts", Available: stated},
		{Name: "loads", Path: "loads.parquet", Event: "ts", Created: "loaded_at", Available: fstore.Available{Created: true}},
		{Name: "rates", Path: "rates.parquet", Event: "ts", Available: stated},
	}
}

// Of the cases of the static hints, the check finds a leak in each that leaks and in no causal one, with every instant
// compared.
func TestTheCheckAgreesWithTheCasesOfTheHints(t *testing.T) {
	t.Parallel()
	r, sources := causalRepo(t)
	files, _ := filepath.Glob(causalCases + "*.txtar")
	if len(files) < 20 {
		t.Fatalf("%d files of cases", len(files))
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			name, ok := strings.CutSuffix(f.Name, ".sql")
			if !ok {
				continue
			}
			v := caseView(t, archive, name, string(f.Data), sources)
			got, err := r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: 2})
			var leak *Leak
			if strings.HasPrefix(name, "leaks") && err == nil { // a rare leak
				got, err = r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: AllInstants})
			}
			switch {
			case err != nil && !errors.As(err, &leak):
				t.Errorf("%s %s: %v\n%s", file, name, err, f.Data)
			case (strings.HasPrefix(name, "leaks") && name != "leaks_having") != (leak != nil): // there a row leaks that loses a tie
				t.Errorf("%s %s: %+v, %v\n%s", file, name, got, err, f.Data)
			case leak != nil && os.Getenv("SHOW") != "":
				fmt.Println(filepath.Base(file), name, err)
			}
		}
	}
}

func caseView(t *testing.T, archive *txtar.Archive, name, sql string, sources []fstore.Source) *fstore.ViewVersion {
	t.Helper()
	var reads []fstore.Source
	for _, s := range sources {
		if strings.Contains(sql, s.Name) {
			reads = append(reads, s)
		}
	}
	v := query(sql, []string{"id int64"}, []string{"x int64"}, reads...)
	v.View.Event, v.View.Created = "ts", ""
	v.View.Available = fstore.Available{}
	if strings.Contains(sql, "delayed") {
		v.View.Available.Lag = fstore.Duration(time.Hour)
	}
	for _, f := range archive.Files {
		if f.Name != name+".yaml" {
			continue
		}
		for line := range strings.Lines(string(f.Data)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch lag, isLag := strings.CutPrefix(value, "event + "); {
			case key == "availability" && isLag:
				d, err := fstore.ParseDuration(lag)
				if err != nil {
					t.Fatal(err)
				}
				v.View.Available = fstore.Available{Lag: d, Stated: true}
			case key == "created_timestamp":
				v.View.Created, v.View.Available = value, fstore.Available{Created: true}
			case key == "availability" && value == "event", key == "availability" && value == "created":
				v.View.Available = fstore.Available{Created: value == "created", Stated: true}
			default:
				t.Fatalf("%s: %s", name, line)
			}
		}
	}
	return v
}

// planted returns a view over many rows, of which one key in every leaks: its rows count later ones too.
func planted(r *repo, every int) *fstore.ViewVersion {
	r.write("many.parquet", "SELECT i % 10 AS id, TIMESTAMP '2024-01-01' + to_minutes(i::INT) AS ts, i AS x FROM range(100) t(i)")
	src := fstore.Source{Name: "many", Path: "many.parquet", Event: "ts", Available: fstore.Available{Stated: true}}
	v := query(fmt.Sprintf("SELECT id, ts, CASE WHEN x %% %d = 0 THEN lead(x) OVER (PARTITION BY id ORDER BY ts) ELSE x END AS x FROM many", every),
		[]string{"id int64"}, []string{"x int64"}, src)
	v.View.Event = "ts"
	return v
}

// A leak that shows at 70 % of the instants is found at the default number of instants, whichever are drawn. A rarer one is
// found as often as independent draws would find it, or more often.
func TestPlantedLeaksAreFoundAtTheRateOfDraws(t *testing.T) {
	t.Parallel()
	r := newRepo(t, 1)
	ctx := t.Context()
	found := func(v *fstore.ViewVersion, instants int, seed uint64) bool {
		t.Helper()
		_, err := r.e.CheckCausality(ctx, v, CausalityRequest{Instants: instants, Seed: seed})
		if err != nil && !errors.Is(err, fstore.ErrCheck) {
			t.Fatal(err)
		}
		return err != nil
	}
	often := planted(r, 1) // at every instant, the last row of a key has no next one yet
	for seed := range uint64(5) {
		if !found(often, 4, seed) {
			t.Errorf("seed %d: not found", seed)
		}
	}
	const seeds = 6
	seldom := planted(r, 40) // a row in four of one key: at about 30 instants of 100, so at a rate of 1 - 0.7^4 = 0.76
	times := 0
	for seed := range uint64(seeds) {
		if found(seldom, 4, seed) {
			times++
		}
	}
	t.Logf("4 instants: found %d times of %d", times, seeds)
	if times < seeds/3 {
		t.Errorf("found %d times of %d", times, seeds)
	}
	if !found(seldom, AllInstants, 0) {
		t.Error("not found at all instants")
	}
}

// What could look like a leak and is none.
func TestTheCheckRaisesNoFalseAlarm(t *testing.T) {
	r := newRepo(t, 2)
	r.write("e.parquet", `SELECT (i % 7)::BIGINT AS id, TIMESTAMP '1969-12-31 12:00:00' + to_minutes((i * 7)::INT) AS ts,
  TIMESTAMP '1969-12-31 12:00:00' + to_minutes((i * 7 + CASE WHEN i % 5 = 0 THEN 300 ELSE 1 END)::INT) AS loaded_at,
  i::BIGINT AS x, sin(i) AS y FROM range(200) t(i)
UNION ALL SELECT NULL, TIMESTAMP '1970-01-01', NULL, 5, 0.5
UNION ALL SELECT 1, TIMESTAMP '1970-01-01', NULL, NULL, 'nan'::DOUBLE
UNION ALL SELECT 1, TIMESTAMP '1970-01-01', NULL, NULL, -0.0::DOUBLE`)
	byEvent := fstore.Source{Name: "e", Path: "e.parquet", Event: "ts", Available: fstore.Available{Stated: true}}
	byCreated := byEvent
	byCreated.Created, byCreated.Available = "loaded_at", fstore.Available{Created: true}
	tests := map[string]struct {
		sql    string
		src    fstore.Source
		change func(v *fstore.View)
	}{
		"plain_float_sums":       {sql: "SELECT id, ts, sum(y) OVER (PARTITION BY id ORDER BY ts) + avg(y) OVER (ORDER BY ts) AS y, x FROM e"},
		"float_sums_that_cancel": {sql: "SELECT id, ts, x, sum(1e6 * (CASE WHEN x % 2 = 0 THEN 1 ELSE -1 END) * sin(x - x % 2)) OVER (ORDER BY ts) AS y FROM e"},
		"float_sums_that_cancel_in_groups": {
			sql: "SELECT a.id, a.ts, max(a.x) AS x, sum(1e6 * (CASE WHEN b.x % 2 = 0 THEN 1 ELSE -1 END) * sin(b.x - b.x % 2)) AS y FROM e AS a JOIN e AS b ON b.ts <= a.ts GROUP BY ALL",
		},
		"ties": {sql: "SELECT id, ts, y, x FROM e UNION ALL SELECT id, ts, -y, x FROM e"},
		"published_hours": {
			sql:    "SELECT id, date_trunc('hour', ts) + INTERVAL 1 MICROSECOND AS ts, sum(x) AS x, exact_sum(y) AS y FROM e GROUP BY ALL",
			change: func(v *fstore.View) { v.Publish = &fstore.Publish{Every: fstore.Duration(time.Hour)} },
		},
		"late_rows": {
			sql: "SELECT id, ts, loaded_at, x, y FROM e", src: byCreated,
			change: func(v *fstore.View) { v.Created, v.Available = "loaded_at", fstore.Available{Created: true} },
		},
		"late_rows_that_no_lookup_finds": { // a row says how many of the key were known before it, whatever their event
			sql: "SELECT id, ts, loaded_at, x, y FROM e QUALIFY ts >= max(ts) OVER (PARTITION BY id ORDER BY coalesce(loaded_at, ts))", src: byCreated,
			change: func(v *fstore.View) { v.Created, v.Available = "loaded_at", fstore.Available{Created: true} },
		},
		"no_rows": {sql: "SELECT id, ts, x, y FROM e WHERE x < -1"},
		"one_for_all": {
			sql:    "SELECT ts, count(*) OVER (ORDER BY ts) AS x, max(y) OVER (ORDER BY ts) AS y FROM e",
			change: func(v *fstore.View) { v.Keys = nil },
		},
	}
	for name, tt := range tests {
		if tt.src.Name == "" {
			tt.src = byEvent
		}
		v := query(tt.sql, []string{"id int64"}, []string{"x int64", "y float64"}, tt.src)
		v.View.Event = "ts"
		if tt.change != nil {
			tt.change(&v.View)
		}
		got, err := r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: 12})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if want := fmt.Sprintf("no leak at %d of ", got.Instants); !strings.HasPrefix(got.Verdict, want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A view that differs from itself in another order of the same rows does not leak.
func TestAViewWithoutATotalOrderIsNoLeak(t *testing.T) {
	r := newRepo(t, 1)
	r.write("down.parquet", "SELECT i AS id, TIMESTAMP '2024-01-01' + to_minutes((30 - i)::INT) AS ts FROM range(30) t(i)")
	src := fstore.Source{Name: "down", Path: "down.parquet", Event: "ts", Available: fstore.Available{Stated: true}}
	v := query("SELECT id, ts, row_number() OVER () AS x FROM down", []string{"id int64"}, []string{"x int64"}, src)
	v.View.Event = "ts"
	_, err := r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: 4})
	r.fails(err, "v@1 is not deterministic (ORDER BY is not total): the same rows in another order give other values")
	var leak *Leak
	if !errors.Is(err, fstore.ErrCheck) || errors.As(err, &leak) {
		t.Errorf("%T %v", err, err)
	}
}

// Nothing is compared where nothing can be known: neither rows of a static view nor those of static tables alone.
func TestThePastOfStaticTablesIsUnknown(t *testing.T) {
	r, sources := causalRepo(t)
	for sql, event := range map[string]string{
		"SELECT id, credit AS x FROM countries":                                             "",
		"SELECT id, TIMESTAMP '2024-01-01' AS ts, credit AS x FROM countries":               "ts",
		"SELECT id, ts, x + credit AS x FROM events JOIN countries USING (id) WHERE x > 20": "ts",
	} {
		reads := sources[:1]
		if strings.Contains(sql, "events") {
			reads = []fstore.Source{sources[0], sources[2]}
		}
		v := query(sql, []string{"id int64"}, []string{"x int64"}, reads...)
		v.View.Event = event
		got, err := r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: 2})
		if err != nil || got.Verdict != PastUnknown {
			t.Errorf("%s: %+v, %v", sql, got, err)
		}
	}
}

// Of a windowed view with SQL, the rows that it aggregates are checked, also those that no look-up of the newest row finds.
func TestTheRowsThatAWindowAggregatesAreChecked(t *testing.T) {
	r, sources := causalRepo(t)
	for sql, leaks := range map[string]bool{
		"SELECT id, ts, x FROM events":                                                                false,
		"SELECT id, ts, x FROM events UNION ALL SELECT id, ts, 2 * x FROM events":                     false,
		"SELECT id, ts, lead(x) OVER (PARTITION BY id ORDER BY ts, seq) AS x FROM events":             true,
		"SELECT id, ts, x FROM events WHERE x > (SELECT quantile_disc(x, 0.5) FROM events)":           true,
		"SELECT id, ts - INTERVAL 1 HOUR AS ts, x FROM events UNION ALL SELECT id, ts, x FROM events": true,
	} {
		v := query(sql, []string{"id int64"}, nil, sources[2])
		v.View.Event = "ts"
		w := &fstore.Window{Function: fstore.Sum, Expression: "x", Length: fstore.Duration(time.Hour), Hop: fstore.Duration(5 * time.Minute)}
		v.View.Features = []fstore.Feature{{Name: "x_1h", Type: fstore.Int64, Window: w}}
		for _, every := range []time.Duration{0, time.Microsecond, 20 * time.Minute} {
			v.View.Publish = nil
			if every > 0 {
				v.View.Publish = &fstore.Publish{Every: fstore.Duration(every)}
			}
			got, err := r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: AllInstants})
			if errors.Is(err, fstore.ErrCheck) != leaks || err != nil && !leaks {
				t.Errorf("every %v: %s: %+v, %v", every, sql, got, err)
			}
		}
	}
}

// A small value that sees the future is found beside a large one, also where the view adds up floats.
func TestALargeFloatHidesNoLeak(t *testing.T) {
	r := newRepo(t, 1)
	r.write("e.parquet", `SELECT i % 3 AS id, TIMESTAMP '2024-01-01' + to_minutes(i::INT) AS ts, CASE WHEN i BETWEEN 3 AND 5 THEN 1e12 ELSE (i * 37) % 101 + 1 END AS x, sin(i) AS y
FROM range(300) t(i)`)
	src := fstore.Source{Name: "e", Path: "e.parquet", Event: "ts", Available: fstore.Available{Stated: true}}
	for _, sum := range []string{"0", "sum(y) OVER (PARTITION BY id ORDER BY ts)", "sum(CASE WHEN x > 1e6 THEN x ELSE -x END) OVER (PARTITION BY id)"} {
		v := query("SELECT id, ts, ("+sum+")::DOUBLE AS s, coalesce(lead(x) OVER (PARTITION BY id ORDER BY ts), 0)::DOUBLE AS n FROM e",
			[]string{"id int64"}, []string{"s float64", "n float64"}, src)
		v.View.Event = "ts"
		_, err := r.e.CheckCausality(t.Context(), v, CausalityRequest{Instants: 4})
		var leak *Leak
		if !errors.As(err, &leak) || len(leak.Instants) != 4 {
			t.Errorf("%s: %v", sum, err)
		}
	}
}
