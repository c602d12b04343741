package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/spf13/cobra"
)

// version is set when fstore is built by make.
var version string

// buildIdentity tells this build from any other. What is built from a working copy has no version of its own: the
// program's file stands in.
func buildIdentity() string {
	version := buildVersion()
	if version != "dev" && version != "(devel)" && !strings.Contains(version, "dirty") {
		return version
	}
	path, err := os.Executable()
	if err != nil {
		return version
	}
	info, err := os.Stat(path)
	if err != nil {
		return version
	}
	return fmt.Sprintf("%s %s %d %d", version, path, info.Size(), info.ModTime().UnixNano())
}

// buildVersion returns the version of this build: make's, else that of the module.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of fstore, Go and DuckDB",
		Example: "  fstore version\n  fstore version --output json",
		Args:    args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Fstore   string `json:"fstore"`
				Go       string `json:"go"`
				DuckDB   string `json:"duckdb"`
				Platform string `json:"platform"`
			}{buildVersion(), runtime.Version(), duckdb.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if a.json() {
				return a.printJSON(v)
			}
			_, err := fmt.Fprintf(a.stdout, "fstore  %s\nGo      %s\nDuckDB  %s\n%s\n", v.Fstore, v.Go, v.DuckDB, v.Platform)
			return err
		},
	}
}
