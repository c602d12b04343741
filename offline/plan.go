package offline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/functions"
)

// The registry's SQL gate reads the text of SQL. The plan is what DuckDB's binder made of it: every name is resolved, every
// macro is expanded, and every function has the name of the one that will run. This file refuses whatever it does not know.

// planOperators are the operators in a plan of one SELECT. The scan, LOGICAL_GET, is checked further.
var planOperators = nameSet(`GET PROJECTION FILTER AGGREGATE_AND_GROUP_BY WINDOW UNNEST LIMIT ORDER_BY TOP_N DISTINCT
	COMPARISON_JOIN ANY_JOIN ASOF_JOIN DELIM_JOIN CROSS_PRODUCT DEPENDENT_JOIN DELIM_GET
	UNION EXCEPT INTERSECT RECURSIVE_CTE MATERIALIZED_CTE CTE_REF EXPRESSION_GET CHUNK_GET DUMMY_SCAN EMPTY_RESULT PIVOT`)

// planExpressions are the kinds of expressions. Function calls are checked further.
var planExpressions = nameSet(`FUNCTION AGGREGATE WINDOW CASE CAST COLUMN_REF COMPARISON CONJUNCTION CONSTANT OPERATOR
	BETWEEN REF UNNEST LAMBDA LAMBDA_REF EXPANDED`)

// planFunctions are functions that SQL may not call, but that the binder or a macro of fstore puts into plans.
var planFunctions = nameSet(`error normalized_interval unpivot_list`)

func nameSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(text) {
		set[name] = true
	}
	return set
}

// checkPlan returns an *fstore.SQLError unless the plan of a query scans only its inputs, which are temporary tables here,
// and calls only functions on the list.
func checkPlan(raw []byte, sql string, inputs []fstore.Relation) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var answer struct {
		Plans []map[string]any `json:"plans"`
	}
	if err := d.Decode(&answer); err != nil {
		return fmt.Errorf("read the plan of a query: %w", err)
	}
	if len(answer.Plans) != 1 {
		return &fstore.SQLError{Message: "its plan cannot be checked", Offset: -1}
	}
	p := &plan{sql: sql}
	for _, in := range inputs {
		p.inputs = append(p.inputs, in.Name)
	}
	p.operator(answer.Plans[0])
	p.walk(answer.Plans[0])
	if p.wrong != nil {
		return p.wrong
	}
	return nil
}

// plan is a plan that is being checked.
type plan struct {
	sql    string
	inputs []string
	wrong  *fstore.SQLError // the first thing wrong
}

func (p *plan) refuse(n object, format string, args ...any) {
	if p.wrong != nil {
		return
	}
	p.wrong = &fstore.SQLError{Message: fmt.Sprintf(format, args...), Offset: -1}
	number, _ := n["query_location"].(json.Number)
	if at, err := strconv.Atoi(string(number)); err == nil && at < len(p.sql) {
		p.wrong.Offset = at
	}
}

func (p *plan) walk(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			p.walk(e)
		}
	case map[string]any:
		n := object(v)
		if class := n.str("expression_class"); class != "" {
			p.expression(n, strings.TrimPrefix(class, "BOUND_"))
		} else if strings.HasPrefix(n.str("type"), "LOGICAL_") {
			p.operator(n)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			p.walk(v[key])
		}
	}
}

func (p *plan) operator(n object) {
	kind := strings.TrimPrefix(n.str("type"), "LOGICAL_")
	if !planOperators[kind] {
		p.refuse(n, "fstore does not support %s", strings.ReplaceAll(kind, "_", " "))
		return
	}
	for _, child := range n.list("children") {
		if child := asObject(child); !strings.HasPrefix(child.str("type"), "LOGICAL_") {
			p.refuse(child, "fstore does not support a part of its plan")
		}
	}
	if kind != "GET" {
		return
	}
	scan := asObject(n["function_data"])
	table := scan.str("table")
	switch {
	case n.str("name") != "seq_scan" || scan.str("catalog") != "temp" || scan.str("schema") != "main":
		p.refuse(n, "it reads %s(), which is not a source or view", n.str("name"))
	case !slices.Contains(p.inputs, table):
		p.refuse(n, "it reads %s, which is not a source or view that is declared for it", table)
	}
}

func (p *plan) expression(n object, class string) {
	name := strings.ToLower(n.str("name"))
	switch {
	case !planExpressions[class]:
		p.refuse(n, "fstore does not support %s", strings.ReplaceAll(class, "_", " "))
	case class == "WINDOW" && name == "" && n.str("type") != "WINDOW_AGGREGATE": // such as row_number
	case class != "FUNCTION" && class != "AGGREGATE" && class != "WINDOW":
	case !functions.Allowed(name) && !planFunctions[name]:
		p.refuse(n, "it calls %s(), which is not on the list of functions that SQL may call", name)
	case name == "age" && len(n.list("children")) < 2:
		p.refuse(n, "age() with one argument reads the clock")
	}
}
