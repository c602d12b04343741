package sqlgate

import (
	_ "embed" // refused.txt and order.txt
	"slices"
	"strings"

	"github.com/fstore-dev/fstore/functions"
)

//go:embed refused.txt
var refusedText string

//go:embed order.txt
var orderText string

var (
	functionNames    = wordsOnly(functions.Names())
	refusedFunctions = refusals(refusedText)

	orderedAggregates = functionSet(orderLine("aggregates"))
	tiedAggregates    = functionSet(orderLine("ties"))
	unsettledLists    = functionSet(orderLine("unsettled"))
	settlingFunctions = functionSet(orderLine("settling"))
	macros            = functionSet(orderLine("macros"))
)

// refusal says why a function may not be called and what to write instead.
type refusal struct{ why, instead string }

func lines(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return l == "" || strings.HasPrefix(l, "#") })
}

func functionSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, line := range lines(text) {
		for _, name := range strings.Fields(line) {
			set[name] = true
		}
	}
	return set
}

// wordsOnly drops operators, which are never a mistyped function.
func wordsOnly(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return name[0] < 'a' || name[0] > 'z' })
}

func orderLine(label string) string {
	for _, line := range lines(orderText) {
		if rest, ok := strings.CutPrefix(line, label+" "); ok {
			return rest
		}
	}
	panic("sqlgate: order.txt has no line " + label)
}

func refusals(text string) map[string]refusal {
	out := map[string]refusal{}
	for _, line := range lines(text) {
		reason, names, _ := strings.Cut(line, ": ")
		why, instead, _ := strings.Cut(reason, " | ")
		for _, name := range strings.Fields(names) {
			out[name] = refusal{why, instead}
		}
	}
	return out
}
