package scaffold

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
)

const proposedHead = `# Proposed from the columns of Parquet files: %s.
# Names and types can mislead. Check and correct each line marked "guessed", then run: fstore validate
`

// text writes the definitions.
func (p *proposal) text() string {
	files := 0
	var docs []string
	for _, e := range p.entities {
		docs = append(docs, fmt.Sprintf("kind: entity\nname: %s\njoin_keys: [{name: %s, type: %s}] # guessed: by its name in %s; check\n", scalar(e.name), scalar(e.key), e.typ, e.from))
	}
	for _, s := range p.sources {
		files += len(s.group.files)
		docs = append(docs, s.text())
		for i := range s.views {
			docs = append(docs, s.views[i].text(s))
		}
	}
	head := fmt.Sprintf(proposedHead, english.Count(files, "file"))
	if slices.ContainsFunc(p.sources, func(s *guessedSource) bool { return s.problem == "" }) {
		return head + strings.Join(docs, "---\n")
	}
	return head + strings.Join(docs, "#\n") + "#\n" + emptyDefinitions
}

// text writes a source. An omitted one becomes a comment.
func (s *guessedSource) text() string {
	if s.problem != "" {
		return "# " + commentText(s.missing()) + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "kind: source\nname: %s\npath: %s # %s\n", scalar(s.name), scalar(s.group.path), english.Count(len(s.group.files), "file"))
	var renames, optional []string
	for _, c := range s.columns {
		if c.isRenamed() {
			renames = append(renames, "  "+scalar(c.file)+": "+scalar(c.name)+"\n")
		}
		if c.optional {
			optional = append(optional, scalar(c.name))
		}
	}
	if len(renames) > 0 {
		b.WriteString("rename:\n" + strings.Join(renames, ""))
	}
	if len(optional) > 0 {
		fmt.Fprintf(&b, "optional_columns: [%s] # guessed: some files lack them; check\n", strings.Join(optional, ", "))
	}
	switch {
	case s.event != nil:
		s.times(&b)
	case s.timeHint != "":
		fmt.Fprintf(&b, "# guessed: a static table, which has no past. %s: write it as a TIMESTAMP to give the rows a time\n", commentText(s.timeHint))
	default:
		b.WriteString("# guessed: a static table, which has no past, as no column looks like the time of a row; check\n")
	}
	for _, line := range s.leftOut {
		b.WriteString("# left out: " + commentText(line) + "\n")
	}
	if line := s.missing(); line != "" {
		b.WriteString("# " + line + "\n")
	}
	return b.String()
}

// times writes the event time, created time and availability of a source.
func (s *guessedSource) times(b *strings.Builder) {
	var others []string
	for i := range s.columns {
		c := &s.columns[i]
		if c.typ == fstore.Timestamp && c != s.event && c != s.created {
			others = append(others, c.name)
		}
	}
	fmt.Fprintf(b, "event_timestamp: %s # guessed: when a row was true", scalar(s.event.name))
	if len(others) > 0 {
		b.WriteString(", not " + strings.Join(others, " or "))
	}
	b.WriteString("; check\n")
	switch {
	case s.created != nil:
		fmt.Fprintf(b, "created_timestamp: %s # guessed: when a row became known; check\n", scalar(s.created.name))
		if s.event.dates {
			b.WriteString("availability: created\n")
		}
	case s.event.dates:
		b.WriteString("availability: event + " + oneDay.String() + " # guessed: a row is known when its day is over; check\n")
	default:
		b.WriteString("# guessed: a row is known at its event time. If it is loaded later, add availability: event + 2h, say; check\n")
	}
}

// text writes a view.
func (v *guessedView) text(s *guessedSource) string {
	var b strings.Builder
	var keys []string
	for _, k := range v.keys {
		keys = append(keys, k.column.name)
	}
	var entities []string
	for _, e := range v.entities {
		entities = append(entities, scalar(e))
	}
	rows := "the latest row of each " + keys[0] + " counts"
	if s.event == nil {
		rows = "there is one row for each " + strings.Join(keys, ", ")
	}
	fmt.Fprintf(&b, "kind: feature_view\nname: %s\nentities: [%s] # guessed: %s; check\n", scalar(v.name), strings.Join(entities, ", "), rows)
	for _, k := range v.keys {
		if k.typ == fstore.Int64 && (k.column.typ == fstore.Float64 || k.column.typ == fstore.Float32) {
			fmt.Fprintf(&b, "# guessed: %s is %s in the files, with whole numbers only; check\n", k.column.name, k.column.engine)
		}
	}
	fmt.Fprintf(&b, "source: %s\nfeatures: # guessed: all other columns; remove what a model is to predict, and what is known only later\n", scalar(s.name))
	for _, f := range v.features {
		fmt.Fprintf(&b, "  - {name: %s, type: %s}\n", scalar(f.name), f.typ)
	}
	return b.String()
}

var plainScalar = regexp.MustCompile(`^[A-Za-z_./][A-Za-z0-9_./*=-]*$`)

// scalar writes a text as a value of YAML.
func scalar(s string) string {
	if plainScalar.MatchString(s) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s)) {
		return s
	}
	return strconv.Quote(s)
}

// commentText escapes a text for a YAML comment.
func commentText(s string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
