package github

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/project"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition"
)

// Plan returns a plan as Markdown, with the verdicts of a check for leaks if there was one.
func Plan(plan *registry.Plan, checked []project.CheckedView, limit Limit) string {
	var p page
	p.add(planTitle(plan))
	p.add(breaks(plan))
	p.add(leaks(checked))
	p.add(changes(plan))
	p.add(callers(plan))
	p.add(lineage(plan))
	p.add(toMaterialize(plan))
	p.add(models(plan))
	p.add(bullets("Warnings", problemLines(plan.Warnings)))
	p.add(verdicts(checked))
	p.add(bullets("Stays live although head moves on", retained(plan)))
	p.add(bullets("Assumptions", assumptions(plan)))
	for _, c := range plan.Changes {
		p.add(details(c))
	}
	return p.text(limit)
}

// Failure returns why there is no plan, as Markdown.
func Failure(project string, problems []definition.Problem, limit Limit) string {
	var p page
	p.add(block{open: marker(project), lines: []string{"### fstore has no plan of " + code(project) + "\n"}})
	p.add(block{open: "\n", lines: problemLines(problems)})
	return p.text(limit)
}

// marker returns the first line, which nobody sees. By it, a workflow finds its comment again.
func marker(project string) string {
	return "<!-- fstore-plan:" + strings.ReplaceAll(url.QueryEscape(project), "-", "%2D") + " -->\n"
}

func planTitle(plan *registry.Plan) block {
	b := block{open: marker(plan.Project)}
	if plan.Empty() {
		b.lines = []string{fmt.Sprintf("### fstore plan of %s: no changes\n\nThe registry is as defined (revision %d).\n", code(plan.Project), plan.Revision)}
		return b
	}
	counts := map[registry.Action]int{}
	for _, c := range plan.Changes {
		counts[c.Action]++
	}
	b.lines = []string{fmt.Sprintf("### fstore plan of %s: %d to add, %d to change, %d to remove\n\nCompared with revision %d of the registry.\n",
		code(plan.Project), counts[registry.Add], counts[registry.Modify], counts[registry.Remove], plan.Revision)}
	return b
}

// breaks says whom the plan breaks.
func breaks(plan *registry.Plan) (b block) {
	if broken := plan.Breaking(); len(broken) > 0 {
		b.open = "\n> [!CAUTION]\n"
		b.lines = []string{fmt.Sprintf("> **Breaking:** %s. `fstore apply` refuses this without `--breaking`.\n", prose(strings.Join(broken, ", ")))}
	}
	return b
}

// leaks names the views that see the future.
func leaks(checked []project.CheckedView) (b block) {
	b.open = "\n> [!CAUTION]\n> **Views that see the future:**\n"
	for i := range checked {
		if v := &checked[i]; !v.OK() {
			b.lines = append(b.lines, fmt.Sprintf("> - %s: %s\n", code(v.View.String()), sentence(v.Problem, v.Hint)))
		}
	}
	return b
}

// changes is the table of changes: what, which version, why, and whether it breaks callers.
func changes(plan *registry.Plan) block {
	b := block{open: "\n| | Definition | Version | Breaking | Why |\n|---|---|---|---|---|\n"}
	for _, c := range plan.Changes {
		versions, reason := project.VersionChange(c)
		if c.Action == registry.Remove && c.From > 0 {
			versions = fmt.Sprintf("@%d → none", c.From)
		}
		breaking := c.Kind == registry.KindService && slices.ContainsFunc(plan.Services, func(s registry.ServiceImpact) bool { return s.Service == c.Name && s.Breaking() })
		b.lines = append(b.lines, row(string(c.Action), kindText(c.Kind)+" "+code(c.Name), code(versions), yes(breaking), why(c, reason)))
	}
	return b
}

func row(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

func kindText(k registry.Kind) string {
	return strings.Replace(strings.ReplaceAll(string(k), "_", " "), "on demand", "on-demand", 1)
}

// mostFields is how many fields of a definition, and how many of its users, the table of changes has.
const mostFields = 5

// why says what changes in a definition and who uses it.
func why(c registry.Change, reason string) string {
	var parts []string
	if reason != "" {
		parts = append(parts, prose(reason))
	}
	for _, f := range c.Fields[:min(len(c.Fields), mostFields)] {
		parts = append(parts, fieldText(f))
	}
	if n := len(c.Fields) - mostFields; n > 0 {
		parts = append(parts, english.Count(n, "more field")+", below")
	}
	if len(c.Request) > 0 {
		parts = append(parts, "callers send "+code(project.RequestText(c.Request)))
	}
	if len(c.Dependents) > 0 && c.Action != registry.Add {
		parts = append(parts, "used by "+someOf(c.Dependents))
	}
	return strings.Join(parts, "<br>")
}

func someOf(names []string) string {
	var out []string
	for _, name := range names[:min(len(names), mostFields)] {
		out = append(out, code(name))
	}
	if n := len(names) - mostFields; n > 0 {
		out = append(out, fmt.Sprintf("%s more", english.Thousands(int64(n))))
	}
	return strings.Join(out, ", ")
}

// fieldText shows one field before and after. A text of several lines is among the details.
func fieldText(f definition.FieldChange) string {
	old, now := strings.TrimSpace(f.Old), strings.TrimSpace(f.New)
	var text string
	switch {
	case strings.Contains(old+now, "\n"):
		text = code(f.Field) + " changes, see below"
	case old == "":
		text = code(f.Field) + ": " + code(now)
	case now == "":
		text = code(f.Field) + ": " + code(old) + " → none"
	default:
		text = code(f.Field) + ": " + code(old) + " → " + code(now)
	}
	if f.Why != "" {
		text += " (" + prose(f.Why) + ")"
	}
	return text
}

// callers says what changes for callers of serving services.
func callers(plan *registry.Plan) block {
	b := block{open: "\n#### For callers\n\n| Service | Change | Breaking |\n|---|---|---|\n"}
	for _, s := range plan.Services {
		if s.To == 0 {
			b.lines = append(b.lines, row(code(fmt.Sprintf("%s@%d", s.Service, s.From)), "is removed with the apply: its callers get NOT&#95;FOUND", "**yes**"))
		}
		for _, c := range s.Changes {
			b.lines = append(b.lines, row(code(fmt.Sprintf("%s@%d → @%d", s.Service, s.From, s.To)), prose(c.String()), yes(c.Breaking)))
		}
	}
	for _, name := range plan.Forgotten {
		b.lines = append(b.lines, row("all", "requests with column "+code(name)+" are refused: nothing needs it any longer", "**yes**"))
	}
	return b
}

func yes(is bool) string {
	if is {
		return "**yes**"
	}
	return "no"
}

func toMaterialize(plan *registry.Plan) block {
	var lines []string
	for i, ref := range plan.Materialize {
		line := "- " + code(ref.String())
		for _, note := range strings.Split(project.CostNote(plan.Costs, i), "\n") {
			if note = strings.TrimPrefix(strings.TrimSpace(note), "# "); note != "" {
				line += "; " + prose(note)
			}
		}
		lines = append(lines, line+"\n")
	}
	return bullets("To materialize before they serve", lines)
}

func models(plan *registry.Plan) block {
	b := block{open: "\n#### Pinned models\n\n| Model | Effect |\n|---|---|\n"}
	for _, m := range plan.Models {
		b.lines = append(b.lines, row(code(m.Model.String()), prose(project.ModelNote(m))))
	}
	return b
}

func verdicts(checked []project.CheckedView) block {
	var lines []string
	for _, v := range checked {
		lines = append(lines, fmt.Sprintf("- %s: %s\n", code(v.View.String()), prose(v.Verdict)))
	}
	if note := project.CheckedNote(checked); note != "" {
		lines = append(lines, "\n"+prose(note)+"\n")
	}
	return bullets("Check for leaks", lines)
}

func retained(plan *registry.Plan) (lines []string) {
	for _, k := range plan.Retained {
		lines = append(lines, fmt.Sprintf("- %s, for %s\n", code(k.Ref.String()), someOf(k.Why)))
	}
	return lines
}

func assumptions(plan *registry.Plan) (lines []string) {
	for _, n := range project.PlanNotes(plan.Notes) {
		lines = append(lines, fmt.Sprintf("- %s: %s\n", someOf(n.Views), prose(n.Text)))
	}
	return lines
}

func bullets(title string, lines []string) block {
	return block{open: "\n#### " + title + "\n\n", lines: lines}
}

func problemLines(problems []definition.Problem) (lines []string) {
	for _, p := range problems {
		line := "- "
		if p.Pos != (fstore.Pos{}) {
			line += code(p.Pos.String()) + ": "
		}
		lines = append(lines, line+sentence(p.Message, p.Hint)+"\n")
	}
	return lines
}

func sentence(message, hint string) string {
	if hint == "" {
		return prose(message)
	}
	return prose(message) + " (" + prose(hint) + ")"
}

// details shows every field of a changed definition, with the lines that differ.
func details(c registry.Change) block {
	var lines []string
	for _, f := range c.Fields {
		lines = append(lines, inFence("@@ "+f.Field+" @@"))
		for _, l := range terminal.LineDiff(linesOf(f.Old), linesOf(f.New)) {
			lines = append(lines, inFence(l))
		}
	}
	open, end := fence("diff", lines)
	return block{
		open:  fmt.Sprintf("\n<details><summary>%s %s</summary>\n\n%s", kindText(c.Kind), element(c.Name), open),
		lines: lines,
		end:   end + "\n</details>\n",
	}
}

func linesOf(s string) []string {
	if s = strings.TrimSpace(s); s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}
