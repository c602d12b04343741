package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/fstore-dev/fstore/internal/english"
	"github.com/fstore-dev/fstore/internal/terminal"
	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/project/scaffold"
	"github.com/spf13/cobra"
)

func (a *app) initCommand() *cobra.Command {
	empty := false
	var from []string
	var feast, python string
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Create a feature repo: an example, an empty one, or one from your files",
		Long: `Create a feature repo in DIR, which must be empty or not exist. Without a flag the repo is an example that works at
once: an online shop with definitions and 20,000 invoice lines of sample data, the same every time.

--empty writes settings and an empty file of definitions, whose comments show the first steps.

--from reads the columns of Parquet files and proposes entities, sources and views. Comments mark each guess. It takes
a file, a folder or a pattern. With --from, DIR may hold other files; init overwrites none. Source paths are relative if
--from is relative or if the files are in DIR.

--from-feast converts what a Feast repo has registered (feast apply): entities, file sources, feature views and services.
It runs Feast to read the registry, with the Python that --python names. It lists what could not be carried over
(docs/feast.md).`,
		Example: "  fstore init shop\n  cd shop && fstore plan\n  fstore init mine --empty\n  fstore init proposed --from 'data/*.parquet'\n  fstore init moved --from-feast ../feature_repo --python ../venv/bin/python",
		Args:    usage.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			switch {
			case dir == "":
				return usage.Errorf(nil, "init: DIR is empty").WithHint("give the name of a new folder")
			case empty && len(from) > 0, (empty || len(from) > 0) && feast != "":
				return usage.Errorf(cmd, "name one of --empty, --from and --from-feast")
			case feast != "":
				return a.initFromFeast(cmd.Context(), dir, feast, python)
			case empty:
				return a.initRepo(dir, scaffold.Empty, emptyWritten)
			case len(from) > 0:
				return a.initFrom(cmd.Context(), dir, from)
			}
			return a.initRepo(dir, scaffold.Example, exampleWritten)
		},
	}
	cmd.Flags().BoolVar(&empty, "empty", false, "write settings and an empty file of definitions")
	cmd.Flags().StringArrayVar(&from, "from", nil, "propose definitions for these Parquet files: a file, a folder or a pattern (repeatable)")
	cmd.Flags().StringVar(&feast, "from-feast", "", "convert what this Feast repo has registered: the folder of its feature_store.yaml")
	cmd.Flags().StringVar(&python, "python", "python3", "with --from-feast: the Python that has feast")
	_ = cmd.MarkFlagFilename("from", "parquet")
	_ = cmd.MarkFlagDirname("from-feast")
	return cmd
}

const exampleWritten = `Wrote a feature repo to %[1]s:
  fstore.yaml            settings
  *.yaml, *.sql          definitions: entities, sources, feature views, feature services
  data/                  sample data: invoice lines, customers, products, labels
  schema/                JSON Schemas, by which editors complete and check the YAML

Next:
  cd %[1]s
  fstore plan
  fstore apply
  fstore training-set create churn_2025 --service churn --labels data/labels.parquet --out churn.parquet
  fstore materialize --to 2025-12-01      the sample data ends there
  fstore get --service churn --entity customer_id=12003
`

const emptyWritten = `Wrote an empty feature repo to %[1]s:
  fstore.yaml            settings
  definitions.yaml       a place for definitions; its comments show the first steps
  schema/                JSON Schemas, by which editors complete and check the YAML

Next: write an entity, a source and a feature view into definitions.yaml, then
  cd %[1]s
  fstore validate
`

// initRepo writes a repo and says what was written.
func (a *app) initRepo(dir string, write func(dir string) error, written string) error {
	if err := write(dir); err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(map[string]string{"repo": dir})
	}
	_, err := fmt.Fprint(a.stdout, thisFolder(fmt.Sprintf(written, dir), dir))
	return err
}

// initFrom writes a repo with definitions proposed from files, and says what was proposed and what was not.
func (a *app) initFrom(ctx context.Context, dir string, from []string) error {
	p, err := scaffold.From(ctx, dir, from, a.lookup)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Wrote a feature repo to %s. Its definitions.yaml proposes:\n", dir)
	for _, s := range p.Sources {
		time := "a static table"
		if s.Event != "" {
			time = "event time " + s.Event
		}
		fmt.Fprintf(&b, "  source %s: %s, %s\n", s.Name, english.Count(s.Files, "file"), time)
		for _, v := range s.Views {
			fmt.Fprintf(&b, "    feature_view %s of %s: %s\n", v.Name, strings.Join(v.Entities, ", "), english.Count(v.Features, "feature"))
		}
	}
	return a.printProposed(dir, b.String(), p.Missing, "Next: check the lines of definitions.yaml marked \"guessed\", then")
}

// initFromFeast writes a repo with definitions converted from a Feast repo, and says what was not carried over.
func (a *app) initFromFeast(ctx context.Context, dir, feast, python string) error {
	c, err := scaffold.FromFeast(ctx, dir, feast, python, a.lookup)
	if err != nil {
		return err
	}
	proposed := fmt.Sprintf("Wrote a feature repo to %s, converted from Feast %s: %s, %s, %s and %s.\n", dir, terminal.InCell(c.Feast),
		english.Count(len(c.Entities), "entity"), english.Count(len(c.Sources), "source"), english.Count(len(c.Views), "view"), english.Count(len(c.Services), "service"))
	return a.printProposed(dir, proposed, c.Notes, "Next:")
}

// printProposed prints what was proposed, what is missing from it, and what to do next.
func (a *app) printProposed(dir, proposed string, missing []string, next string) error {
	if a.json() {
		return a.printJSON(struct {
			Repo    string   `json:"repo"`
			Missing []string `json:"missing,omitempty"`
		}{dir, missing})
	}
	b := strings.Builder{}
	b.WriteString(proposed)
	for _, line := range missing {
		b.WriteString("Note: " + terminal.InCell(line) + "\n")
	}
	fmt.Fprintf(&b, "\n%s\n  cd %s\n  fstore validate\n  fstore plan\n", next, dir)
	_, err := fmt.Fprint(a.stdout, thisFolder(b.String(), dir))
	return err
}

// thisFolder adapts the text about a new repo if the repo is the current folder.
func thisFolder(text, dir string) string {
	if filepath.Clean(dir) != "." {
		return text
	}
	text = strings.Replace(text, "feature repo to "+dir, "feature repo to this folder", 1)
	return strings.Replace(text, "  cd "+dir+"\n", "", 1)
}
