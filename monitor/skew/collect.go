package skew

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math"

	"github.com/fstore-dev/fstore"
)

// collect reads the log twice: to count the rows, and to take a sample of them.
func (r *runner) collect() error {
	since := fstore.Micros(r.o.Since)
	counts := func(rows *Rows, row int) bool { return r.o.Since.IsZero() || rows.At[row] >= since }
	if err := r.o.Log.Each(func(rows *Rows) error {
		for row := range rows.Len {
			if counts(rows, row) {
				r.result.Logged++
			}
		}
		return nil
	}, func(string, error) {}); err != nil {
		return err
	}
	most := uint64(math.MaxUint64)
	if n := r.o.Sample; n > 0 && n < r.result.Logged {
		most = uint64(float64(n) / float64(r.result.Logged) * math.MaxUint64)
	}
	again := int64(0)
	if err := r.o.Log.Each(func(rows *Rows) error {
		for row := range rows.Len {
			if !counts(rows, row) {
				continue
			}
			again++
			if hash(rows.Request[row], rows.Row[row]) <= most {
				r.take(rows, row)
			}
		}
		return nil
	}, r.unreadable); err != nil {
		return err
	}
	if lost := r.result.Logged - again; lost > 0 {
		r.reasons["their files were removed while the log was read"] = lost
	}
	return nil
}

func (r *runner) unreadable(file string, err error) {
	if r.result.UnreadableN++; len(r.result.Unreadable) < r.o.Shown {
		r.result.Unreadable = append(r.result.Unreadable, File{file, err.Error()})
	}
}

// hash spreads rows evenly, the same way in every run.
func hash(request string, row int64) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, request, " ", row)
	x := h.Sum64() // FNV alone leaves the high bits alike
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// take adds a row to the group of its publications.
func (r *runner) take(rows *Rows, row int) {
	if rows.Problem != "" {
		r.skip(rows, rows.Problem)
		return
	}
	key := []byte(rows.List)
	for v := range rows.Views {
		for _, c := range []*fstore.Column{&rows.Published[v], &rows.Run[v], &rows.RunAt[v], &rows.InFlight[v]} {
			key = c.AppendJSON(append(key, '|'), row)
		}
	}
	g := r.groups[string(key)]
	if g == nil {
		g = &Rows{List: rows.List, Features: rows.Features, Views: rows.Views}
		for _, pair := range []struct{ to, from *[]fstore.Column }{
			{&g.Published, &rows.Published}, {&g.Run, &rows.Run}, {&g.RunAt, &rows.RunAt}, {&g.InFlight, &rows.InFlight}, {&g.Sent, &rows.Sent}, {&g.Values, &rows.Values},
		} {
			for i := range *pair.from {
				c := &(*pair.from)[i]
				*pair.to = append(*pair.to, fstore.NewColumn(c.Name, c.Type, 0))
			}
		}
		r.groups[string(key)] = g
		r.order = append(r.order, string(key))
	}
	for _, pair := range []struct{ to, from []fstore.Column }{
		{g.Published, rows.Published}, {g.Run, rows.Run}, {g.RunAt, rows.RunAt}, {g.InFlight, rows.InFlight}, {g.Sent, rows.Sent}, {g.Values, rows.Values},
	} {
		for i := range pair.to {
			pair.to[i].AppendFrom(&pair.from[i], row)
		}
	}
	g.At, g.Request, g.Row = append(g.At, rows.At[row]), append(g.Request, rows.Request[row]), append(g.Row, rows.Row[row])
	g.Statuses = append(g.Statuses, bytes.Clone(rows.Statuses[row]))
	g.Len++
}

// skip counts a row that cannot be compared.
func (r *runner) skip(rows *Rows, reason string) {
	r.result.NotCompared++
	r.because(reason)
	for _, f := range rows.Features {
		r.of(f.View).NotProvable++
	}
}

// maxReasons bounds the reasons that are kept: those of a replay may differ from row to row.
const maxReasons = 20

func (r *runner) because(reason string) {
	if _, known := r.reasons[reason]; !known && len(r.reasons) >= maxReasons {
		reason = "other reasons"
	}
	r.reasons[reason]++
}
