package server

import (
	"math"
	"sync/atomic"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
)

// cost estimates the memory of a look-up: its records, the columns made from them, and the encoded answer. Types
// determine it, except for strings, bytes and lists, whose size is learned from earlier look-ups.
type cost struct {
	values int64         // bytes of a row's values in the columns and in the encoded answer, without texts and elements
	copied float64       // texts and elements in the columns and in the answer, for each byte of a record
	record atomic.Uint64 // bits of a float64: bytes of a row's records
}

const (
	recordBytes   = 32 // of a record beside its values
	variableBytes = 24 // of a string, bytes or list beside its content: its header in a column, and its length in the answer
	guessedBytes  = 32 // of the content of a string, bytes or list before any look-up
	copies        = 2  // of that content beside the record: in a column and in the answer
	habit         = 64 // rows that change the learned size of a record by half
)

// newCost returns the estimate for a list that was not looked up yet.
func newCost(list *fstore.FeatureList) *cost {
	c := &cost{}
	record, variable, asked := int64(0), int64(0), 0.0 // bytes: of a row's records, what of them has no fixed width, and what is asked of that
	text := make([]float64, len(list.Uses))            // bytes of a string, bytes or list
	for i, u := range list.Uses {
		fixed, rest, texts := contents(u.Version)
		record += recordBytes + fixed + rest
		variable += rest
		text[i] = float64(rest) / float64(max(texts, 1))
	}
	for _, e := range hidden(list) {
		if w := int64(e.Width()); w > 0 {
			c.values += w
		} else {
			c.values += variableBytes + guessedBytes
		}
	}
	for i, output := range list.Outputs {
		if w := int64(list.Feature(i).Type.Width()); w > 0 {
			c.values += 2*w + 2 // and two bytes for whether it is null, and why
			continue
		}
		c.values += variableBytes
		switch o := output.(type) {
		case fstore.FeatureOutput:
			asked += text[o.Use]
		case fstore.OnDemandOutput:
			c.values += copies * guessedBytes
		}
	}
	c.copied = copies * asked / float64(max(variable, 1))
	c.record.Store(math.Float64bits(float64(record)))
	return c
}

// hidden returns the types of what on-demand features may be computed from: features of views, the request's columns, and
// on-demand features that are not in the answer.
func hidden(list *fstore.FeatureList) (types []fstore.Type) {
	visible := map[fstore.OnDemandOutput]bool{} // without their names in the answer
	for _, o := range list.Outputs {
		switch o := o.(type) {
		case fstore.OnDemandOutput:
			visible[fstore.OnDemandOutput{OnDemand: o.OnDemand, Feature: o.Feature}] = true
		case fstore.FeatureOutput: // looked up
		}
	}
	for i, v := range list.OnDemand {
		for _, f := range v.View.Features {
			if !visible[fstore.OnDemandOutput{OnDemand: i, Feature: f.Name}] {
				types = append(types, f.Type)
			}
		}
		for _, in := range v.Inputs {
			use := list.Use(in.Ref, in.Keys)
			for _, name := range in.Features {
				if in.OnDemand {
					types = append(types, list.OnDemandVersion(in.Ref).Feature(name).Type)
				} else {
					types = append(types, list.Uses[use].Version.View.Feature(name).Type)
				}
			}
		}
		for _, c := range v.View.Request {
			types = append(types, c.Type)
		}
	}
	return types
}

// contents returns the bytes of a record's values of fixed width, those of the others, and the number of features without
// fixed width. Tiles count among the others: a key has as many as it has rows in.
func contents(v *fstore.ViewVersion) (fixed, variable int64, texts int) {
	for _, f := range v.View.Features {
		if w := f.Type.Width(); w > 0 {
			fixed += int64(w)
		} else {
			texts++
		}
	}
	if v.View.Sawtooth() {
		return 0, online.TilesBytes(v, guessedBytes), texts
	}
	return fixed, guessedBytes * int64(texts), texts
}

// of returns the estimated bytes of a look-up of rows.
func (c *cost) of(rows int) int64 {
	return c.with(rows, float64(rows)*math.Float64frombits(c.record.Load()))
}

// with returns the same once the bytes of the records are known.
func (c *cost) with(rows int, records float64) int64 {
	return int64(rows)*c.values + int64((1+c.copied)*records)
}

// learn updates the estimate after a look-up. The more rows it had, the more it counts, so that one large record of a
// one-row request does not make every batch look large.
func (c *cost) learn(rows int, records float64) {
	if rows == 0 {
		return
	}
	was := math.Float64frombits(c.record.Load())
	seen, weight := records/float64(rows), float64(rows)/float64(rows+habit)
	c.record.Store(math.Float64bits(was + (seen-was)*weight))
}
