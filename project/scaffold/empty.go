package scaffold

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/docs/schema"
	"github.com/fstore-dev/fstore/project"
)

// writeBare writes a repo's settings, schemas and definitions, without data.
func writeBare(dir, definitions string) error {
	for name, text := range map[string]string{
		project.SettingsFile: schemaLine(project.SettingsFile) + "# Settings. Relative paths are relative to this file.\nproject: " + projectName(dir) + "\n",
		definitionsFile:      schemaLine(definitionsFile) + definitions,
		".gitignore":         "/.fstore/\n",
	} {
		err := writeNew(filepath.Join(dir, name), text)
		if err != nil && !(name == ".gitignore" && errors.Is(err, fs.ErrExist)) { // the folder may be in a Git repository
			return err
		}
	}
	return os.CopyFS(filepath.Join(dir, schemaDir), schema.Files)
}

// definitionsFile is the file of definitions of a new repo.
const definitionsFile = "definitions.yaml"

// writeNew writes a file that must not exist yet.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

var notInName = regexp.MustCompile(`[^a-z0-9_]+`)

// nameOf turns a text into a valid name: [a-z][a-z0-9_]*. It is empty if nothing remains.
func nameOf(text string) string {
	name := strings.Trim(notInName.ReplaceAllString(strings.ToLower(snake.ReplaceAllString(text, "${1}_${2}")), "_"), "_")
	name = strings.TrimLeft(name, "0123456789_")
	if fstore.CheckName(name) != nil {
		return ""
	}
	return name
}

var snake = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// projectName names a project after the folder of its repo.
func projectName(dir string) string {
	if full, err := filepath.Abs(dir); err == nil {
		dir = full
	}
	if name := nameOf(filepath.Base(dir)); name != "" {
		return name
	}
	return "features"
}

const emptyDefinitions = `# Definitions of this feature repo. Any number of *.yaml files may hold them, several to a file.
# Uncomment the lines below and write your own names, files and columns. Then run: fstore validate
#
# kind: entity                       # what features describe
# name: customer
# join_keys: [{name: customer_id, type: int64}]
# ---
# kind: source                       # rows in Parquet files
# name: orders
# path: data/orders/*.parquet        # relative to this folder
# event_timestamp: ordered_at        # when a row was true
# created_timestamp: loaded_at       # when it became known; leave it out if no column says so
# ---
# kind: feature_view
# name: customer_orders
# entities: [customer]
# source: orders                     # or sql: a file with a SELECT over sources
# features:
#   - {name: order_value, type: float64}
# ---
# kind: feature_service              # what one model uses
# name: churn
# features: [customer_orders.*]
`
