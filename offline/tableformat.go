package offline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fstore-dev/fstore"
)

// tableFormat is a format of tables over Parquet files. The table's log says which files, and which of their rows, belong to
// the table now.
type tableFormat struct {
	name   string
	log    string // a pattern of what the folder of such a table contains
	export string // how to write the table's rows to plain files
}

var tableFormats = []tableFormat{
	{"a Delta Lake table", "_delta_log", `deltalake.DeltaTable("TABLE").to_pandas().to_parquet("FILE.parquet")`},
	{"an Apache Iceberg table", "metadata/*.metadata.json", `spark.table("TABLE").write.parquet("FOLDER")`},
	{"an Apache Hudi table", ".hoodie", `spark.read.format("hudi").load("TABLE").write.parquet("FOLDER")`},
}

// tableFolders finds out which folders are tables, and remembers it.
type tableFolders map[string]*tableFormat

// of returns the format of a table's folder; nil if the folder is not a table.
func (t tableFolders) of(dir string) *tableFormat {
	if f, ok := t[dir]; ok {
		return f
	}
	t[dir] = nil
	for i, f := range tableFormats {
		if found, err := filepath.Glob(filepath.Join(escapedPath.Replace(dir), f.log)); err == nil && len(found) > 0 {
			t[dir] = &tableFormats[i]
			break
		}
	}
	return t[dir]
}

// foldersAbove is how many folders above a pattern's folder are searched for a table. Folders such as day=2011-12-09 do not
// count.
const foldersAbove = 4

// check returns an error if a file or folder lies in a table. root is where the pattern begins that found it.
func (t tableFolders) check(path, root string) error {
	places := []string{path}
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		places = append(places, real)
	}
	for _, place := range places {
		above := 0
		for dir := place; above <= foldersAbove; dir = filepath.Dir(dir) {
			if f := t.of(dir); f != nil {
				what := path + " is " + f.name
				if dir != path {
					what = fmt.Sprintf("%s is a file of %s (%s)", path, f.name, dir)
				}
				return fstore.Errorf(fstore.ErrInvalid, "%s: the table's log says which rows count, and fstore does not read it", what).
					WithHint("write the rows of the table to plain Parquet files elsewhere, such as %s, and name those", f.export)
			}
			if filepath.Dir(dir) == dir {
				break
			}
			if !below(dir, root) && !partition.MatchString(filepath.Base(dir)) {
				above++
			}
		}
	}
	return nil
}

// below reports whether a path lies below a folder.
func below(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != "." && filepath.IsLocal(rel)
}

// patternRoot returns the folder in which a pattern begins.
func patternRoot(pattern string) string {
	fixed := pattern
	if i := strings.IndexAny(pattern, "*?["); i >= 0 {
		fixed = pattern[:i]
	}
	return filepath.Dir(fixed)
}

// checkTables returns an error if files lie in a table. It looks at each folder once, and follows links.
func checkTables(files []string, root string) error {
	tables, seen := tableFolders{}, map[string]bool{}
	for _, file := range files {
		dir := filepath.Dir(file)
		if info, err := os.Lstat(file); err == nil && info.Mode()&os.ModeSymlink != 0 {
			if err := tables.check(file, root); err != nil {
				return err
			}
		}
		if seen[dir] {
			continue
		}
		seen[dir] = true
		if err := tables.check(file, root); err != nil {
			return err
		}
	}
	return nil
}
