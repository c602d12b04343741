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
	return &cobra.Command{
		Use:   "init DIR",
		Short: "Write an example repo with sample data that works at once",
		Long: `Write an example feature repo into DIR: an online shop with definitions, settings and 20,000 invoice lines of
sample data. DIR may exist, but must be empty. The sample data is the same every time.`,
		Example: "  fstore init shop\n  cd shop && fstore plan",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			if args[0] == "" {
				return &usageError{message: "init: DIR is empty", hint: "give the name of a new folder"}
			}
			if err := writeRepo(args[0]); err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(map[string]string{"repo": args[0]})
			}
			fmt.Fprintf(a.stdout, `Wrote a feature repo to %[1]s:
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
`, args[0])
			return nil
		},
	}
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

// writeRepo writes the example repo and its sample data into a new or empty folder.
func writeRepo(dir string) error {
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
	if err := writeFiles(dir); err != nil {
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
