package online

import (
	"context"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
)

// placeOutputs says where in the answer each output goes, and what is looked up only for on-demand features.
func (p *Prepared) placeOutputs(list *fstore.FeatureList) {
	visible := 0
	for i, at := range p.evaluation.Outputs() {
		if at.Computed {
			p.computed = append(p.computed, i)
			p.fixed += valueBytes(list.Feature(i).Type)
			continue
		}
		p.outputs[at.Index].name, p.outputs[at.Index].at = list.Outputs[i].Name(), i
		visible++
	}
	p.onDemand = slices.Clip(p.evaluation.Versions())
	if p.computed != nil {
		described := list.Describe().Features
		for _, i := range p.computed {
			p.computedOf = append(p.computedOf, slices.Index(p.onDemand, described[i].View))
		}
	}
	for i := range p.outputs[visible:] {
		p.outputs[visible+i].at = p.features + i
	}
}

// hidden returns how many features are looked up only for on-demand features.
func (p *Prepared) hidden() int { return len(p.outputs) + len(p.computed) - p.features }

// compute adds the on-demand features to an answer. all has the answer's features and then the hidden ones.
func (p *Prepared) compute(ctx context.Context, a *Answer, all []AnswerFeature, req *Request, f *filler, sc *scratch) error {
	if p.computed == nil {
		return nil
	}
	sc.now = grown(sc.now, a.Rows)
	for i := range sc.now {
		sc.now[i] = fstore.Micros(req.Now)
	}
	at := fstore.Column{Name: "at", Type: fstore.Timestamp, Len: a.Rows, Int64s: sc.now}
	sc.lookups = grown(sc.lookups, len(p.outputs))
	for i := range p.outputs {
		sc.lookups[i] = &all[p.outputs[i].at].Column
	}
	a.OnDemand = p.onDemand
	a.Builds.Zones, a.Builds.Unicode = ondemand.DataVersions()
	end := p.store.begin(ctx, OnDemandPart, a.Rows)
	computed, err := p.evaluation.Eval(ondemand.Given{Rows: a.Rows, At: &at, Lookups: sc.lookups, Request: sc.request, Made: func(bytes int) error {
		if f.size += bytes; f.limit > 0 && f.size > f.limit {
			return p.answerTooLarge(f.size)
		}
		return ctx.Err()
	}})
	end(err)
	if err != nil {
		return err
	}
	var none AnswerFeature // of on-demand features, which have no event times
	if req.EventTimes == WithEventTimes {
		none.Events, none.EventsValid = make([]int64, a.Rows), make(fstore.Bitmap, (a.Rows+7)/8)
	}
	for i, to := range p.computed {
		out := &a.Features[to]
		*out = none
		out.Column = computed.Columns[i]
		f.counts = &sc.views[len(p.versions)+p.computedOf[i]].Values
		f.counts[Present] += a.Rows
		f.count(out, computed.Present[i])
	}
	return nil
}

// count sets the statuses of an on-demand feature.
func (f *filler) count(out *AnswerFeature, present fstore.Bitmap) {
	if present == nil {
		return
	}
	out.Statuses = make([]Status, f.rows)
	for row := range out.Statuses {
		if !present.Get(row) {
			out.Statuses[row] = NullValue
			f.counts[NullValue]++
			f.counts[Present]--
		}
	}
}

// fillEvents sets the column of the event times of a use: those of values that are there and fresh.
func (f *filler) fillEvents(c *fstore.Column, published int64) {
	c.Type, c.Len, c.Int64s = fstore.Timestamp, f.rows, take(&f.room.int64s, f.rows)
	for row, rec := range f.recs {
		event, has := int64(0), false
		if rec != nil {
			if event, has = f.layout.eventOf(rec); f.layout.windowed {
				event, has = published, true
			}
		}
		if has {
			c.Int64s[row] = event
			continue
		}
		if c.Valid == nil {
			c.Valid = fstore.NewBitmap(f.rows)
		}
		c.Valid.Clear(row)
	}
}
