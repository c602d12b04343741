package ondemand

import (
	"fmt"
	"slices"
	"sync"
	"unicode"

	"github.com/fstore-dev/fstore/ondemand/zone"
)

// Program evaluates the features of one view. It can be used from several goroutines at once.
type Program struct {
	features   []Feature
	roots      []*node
	inputs     []Input
	inputIndex map[Input]int
	cost       int
	plan       plan
	frames     sync.Pool // of *frame
}

// Compile checks the expressions of a view's features. A feature may use those before it. Compile reports one problem for
// each expression that has any. It returns no program, and no problems, if all problems are reported elsewhere: see Env.
func Compile(env Env, features []Feature) (*Program, []Problem) {
	p := &Program{features: features, inputIndex: map[Input]int{}}
	names := newScope(&env, features)
	var problems []Problem
	broken := false
	for i, f := range features {
		root, problem := p.compile(names, i)
		if problem == nil {
			p.cost += root.totalCost()
			problem = p.checkCost(root)
		}
		broken = broken || problem != nil
		if problem != nil && problem.Message != "" {
			problem.Feature = f.Name
			problems = append(problems, *problem)
		}
		p.roots = append(p.roots, root)
	}
	if broken {
		return nil, problems
	}
	p.plan = p.place()
	return p, nil
}

func (p *Program) compile(names *scope, i int) (*node, *Problem) {
	f := p.features[i]
	want := typeOf(f.Type)
	if f.Default != nil && f.Default.Type != f.Type {
		return nil, &Problem{Line: 1, Col: 1, Message: fmt.Sprintf("the feature is declared %s, but its default is %s", f.Type, f.Default.Type)}
	}
	tree, problem := parse(f.Expression)
	if problem != nil {
		return nil, problem
	}
	c := &checker{scope: names, program: p, index: i, text: []rune(f.Expression)}
	root, problem := c.checkExpression(tree, want)
	if problem == nil && want == noType {
		problem = &Problem{} // reported elsewhere
	}
	return root, problem
}

// input returns the index of an input, which it adds if it is new.
func (p *Program) input(in Input) int {
	i, ok := p.inputIndex[in]
	if !ok {
		i = len(p.inputs)
		p.inputs = append(p.inputs, in)
		p.inputIndex[in] = i
	}
	return i
}

func (p *Program) checkCost(root *node) *Problem {
	cost, limit, what := root.totalCost(), MaxCost, "the expression costs"
	if cost <= MaxCost {
		cost, limit, what = p.cost, MaxViewCost, "with this expression, the view costs"
	}
	if cost <= limit {
		return nil
	}
	return &Problem{
		Line: 1, Col: 1, Message: tooCostly(what, cost, limit),
		Hint: "an addition costs 1; patterns, texts and lists cost most",
	}
}

func tooCostly(what string, cost, limit int) string {
	return fmt.Sprintf("%s %d for each row; at most %d is allowed", what, cost, limit)
}

func (n *node) totalCost() int {
	cost := n.cost
	for _, a := range n.args {
		cost += a.totalCost()
	}
	return cost
}

// DataVersions returns the versions of the data, compiled into fstore, on which results depend besides the inputs: that of
// the time zones, for calendar functions, and that of Unicode, for lower, upper and trim.
func DataVersions() (zones, characters string) { return zone.Version, unicode.Version }

// Inputs returns what the program reads, in the order in which Eval takes it.
func (p *Program) Inputs() []Input { return p.inputs }

// Cost returns an estimate of what a row costs at most. An addition of numbers is 1.
func (p *Program) Cost() int { return p.cost }

// HoursOfAt returns the features that read the hour, minute or second of at. They mean little where every label's instant
// is midnight.
func (p *Program) HoursOfAt() (features []string) {
	for i, root := range p.roots {
		if root.readsHourOfAt() {
			features = append(features, p.features[i].Name)
		}
	}
	return features
}

func (n *node) readsHourOfAt() bool {
	switch n.name {
	case "hour", "minute", "second":
		if n.kind == callNode && n.args[0].kind == inputNode && n.args[0].name == atName {
			return true
		}
	}
	return slices.ContainsFunc(n.args, (*node).readsHourOfAt)
}

// Readers returns the features whose expressions read input i themselves.
func (p *Program) Readers(i int) (features []string) {
	for j, root := range p.roots {
		if root.readsInput(i) {
			features = append(features, p.features[j].Name)
		}
	}
	return features
}

func (n *node) readsInput(i int) bool {
	return n.kind == inputNode && n.index == i || slices.ContainsFunc(n.args, func(a *node) bool { return a.readsInput(i) })
}

// Canonical returns the meaning of feature i, for its fingerprint. Two texts have the same form if they differ only in
// layout, comments and redundant parentheses. The form names inputs as the expression does.
func (p *Program) Canonical(i int) string {
	names := make([]string, len(p.inputs))
	for j, in := range p.inputs {
		names[j] = in.expression()
	}
	return p.CanonicalOver(i, names)
}

// CanonicalOver is Canonical with other names for the inputs, in the order of Inputs: with what they stand for, the form
// has the whole meaning of the feature.
func (p *Program) CanonicalOver(i int, names []string) string {
	return string(p.roots[i].appendTo([]byte("1"), names))
}

// Features returns the names and types of the results of Eval.
func (p *Program) Features() []Column {
	out := make([]Column, len(p.features))
	for i, f := range p.features {
		out[i] = Column{f.Name, f.Type}
	}
	return out
}
