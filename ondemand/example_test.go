package ondemand_test

import (
	"fmt"
	"log"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
)

func Example() {
	env := ondemand.Env{
		Columns: []ondemand.Column{
			{Name: "amount", Type: fstore.Float64},                 // a request column
			{Name: "customer.average_value", Type: fstore.Float64}, // a feature of another view
		},
		Events: []string{"customer"},
	}
	program, problems := ondemand.Compile(env, []ondemand.Feature{
		{Name: "amount_over_average", Type: fstore.Float64, Expression: "amount / customer.average_value"},
		{Name: "is_large", Type: fstore.Bool, Expression: "amount_over_average > 2"},
		{Name: "hours_since_order", Type: fstore.Float64, Expression: "hours(at - event(customer))"},
	})
	if problems != nil {
		log.Fatal(problems)
	}

	// Eval takes a column for each input that the program names.
	columns := map[string]*fstore.Column{
		"amount":                 {Type: fstore.Float64, Len: 2, Float64s: []float64{30, 10}},
		"customer.average_value": {Type: fstore.Float64, Len: 2, Float64s: []float64{12, 0}, Valid: fstore.Bitmap{0b01}},
		"at":                     {Type: fstore.Timestamp, Len: 2, Int64s: []int64{7_200_000_000, 7_200_000_000}},
		"customer":               {Type: fstore.Timestamp, Len: 2, Int64s: []int64{1_800_000_000, 0}, Valid: fstore.Bitmap{0b01}},
	}
	var inputs []*fstore.Column
	for _, in := range program.Inputs() {
		inputs = append(inputs, columns[in.Name])
	}
	result, err := program.Eval(2, inputs)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range result.Columns {
		fmt.Println(c.Name, c.Value(0), c.Value(1))
	}
	// Output:
	// amount_over_average 2.5 <nil>
	// is_large true <nil>
	// hours_since_order 1.5 <nil>
}
