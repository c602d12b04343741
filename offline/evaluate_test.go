package offline

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/ondemand"
)

// onDemand returns version 1 of an on-demand view over views by the keys of their own names, with features written
// "name type = expression" and request columns written "name type".
func onDemand(name string, request, features []string, views ...*fstore.ViewVersion) *fstore.OnDemandVersion {
	v := &fstore.OnDemandVersion{Ref: fstore.ViewRef{Name: name, Version: 1}, View: fstore.OnDemandView{Name: name}}
	for _, r := range request {
		f := fields(r)
		v.View.Request = append(v.View.Request, fstore.RequestColumn{Name: f.Name, Type: f.Type})
	}
	for _, text := range features {
		var f fstore.Feature
		declared, expression, _ := strings.Cut(text, " = ")
		d := fields(declared)
		f.Name, f.Type, f.Expression = d.Name, d.Type, expression
		v.View.Features = append(v.View.Features, f)
	}
	for _, of := range views {
		in := fstore.OnDemandInput{Name: of.Ref.Name, Ref: of.Ref}
		for _, k := range of.View.Keys {
			in.Keys = append(in.Keys, fstore.KeyBinding{Key: k, Column: k.Name})
		}
		for _, f := range of.View.Features {
			in.Features = append(in.Features, f.Name)
		}
		v.Inputs = append(v.Inputs, in)
	}
	return v
}

// with adds all features of on-demand views to a list that has what they look up.
func with(l *fstore.FeatureList, views ...*fstore.OnDemandVersion) *fstore.FeatureList {
	for _, v := range views {
		l.OnDemand = append(l.OnDemand, v)
		for _, f := range v.View.Features {
			l.Outputs = append(l.Outputs, fstore.OnDemandOutput{As: f.Name, OnDemand: len(l.OnDemand) - 1, Feature: f.Name})
		}
	}
	return l
}

func TestOnDemandFeaturesOfATrainingSet(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | value DOUBLE", "1 | 2011-12-01 | 2", "1 | 2011-12-05 | 4", "2 | 2011-11-01 | 5", "3 | 2011-12-02 | NULL"))
		v := view(source_("s.parquet"), []string{"k int64"}, []string{"value float64"})
		v.View.TTL = ttl(14 * 24 * time.Hour)
		trip := onDemand("trip", []string{"price float64"}, []string{
			"share float64 = price / v.value", "waited float64 = hours(at - event(v))", "hour int64 = hour(at)", "dear bool = share > 1.0", "inverse int64 = 12 / int64(price)",
		}, v)
		list := with(all(v), trip)
		r.write("labels.parquet", labels(values("k BIGINT | t TIMESTAMP | price DOUBLE",
			"1 | 2011-12-04 03:00:00 | 3", "1 | 2011-12-05 | 2", "2 | 2011-12-05 | 1", "3 | 2011-12-03 | 0", "NULL | 2011-12-03 | NaN", "1 | 2011-12-06 | NULL")))
		got, sum := r.train(r.request("labels.parquet", list))
		r.check(got,
			"1 | 2011-12-04 03:00:00 | 3.0 | 2.0 | 1.5 | 75.0 | 3 | true | 4",
			"1 | 2011-12-05 00:00:00 | 2.0 | 4.0 | 0.5 | 0.0 | 0 | false | 6",
			"2 | 2011-12-05 00:00:00 | 1.0 | NULL | NULL | NULL | 0 | NULL | 12",
			"3 | 2011-12-03 00:00:00 | 0.0 | NULL | NULL | 24.0 | 0 | NULL | NULL",
			"NULL | 2011-12-03 00:00:00 | nan | NULL | NULL | NULL | 0 | NULL | NULL",
			"1 | 2011-12-06 00:00:00 | NULL | 4.0 | NULL | 24.0 | 0 | NULL | NULL")
		want := []lock.Fault{{View: trip.Ref, Feature: "inverse", Reason: "division by zero", Rows: 1, FirstRow: 4}}
		if d := cmp.Diff(want, sum.Faults); d != "" {
			t.Error(d)
		}
	})
}

// trips asks for a training set of two on-demand views, the second of which reads the first. A request column comes from the
// label column amount, and another has a default.
func trips(r *repo) TrainingRequest {
	r.write("trips.parquet", values("k BIGINT | event TIMESTAMP | value DOUBLE", "1 | 2011-12-01 | 2", "1 | 2011-12-05 | 0", "2 | 2011-12-02 | 5"))
	r.write("triplabels.parquet", values("k BIGINT | t TIMESTAMP | amount DOUBLE", "1 | 2011-12-04 | 3", "2 | 2011-12-05 | 0", "1 | 2011-12-05 | 2", "1 | 2011-12-06 | NULL", "3 | 2011-12-06 | 1"))
	v := view(source_("trips.parquet"), []string{"k int64"}, []string{"value float64"})
	trip := onDemand("trip", []string{"price float64", "factor float64"}, []string{"share float64 = factor * price / v.value", "whole int64 = 6 / int64(price)", "hour int64 = hour(at, 'UTC')"}, v)
	trip.View.Request[1].Default = value(fstore.Float64, 2.0)
	more := onDemand("more", nil, []string{"big bool = trip.share > 1.0"})
	more.Inputs = []fstore.OnDemandInput{{Name: "trip", Ref: trip.Ref, OnDemand: true, Features: []string{"share"}}}
	req := r.request("triplabels.parquet", with(all(v), trip, more))
	req.List.Request = map[string]string{"price": "amount"}
	req.Name = "trips"
	return req
}

const tripRows = "1 | 2011-12-04 00:00:00 | 3.0 | 2.0 | 3.0 | 2 | 0 | true\n2 | 2011-12-05 00:00:00 | 0.0 | 5.0 | 0.0 | NULL | 0 | false\n" +
	"1 | 2011-12-05 00:00:00 | 2.0 | 0.0 | inf | 3 | 0 | true\n1 | 2011-12-06 00:00:00 | NULL | 0.0 | NULL | NULL | 0 | NULL\n3 | 2011-12-06 00:00:00 | 1.0 | NULL | NULL | 6 | 0 | NULL"

func TestSummaryOfOnDemandFeatures(t *testing.T) {
	r := newRepo(t, 2)
	req := trips(r)
	rows, sum := r.train(req)
	r.check(rows, strings.Split(tripRows, "\n")...)
	if d := cmp.Diff([]lock.Request{{Name: "factor", Type: fstore.Float64, Column: "factor", Absent: true}, {Name: "price", Type: fstore.Float64, Column: "amount"}}, sum.Request); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"trip.hour"}, sum.Midnight); d != "" {
		t.Error(d)
	}
	if len(sum.Faults) != 1 || sum.Faults[0].FirstRow != 2 || sum.Faults[0].Rows != 1 {
		t.Errorf("faults %v", sum.Faults)
	}
	req.Sample = &lock.Sample{Rows: 3}
	rows, _ = r.train(req)
	for _, row := range rows {
		if text := strings.Join(row, " | "); !strings.Contains(tripRows, text) || len(rows) != 3 {
			t.Errorf("the sample of %d rows has %s", len(rows), text)
		}
	}
	r.write("triplabels.parquet", values("k BIGINT | t TIMESTAMP | amount DOUBLE", "1 | 2011-12-04 | 3", "1 | 2011-12-04 01:00:00 | 3"))
	if _, sum = r.train(req); sum.Midnight != nil {
		t.Errorf("not all labels are at midnight: %v", sum.Midnight)
	}
}

func TestRebuildOfOnDemandFeatures(t *testing.T) {
	r := newRepo(t, 2)
	m := r.make(trips(r))
	if z, u := ondemand.DataVersions(); m.lock.Build.Zones != z || m.lock.Build.Unicode != u {
		t.Errorf("build %v", m.lock.Build)
	}
	_, inputs := m.states("")
	rebuild := func(l *lock.Lock) *trainset.Rebuilt {
		t.Helper()
		again, err := trainset.Rebuild(t.Context(), r.e, trainset.RebuildRequest{Lock: l, Text: m.text, Inputs: inputs, Now: day})
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	if again := rebuild(m.lock); !again.Same || !again.SameBytes || again.BuildChanged != "" {
		t.Errorf("rebuilt: %+v", again)
	}
	// Other values of an on-demand feature are a change of the build only if data moved on which the feature depends.
	other := *m.lock
	other.Output.Columns = slices.Clone(m.lock.Output.Columns)
	hour := &other.Output.Columns[6]
	hour.Content = strings.Repeat("0", 64)
	other.Output.Content = lock.ContentDigest(other.Output.Rows, other.Output.Columns)
	if again := rebuild(&other); again.Same || again.BuildChanged != "" {
		t.Errorf("with the same data: %+v", again)
	}
	other.Build.Zones = "1999a"
	if again := rebuild(&other); again.Same || !strings.Contains(again.BuildChanged, "time zone data 1999a then, ") {
		t.Errorf("with other data: %+v", again)
	}
	other.Build.Zones, other.Build.Unicode = m.lock.Build.Zones, "1.0"
	if again := rebuild(&other); again.Same || again.BuildChanged != "" {
		t.Errorf("with other data of Unicode, on which the hour does not depend: %+v", again)
	}
	other.Build.Zones = "1999a"
	other.Output.Columns[3].Content = hour.Content // a feature of a view
	other.Output.Content = lock.ContentDigest(other.Output.Rows, other.Output.Columns)
	if again := rebuild(&other); again.Same || again.BuildChanged != "" {
		t.Errorf("with other values of a view: %+v", again)
	}
}

// Wide labels, joins one by one and any number of threads give the same values, faults and bytes.
func TestOnDemandFeaturesInEveryPath(t *testing.T) {
	var files [][]byte
	for _, threads := range []int{1, 2} {
		for _, wide := range []bool{false, true} {
			r := newRepo(t, threads)
			r.write("s.parquet", "SELECT i % 50 AS k, TIMESTAMP '2011-12-01' + to_minutes(i % 7000) AS event, (i % 11)::DOUBLE AS x FROM range(20000) t(i)")
			more := ""
			for i := range 70 {
				if wide {
					more += fmt.Sprintf(", %d AS w%d", i, i)
				}
			}
			r.write("l.parquet", "SELECT (hash(i) % 60)::BIGINT AS k, TIMESTAMP '2011-12-01' + to_minutes((hash(i + 5) % 9000)::BIGINT) AS t, (i % 7)::BIGINT AS n, 'label ' || i AS name"+more+" FROM range(10000) t(i)")
			v := view(source_("s.parquet"), []string{"k int64"}, []string{"x float64"})
			d := onDemand("d", []string{"n int64", "name string", "t timestamp", "k int64"}, []string{
				"a float64 = v.x + float64(n)", "b int64 = 7 / n", "c string = upper(name)", "since float64 = hours(t - event(v))", "mine bool = k == 3",
			}, v)
			req := r.request("l.parquet", with(all(v), d))
			_, sum := r.train(req)
			file, err := os.ReadFile(req.Out)
			if err != nil {
				t.Fatal(err)
			}
			want := []lock.Fault{{View: d.Ref, Feature: "b", Reason: "division by zero", Rows: 1429, FirstRow: 1}}
			if diff := cmp.Diff(want, sum.Faults); diff != "" {
				t.Error(diff)
			}
			if one := oneByOne(t, r, req); !bytes.Equal(one, file) {
				t.Errorf("wide %v: %d bytes, and %d with joins one by one", wide, len(file), len(one))
			}
			files = append(files, file)
		}
	}
	if !bytes.Equal(files[0], files[2]) || !bytes.Equal(files[1], files[3]) {
		t.Error("2 threads give other bytes than 1")
	}
}

// oneByOne returns the training set as joins one by one make it, after a first attempt that ran out of memory.
func oneByOne(t *testing.T, r *repo, req TrainingRequest) []byte {
	t.Helper()
	s, err := r.e.isolated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	req.AsOf = &req.Now
	made := &training{session: s, req: &req, byRef: map[fstore.ViewRef]lookup{}, summary: &TrainingSummary{}}
	path := filepath.Join(r.dir, "one.parquet")
	for _, do := range []func(context.Context) error{made.readLabels, made.readViews, made.join, func(ctx context.Context) error { return made.copy(ctx, "_joined", path) }} {
		if err := do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	from, err := made.joinOneByOne(t.Context())
	if err == nil {
		err = made.copy(t.Context(), from, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if faults := made.evaluator.sorted(); len(faults) != 1 || faults[0].Rows != 1429 {
		t.Errorf("after a second attempt: %v", faults)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEventOfWindowsIsTheirPublication(t *testing.T) {
	everyWay(t, func(r *repo, labels func(string) string) {
		r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x DOUBLE", "1 | 2011-12-01 05:00:00 | 2", "2 | 2011-11-01 | 5"))
		v := windowView(source_("s.parquet"), windowFeature("sum_7d", fstore.Sum, "x", fstore.Float64, 7*days))
		v.View.Publish = &fstore.Publish{Every: fstore.Duration(24 * time.Hour), Delay: fstore.Duration(time.Hour)}
		list := with(all(v), onDemand("d", nil, []string{"seen timestamp = event(windows)", "age float64 = hours(at - event(windows))"}, v))
		r.write("l.parquet", labels(values("k BIGINT | t TIMESTAMP", "1 | 2011-12-02 00:30:00", "1 | 2011-12-02 01:00:00", "1 | 2011-12-03 13:00:00", "1 | 2011-12-20", "2 | 2011-12-05", "NULL | 2011-12-05")))
		rows, _ := r.train(r.request("l.parquet", list))
		var got []string
		for _, row := range rows[:6] {
			got = append(got, strings.Join(row[3:], " | "))
		}
		want := []string{"NULL | NULL", "2011-12-02 00:00:00 | 1.0", "2011-12-03 00:00:00 | 13.0", "NULL | NULL", "NULL | NULL", "NULL | NULL"}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}

// Label columns convert to the declared types of request columns, or are an error that names row, column and value.
func TestRequestColumnsConvert(t *testing.T) {
	r := newRepo(t, 2)
	v := view(source_("s.parquet"), []string{"k int64"}, []string{"x float64"})
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x DOUBLE", "1 | 2011-12-01 | 2"))
	for _, c := range []struct{ declared, sql, want string }{
		{"int64", "3.0::DOUBLE", "3"},
		{"int64", "'nan'::DOUBLE", "NULL"},
		{"int64", "3::HUGEINT", "3"},
		{"int64", "7::DECIMAL(9, 2)", "7"},
		{"int64", "3.5::DOUBLE", "row 1: column q: 3.5 is not an int64"},
		{"int64", "'3'", "column q is VARCHAR, but the request column is int64"},
		{"int32", "3000000000::BIGINT", "row 1: column q: 3000000000 is not an int32"},
		{"float64", "9007199254740993::BIGINT", "row 1: column q: 9007199254740993 is not a float64"},
		{"float64", "0.5::FLOAT", "0.5"},
		{"float64", "'nan'::FLOAT", "NULL"},
		{"float64", "1.25::DECIMAL(5, 2)", "1.25"},
		{"string", "'a'::ENUM('a')", "a"},
		{"timestamp", "DATE '2011-12-09'", "2011-12-09 00:00:00"},
		{"timestamp", "TIMESTAMP_NS '2011-12-09 00:00:00.123456789'", "2011-12-09 00:00:00.123456"},
		{"timestamp", "'infinity'::TIMESTAMP", "row 1: column q: infinity is not a timestamp"},
		{"list<float64>", "[1.5::FLOAT, 2]", "[1.5, 2.0]"},
		{"list<float32>", "[1.5::DOUBLE]", "[1.5]"},
		{"list<float64>", "[1.5::DOUBLE, NULL]", "is not a list<float64>"},
		{"string", "repeat('x', 70000)", "is not a string within the limits"},
		{"list<float64>", "list_resize([1.0::DOUBLE], 5000, 0.0)", "is not a list<float64> within the limits"},
	} {
		for _, name := range []string{"l.parquet", "sql"} {
			d := onDemand("d", []string{"q " + c.declared}, []string{"same " + c.declared + " = q"})
			req := r.request("l.parquet", with(all(v), d))
			sql := "SELECT 1::BIGINT AS k, TIMESTAMP '2011-12-09' AS t, " + c.sql + " AS q"
			if name == "sql" {
				req.Labels = Labels{SQL: sql}
			} else {
				r.write(name, sql)
			}
			sum, err := r.e.TrainingSet(t.Context(), req)
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s as %s from %s: %v, want %s", c.sql, c.declared, name, err, c.want)
				}
				continue
			}
			rows, _ := r.read("out.parquet")
			if got := rows[0][len(rows[0])-1]; got != c.want || sum.Rows != 1 {
				t.Errorf("%s as %s from %s: %s, want %s", c.sql, c.declared, name, got, c.want)
			}
		}
	}
}

func TestRequestColumnsOfCSV(t *testing.T) {
	r := newRepo(t, 2)
	r.write("s.parquet", values("k BIGINT | event TIMESTAMP | x DOUBLE", "1 | 2011-12-01 | 2"))
	v := view(source_("s.parquet"), []string{"k int64"}, []string{"x float64"})
	d := onDemand("d", []string{"code string", "n int64", "e list<float64>", "when timestamp"}, []string{"c string = code", "m int64 = n + 1", "s float64 = sum(e)", "w timestamp = when"})
	req := r.request("l.csv", with(all(v), d))
	csv := func(text string) {
		if err := os.WriteFile(filepath.Join(r.dir, "l.csv"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	csv("k,t,code,n,e,when\n1,2011-12-09T00:00:00Z,0042,3.0,\"[1, 2.5]\",2011-12-01T01:00:00+01:00\n1,2011-12-09T00:00:00Z,,,,\n")
	rows, _ := r.train(req)
	r.check([][]string{rows[0][7:], rows[1][7:]}, "0042 | 4 | 3.5 | 2011-12-01 00:00:00", "NULL | NULL | NULL | NULL")
	csv("k,t,code,n,e,when\n1,2011-12-09T00:00:00Z,a,1,,\n1,2011-12-09T00:00:00Z,a,x,,\n")
	_, err := r.e.TrainingSet(t.Context(), req)
	r.fails(err, `row 2: column n: "x" is not an int64`)
	csv("k,t,code,n,e\n1,2011-12-09T00:00:00Z,a,1,\n")
	_, err = r.e.TrainingSet(t.Context(), req)
	r.fails(err, "there is no column when: the on-demand feature d.w needs it, as a timestamp")
}
