package main

import (
	"cmp"
	"fmt"
	"runtime"

	"github.com/fstore-dev/fstore/internal/usage"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/project"
	"github.com/spf13/cobra"
)

// version is set when fstore is built by make.
var version string

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of fstore, Go and DuckDB",
		Example: "  fstore version\n  fstore version --output json",
		Args:    usage.Args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Fstore   string `json:"fstore"`
				Go       string `json:"go"`
				DuckDB   string `json:"duckdb"`
				Platform string `json:"platform"`
			}{cmp.Or(version, project.ModuleVersion()), runtime.Version(), offline.DuckDBVersion(), runtime.GOOS + "/" + runtime.GOARCH}
			if a.json() {
				return a.printJSON(v)
			}
			_, err := fmt.Fprintf(a.stdout, "fstore  %s\nGo      %s\nDuckDB  %s\n%s\n", v.Fstore, v.Go, v.DuckDB, v.Platform)
			return err
		},
	}
}
