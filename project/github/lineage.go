package github

import (
	"fmt"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/registry"
)

// mostEdges is how many edges a diagram has. More cannot be read, and Mermaid draws 500 at most.
const mostEdges = 80

// shapes are the brackets of the kinds of definitions in a diagram.
var shapes = map[registry.Kind][2]string{
	registry.KindEntity:   {`{{"`, `"}}`},
	registry.KindSource:   {`[("`, `")]`},
	registry.KindView:     {`["`, `"]`},
	registry.KindOnDemand: {`[/"`, `"/]`},
	registry.KindService:  {`(["`, `"])`},
}

// lineage is a diagram of who reads whom around what changes. What changes has the color of its action.
func lineage(plan *registry.Plan) block {
	edges := plan.Lineage[:min(len(plan.Lineage), mostEdges)]
	d := diagram{ids: map[registry.Node]string{}, changes: map[registry.Node]registry.Change{}}
	for _, c := range plan.Changes {
		d.changes[registry.Node{Kind: c.Kind, Name: c.Name}] = c
	}
	for _, e := range edges {
		from, to := d.node(e.From), d.node(e.To)
		d.text += fmt.Sprintf("  %s --> %s\n", from, to)
	}
	if d.text == "" {
		return block{}
	}
	b := block{open: "\n#### Lineage of what changes\n\n", lines: []string{
		"```mermaid\nflowchart LR\n" + d.text +
			"  classDef add fill:#dafbe1,stroke:#1a7f37,color:#1f2328\n" +
			"  classDef change fill:#fff8c5,stroke:#9a6700,color:#1f2328\n" +
			"  classDef remove fill:#ffebe9,stroke:#cf222e,color:#1f2328\n```\n",
	}} // one line: half a diagram is none
	if left := len(plan.Lineage) - len(edges); left > 0 {
		b.lines = append(b.lines, fmt.Sprintf("\n%s of %s are not drawn.\n", english.Thousands(int64(left)), english.Count(len(plan.Lineage), "edge")))
	}
	return b
}

// diagram is the text of a Mermaid flowchart as it grows.
type diagram struct {
	ids     map[registry.Node]string
	changes map[registry.Node]registry.Change
	text    string
}

// node returns the identifier of a node, and writes the node first if it is new.
func (d *diagram) node(n registry.Node) string {
	id, known := d.ids[n]
	if known {
		return id
	}
	id = fmt.Sprintf("n%d", len(d.ids))
	d.ids[n] = id
	c, changed := d.changes[n]
	version, class := "", ""
	if changed {
		class = ":::" + string(c.Action)
	}
	if changed && c.To > 0 {
		version = fmt.Sprintf("@%d", c.To)
	}
	shape := shapes[n.Kind]
	d.text += fmt.Sprintf("  %s%s%s%s%s\n", id, shape[0], label(n.Name+version), shape[1], class)
	return id
}
