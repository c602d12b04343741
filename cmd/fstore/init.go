package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	fstore "github.com/fstore-dev/fstore"
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

Next:
  cd %[1]s
  fstore plan
  fstore apply
`, args[0])
			return nil
		},
	}
}

// writeRepo writes the example repo and its sample data into a new or empty folder.
func writeRepo(dir string) error {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return fstore.Errorf(fstore.ErrConflict, "init %s: the folder is not empty", dir).WithHint("give the name of a new folder")
	}
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("init %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("init %s: %w", dir, err)
	}
	files, err := fs.Glob(featurerepo.Files, "*")
	if err != nil {
		return fmt.Errorf("init %s: %w", dir, err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(featurerepo.Files, name)
		if err != nil {
			return fmt.Errorf("init %s: %w", dir, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return fmt.Errorf("init %s: %w", dir, err)
		}
	}
	return featurerepo.Generate(featurerepo.Small).Write(filepath.Join(dir, "data"))
}
