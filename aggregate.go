package fstore

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Function is what a windowed feature computes of the rows in its window.
type Function string

// The functions. Nulls do not count, except in First, Last and LastN, whose order is (event, created, value).
const (
	Count         Function = "count" // of rows, or of values that are not null
	Sum           Function = "sum"
	Mean          Function = "mean"
	Min           Function = "min"
	Max           Function = "max"
	Stddev        Function = "stddev"         // of a sample
	CountDistinct Function = "count_distinct" // of values
	Percentile    Function = "percentile"     // interpolated between the two nearest values
	First         Function = "first"
	Last          Function = "last"
	LastN         Function = "last_n" // the newest first
)

// Functions returns all functions, in the order of the documentation.
func Functions() []Function {
	return []Function{Count, Sum, Mean, Min, Max, Stddev, CountDistinct, Percentile, First, Last, LastN}
}

// Window is what a windowed feature aggregates: the rows of its view's input that pass Where, over one window.
type Window struct {
	Function   Function `json:"function"`
	Expression string   `json:"expression,omitempty"` // SQL over the input's columns; empty: Count counts rows
	Where      string   `json:"where,omitempty"`      // SQL over the input's columns; empty: all rows pass
	Length     Duration `json:"length,omitzero"`      // zero: a lifetime, which has no start
	Hop        Duration `json:"hop,omitzero"`         // the steps in which the window's start moves; zero for a lifetime
	P          float64  `json:"p,omitzero"`           // of Percentile, from 0 to 1
	N          int      `json:"n,omitzero"`           // of LastN, from 1 to 100
}

// MarshalJSON writes durations as definitions usually have them: in days rather than weeks.
func (w Window) MarshalJSON() ([]byte, error) {
	type members Window
	out := struct {
		members
		Length string `json:"length,omitempty"`
		Hop    string `json:"hop,omitempty"`
	}{members: members(w)}
	if w.Length != 0 {
		out.Length, out.Hop = w.Length.String(), w.Hop.String()
	}
	return json.Marshal(out)
}

// Call writes what is computed as a call: percentile(price, 0.95).
func (w *Window) Call() string {
	switch w.Function {
	case Percentile:
		return fmt.Sprintf("percentile(%s, %s)", w.Expression, strconv.FormatFloat(w.P, 'g', -1, 64))
	case LastN:
		return fmt.Sprintf("last_n(%s, %d)", w.Expression, w.N)
	default:
		return fmt.Sprintf("%s(%s)", w.Function, w.Expression)
	}
}

// Over writes the form of the window: lifetime, 7d, or 7d by 6h where its start moves in steps.
func (w *Window) Over() string {
	switch {
	case w.Length == 0:
		return "lifetime"
	case w.Hop.Micros() <= 1:
		return w.Length.String()
	}
	return w.Length.String() + " by " + w.Hop.String()
}

// Summary says what a feature is: its description, or else what it aggregates.
func (f *Feature) Summary() string {
	if f.Description != "" || f.Window == nil {
		return f.Description
	}
	s := f.Window.Call() + " over " + f.Window.Over()
	if f.Window.Where != "" {
		s += " where " + f.Window.Where
	}
	return s
}
