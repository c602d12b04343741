package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/docs/schema"
	featurerepo "github.com/fstore-dev/fstore/feature_repo"
	"github.com/spf13/cobra"
)

func (a *app) initCommand() *cobra.Command {
	empty := false
	var from []string
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Create a feature repo: an example, an empty one, or one from your files",
		Long: `Create a feature repo in DIR, which must be empty or not exist. Without a flag the repo is an example that works at
once: an online shop with definitions and 20,000 invoice lines of sample data, the same every time.

--empty writes settings and an empty file of definitions, whose comments show the first steps.

--from reads the columns of Parquet files and proposes entities, sources and views. Comments mark each guess. It takes
a file, a folder or a pattern. With --from, DIR may hold other files; init overwrites none. Source paths are relative if
--from is relative or if the files are in DIR.`,
		Example: "  fstore init shop\n  cd shop && fstore plan\n  fstore init mine --empty\n  fstore init proposed --from 'data/*.parquet'",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			switch {
			case dir == "":
				return &usageError{message: "init: DIR is empty", hint: "give the name of a new folder"}
			case empty && len(from) > 0:
				return usagef(cmd, "name either --empty or --from")
			case empty:
				return a.initRepo(dir, writeEmpty(dir), emptyWritten)
			case len(from) > 0:
				return a.initFrom(cmd.Context(), dir, from)
			}
			return a.initRepo(dir, writeFiles, exampleWritten)
		},
	}
	cmd.Flags().BoolVar(&empty, "empty", false, "write settings and an empty file of definitions")
	cmd.Flags().StringArrayVar(&from, "from", nil, "propose definitions for these Parquet files: a file, a folder or a pattern (repeatable)")
	_ = cmd.MarkFlagFilename("from", "parquet")
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

// initRepo writes a repo and says what was written.
func (a *app) initRepo(dir string, write func(dir string) error, written string) error {
	if err := writeRepo(dir, write); err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(map[string]string{"repo": dir})
	}
	_, err := fmt.Fprintf(a.stdout, written, dir)
	return err
}

// schemaDir is the folder of a new repo that has the schemas for editors. Only YAML is read for definitions.
const schemaDir = "schema"

// schemaLine tells an editor which schema a YAML file of a repo has.
func schemaLine(name string) string {
	which := "definitions.json"
	if name == settingsFile {
		which = "settings.json"
	}
	return "# yaml-language-server: $schema=" + schemaDir + "/" + which + "\n"
}

// writeRepo writes a repo into a new or empty folder.
func writeRepo(dir string, write func(dir string) error) error {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return fstore.Errorf(fstore.ErrConflict, "init %s: the folder is not empty", dir).WithHint("give the name of a new folder")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("init %s: %w", dir, underlying(err))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("init %s: %w", dir, underlying(err))
	}
	if err := write(dir); err != nil {
		empty(dir) // or the next try would find that the folder is not empty
		return fmt.Errorf("init %s: %w", dir, err)
	}
	return nil
}

// empty removes what is in a folder.
func empty(dir string) {
	entries, _ := os.ReadDir(dir) // what cannot be removed stays
	for _, e := range entries {
		_ = os.RemoveAll(filepath.Join(dir, e.Name()))
	}
}

// writeFiles writes the example repo and its sample data.
func writeFiles(dir string) error {
	files, err := fs.Glob(featurerepo.Files, "*")
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := fs.ReadFile(featurerepo.Files, name)
		if err != nil {
			return err
		}
		if filepath.Ext(name) == ".yaml" {
			text = append([]byte(schemaLine(name)), text...)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	if err := os.CopyFS(filepath.Join(dir, schemaDir), schema.Files); err != nil {
		return err
	}
	return featurerepo.Generate(featurerepo.Small).Write(filepath.Join(dir, "data"))
}
