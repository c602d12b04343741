package skew

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"math"

	"github.com/fstore-dev/fstore"
)

// collect reads the log twice: to count the rows, and to take a sample of them.
func (r *runner) collect(ctx context.Context) error {
	since := fstore.Micros(r.o.Since)
	counts := func(at int64) bool { return r.o.Since.IsZero() || at >= since }
	if err := r.o.Log.Instants(ctx, func(all []int64) error {
		for _, at := range all {
			if counts(at) {
				r.result.Logged++
			}
		}
		return nil
	}); err != nil {
		return err
	}
	most := uint64(math.MaxUint64)
	if n := r.o.Sample; n > 0 && n < r.result.Logged {
		most = uint64(float64(n) / float64(r.result.Logged) * math.MaxUint64)
	}
	again := int64(0)
	if err := r.o.Log.Each(ctx, func(rows *Rows) error {
		shape := shapeOf(rows)
		for row := range rows.Len {
			if !counts(rows.At[row]) {
				continue
			}
			again++
			if hash(rows.Request[row], rows.Row[row]) <= most {
				r.take(rows, row, shape)
			}
		}
		return nil
	}, r.unreadable); err != nil {
		return err
	}
	if lost := r.result.Logged - again; lost > 0 {
		r.reasons["they could not be read again: their files were removed meanwhile, or are damaged"] = lost
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

// shapeOf identifies what rows of a group have in common besides their publications. The files of one list may differ in the columns
// of requests that they have, and so in what can be compared.
func shapeOf(rows *Rows) string {
	shape := fmt.Appendf(nil, "%q %v %v", rows.List, rows.Views, rows.Features)
	for _, columns := range [][]fstore.Column{rows.Sent, rows.Values} {
		shape = append(shape, '|')
		for i := range columns {
			shape = fmt.Appendf(shape, "%q %s ", columns[i].Name, columns[i].Type)
		}
	}
	return string(shape)
}

// take adds a row to the group of its shape and publications.
func (r *runner) take(rows *Rows, row int, shape string) {
	if rows.Problem != "" {
		r.skip(rows, rows.Problem)
		return
	}
	key := []byte(shape)
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
