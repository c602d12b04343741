package servedlog

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/columntest"
	"github.com/fstore-dev/fstore/online/answers"
)

// What DuckDB reads is what was answered, bit for bit: every type, nulls, defaults under every status, NaN with its payload, -0.
func TestWhatIsReadIsWhatWasAnswered(t *testing.T) {
	var features []fstore.Feature
	for i, typ := range columntest.Types() {
		features = append(features, fstore.Feature{Name: fmt.Sprintf("f%02d", i), Type: typ})
	}
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, nil)
		list := listOf("all", features...)
		plan := w.Plan(list, nil, answers.Builds{})
		var want []fstore.Column
		for _, f := range features {
			want = append(want, fstore.NewColumn(f.Name, f.Type, 0))
		}
		var statuses []string
		var customers []int64
		for range rapid.IntRange(1, 3).Draw(r, "answers") {
			rows := rapid.IntRange(1, 5).Draw(r, "rows")
			s := served(make([]int64, rows)...)
			s.Answer.Features = nil
			for row := range rows {
				s.Columns[0].Int64s[row] = rapid.Int64().Draw(r, "key")
				customers = append(customers, s.Columns[0].Int64s[row])
			}
			for i, f := range features {
				column := columntest.Draw(r, f.Type, rows)
				spice(r, &column)
				a := answers.Feature{Column: column}
				if rapid.Bool().Draw(r, "statuses") {
					for range rows {
						a.Statuses = append(a.Statuses, answers.Status(rapid.IntRange(0, answers.Statuses-1).Draw(r, "status")))
					}
				}
				for row := range rows {
					want[i].AppendFrom(&column, row)
				}
				s.Answer.Features = append(s.Answer.Features, a)
			}
			for row := range rows {
				for i := range features {
					if got := s.Answer.Features[i].Status(row); got != answers.Present {
						statuses = append(statuses, fmt.Sprintf("%q %q", features[i].Name, got))
					}
				}
			}
			w.Add(plan, s)
			if rapid.Bool().Draw(r, "flush") {
				w.drain()
			}
		}
		w.drain()
		streamed := w.readBack(r, features)
		w.end()
		if w.Dropped() != 0 || w.Rows() != int64(len(customers)) {
			r.Fatalf("%d rows written, %d dropped, of %d\n%s", w.Rows(), w.Dropped(), len(customers), w.said)
		}
		for name, back := range map[string][]fstore.Column{"stream": streamed, "sealed file": w.readBack(r, features)} {
			for i := range features {
				if d := cmp.Diff(bitsOf(&want[i]), bitsOf(&back[i])); d != "" {
					r.Errorf("%s of the %s (-answered +read):\n%s", features[i].Type, name, d)
				}
			}
			if d := cmp.Diff(statuses, back[len(features)].Strings, cmpopts.EquateEmpty()); d != "" {
				r.Errorf("statuses of the %s (-answered +read):\n%s", name, d)
			}
		}
		got := w.batches(t, `select customer_id, columns(c -> c like 'f%') from
			(select * replace (epoch_us(f14) as f14, list_transform(f15, x -> epoch_us(x)) as f15) from FILES)
			order by regexp_extract(_request_id, '[0-9]+$')::int, _row`)
		var ids []int64
		all := make([]fstore.Column, len(features))
		for i, f := range features {
			all[i] = fstore.NewColumn(f.Name, f.Type, 0)
			if f.Type == fstore.Timestamp { // DuckDB's instants with a zone are no type of the engine's
				all[i].Type = fstore.Int64
			}
			if f.Type == fstore.List(fstore.Timestamp) {
				all[i].Type = fstore.List(fstore.Int64)
			}
		}
		for _, b := range got {
			ids = append(ids, b.Columns[0].Int64s...)
			for i := range features {
				for row := range b.Len {
					all[i].AppendFrom(&b.Columns[i+1], row)
				}
			}
		}
		if !slices.Equal(ids, customers) {
			r.Errorf("keys %v, not %v", ids, customers)
		}
		for i := range features {
			if d := cmp.Diff(bitsOf(&want[i]), bitsOf(&all[i])); d != "" {
				r.Errorf("%s %s (-answered +read):\n%s", features[i].Name, features[i].Type, d)
			}
		}
		said := w.query(t, "select e.key, e.value from (select unnest(map_entries(_status)) e from FILES)")
		slices.Sort(said)
		slices.Sort(statuses)
		if d := cmp.Diff(statuses, said); d != "" && len(statuses)+len(said) > 0 {
			r.Errorf("statuses (-answered +read):\n%s", d)
		}
	})
}

// readBack reads the log as Read does: the features, and a column of the statuses that are not PRESENT.
func (w *world) readBack(r *rapid.T, features []fstore.Feature) []fstore.Column {
	var out []fstore.Column
	for _, f := range features {
		out = append(out, fstore.NewColumn(f.Name, f.Type, 0))
	}
	said := fstore.NewColumn("", fstore.String, 0)
	err := Read(w.options.Path, Reader{Since: noon, Chosen: func(*Info) bool { return true }, Do: func(rows *Rows) error {
		for i := range features {
			for row := range rows.Len {
				out[i].AppendFrom(&rows.Features[i], row)
			}
		}
		for row := range rows.Len {
			for i, s := range rows.Statuses[row] {
				if s != 0 {
					said.Append(fmt.Sprintf("%q %q", features[i].Name, answers.Status(s)))
				}
			}
		}
		return nil
	}, Unreadable: func(path string, err error) { r.Errorf("%s: %v", path, err) }})
	if err != nil {
		r.Fatal(err)
	}
	return append(out, said)
}

// spice puts bits into floats that arithmetic does not keep, and instants into the years that fstore has.
func spice(r *rapid.T, c *fstore.Column) {
	if c.Type.Elem() == fstore.Timestamp {
		for i := range c.Int64s {
			c.Int64s[i] >>= 12
		}
	}
	for i := range c.Float64s {
		c.Float64s[i] = rapid.SampledFrom([]float64{c.Float64s[i], math.Copysign(0, -1), math.Float64frombits(0xfff8000000000abc), math.MaxFloat64}).Draw(r, "float64")
	}
	for i := range c.Float32s {
		c.Float32s[i] = rapid.SampledFrom([]float32{c.Float32s[i], float32(math.Copysign(0, -1)), math.Float32frombits(0x7fc00123)}).Draw(r, "float32")
	}
}

// bits returns the rows of a column, floats by their bits. The slot of a null says nothing.
func bitsOf(c *fstore.Column) []string {
	out := make([]string, c.Len)
	for row := range out {
		if c.IsNull(row) {
			out[row] = "null"
			continue
		}
		from, to := row, row+1
		if c.Type.IsList() {
			from, to = int(c.Offsets[row]), int(c.Offsets[row+1])
		}
		for i := from; i < to; i++ {
			switch c.Type.Elem() {
			case fstore.Float32:
				out[row] += fmt.Sprintf("%08x ", math.Float32bits(c.Float32s[i]))
			case fstore.Float64:
				out[row] += fmt.Sprintf("%016x ", binary.BigEndian.AppendUint64(nil, math.Float64bits(c.Float64s[i])))
			case fstore.Bool:
				out[row] += fmt.Sprint(c.Bools[i], " ")
			case fstore.Int32:
				out[row] += fmt.Sprint(c.Int32s[i], " ")
			case fstore.Int64, fstore.Timestamp:
				out[row] += fmt.Sprint(c.Int64s[i], " ")
			case fstore.String:
				out[row] += fmt.Sprintf("%q ", c.Strings[i])
			case fstore.Bytes:
				out[row] += fmt.Sprintf("%x|", c.Bytes[i])
			}
		}
	}
	return out
}

func TestWhatARowSays(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	s := served(7, 8)
	s.TraceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	s.Answer.Versions[0].RunInFlight, s.Answer.Versions[0].RunAt = "f00d", noon.Add(-time.Minute)
	s.Answer.Features[0].Statuses = []answers.Status{answers.Present, answers.NotFound}
	w.Add(plan, s)
	w.end()
	got := w.query(t, `select make_timestamp(epoch_us(_at)), _request_id, _row, _service, _model, _trace_id, _server, _build, _status['value'],
		make_timestamp(epoch_us(_published."orders@1")), _run."orders@1", make_timestamp(epoch_us(_run_at."orders@1")), _run_in_flight."orders@1", _generation."orders@1", customer_id, value from FILES order by _row`)
	rest := fmt.Sprintf(`"churn@2" null "4bf92f3577b34da6a3ce929d0e0e4736" %q "v1"`, w.server)
	views := `"2026-03-01T11:00:00Z" "feed" "2026-03-01T11:59:00Z" "f00d" "00ff"`
	want := []string{
		fmt.Sprintf(`"2026-03-01T12:00:00Z" "%s-1" 0 %s null %s 7 3.5`, w.server, rest, views),
		fmt.Sprintf(`"2026-03-01T12:00:00Z" "%s-1" 1 %s "NOT_FOUND" %s 8 4`, w.server, rest, views),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A file with more rows than a row group has several, whose bounds let readers skip them.
func TestManyRowsBecomeSeveralRowGroups(t *testing.T) {
	w := newWorld(t, nil)
	plan := w.Plan(listOf("churn", one), nil, answers.Builds{})
	const requests, rows = 700, 100
	for request := range int64(requests) {
		s := served(make([]int64, rows)...)
		for row := range int64(rows) {
			s.Columns[0].Int64s[row], s.Answer.Features[0].Column.Float64s[row] = rows*request+row, float64(row)
		}
		w.Add(plan, s)
	}
	w.end()
	got := w.query(t, `select count(*), sum(value), min(customer_id), max(customer_id), count(distinct _request_id), epoch_ms(any_value(_published."orders@1")) from FILES`)
	if want := `70000 3465000 0 69999 700 1772362800000`; got[0] != want {
		t.Errorf("%s, not %s", got[0], want)
	}
	groups := w.query(t, fmt.Sprintf(`select stats_min_value, stats_max_value, stats_null_count, row_group_num_rows
		from parquet_metadata('%s/*/*/*.parquet') where path_in_schema = 'customer_id' order by row_group_id`, w.options.Path))
	if want := []string{`"0" "65535" 0 65536`, `"65536" "69999" 0 4464`}; !slices.Equal(groups, want) {
		t.Errorf("%q, not %q", groups, want)
	}
}
