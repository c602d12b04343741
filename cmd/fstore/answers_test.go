package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/testscript"
)

// answers TRAINING_SET.parquet ANSWER.json holds that an answer has every feature column of a training set, row for row
// the same values. Negated, it holds that they differ.
func answers(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: answers TRAINING_SET.parquet ANSWER.json")
	}
	rows, err := parquet.ReadFile[any](ts.MkAbs(args[0]))
	ts.Check(err)
	text, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	var answer struct {
		Features []struct {
			Name   string `json:"name"`
			Values []any  `json:"values"`
		} `json:"features"`
	}
	ts.Check(json.Unmarshal(text, &answer))
	difference := ""
	if len(rows) == 0 || len(answer.Features) == 0 {
		ts.Fatalf("%d rows and %d features prove nothing", len(rows), len(answer.Features))
	}
	for _, f := range answer.Features {
		if len(f.Values) != len(rows) {
			ts.Fatalf("%s has %d values for %d rows", f.Name, len(f.Values), len(rows))
		}
		for i := range rows {
			trained, ok := rows[i].(map[string]any)[f.Name]
			if !ok {
				ts.Fatalf("the training set has no %s", f.Name)
			}
			if !sameValue(trained, f.Values[i]) && difference == "" {
				difference = fmt.Sprintf("%s of row %d: trained on %v, served %v", f.Name, i+1, trained, f.Values[i])
			}
		}
	}
	if (difference != "") != neg {
		ts.Fatalf("%s differs from %s: %q", args[1], args[0], difference)
	}
}

// sameValue compares a value of Parquet with one of JSON.
func sameValue(trained, served any) bool {
	switch v := trained.(type) {
	case nil:
		return served == nil
	case int64:
		f, ok := served.(float64)
		return ok && int64(f) == v && math.Abs(f) < 1<<53
	case int32:
		return served == float64(v)
	case []byte:
		return served == string(v)
	}
	return trained == served
}
