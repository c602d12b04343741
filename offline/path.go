package offline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// expand replaces the variables in a path. The result may be relative to the repo.
func (e *Engine) expand(path string) (string, error) {
	expanded, err := fstore.Expand(path, e.opts.Lookup)
	if err != nil {
		return "", fmt.Errorf("path %s: %w", path, err)
	}
	return expanded, nil
}

// absolute returns a path, which may be relative to the repo, as a clean absolute path.
func (e *Engine) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(e.opts.Dir, path)
}

// pattern does the same for a pattern. Special characters in the repo's own path are escaped.
func (e *Engine) pattern(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(escapedPath.Replace(e.opts.Dir), path)
}

// files returns the files that a path names, in name order: the file itself, or the files that a pattern matches.
func (s *session) files(ctx context.Context, path string) ([]string, error) {
	expanded, err := s.e.expand(path)
	if err != nil {
		return nil, err
	}
	if scheme, _, isURL := strings.Cut(expanded, "://"); isURL {
		return nil, fstore.Errorf(fstore.ErrInvalid, "path %s is a URL", expanded).WithHint("sources are files: bring those of %s:// to this machine, or mount them", scheme)
	}
	file := s.e.absolute(expanded)
	info, err := os.Stat(file)
	switch {
	case err == nil && info.IsDir():
		if err := (tableFolders{}).check(file, file); err != nil {
			return nil, err
		}
		return nil, fstore.Errorf(fstore.ErrInvalid, "path %s is a folder", file).WithHint("write %s", patternIn(path, file))
	case err == nil:
		if err := checkRegular(file); err != nil {
			return nil, err
		}
		return []string{file}, checkTables([]string{file}, filepath.Dir(file))
	}
	pattern := s.e.pattern(expanded)
	b, err := s.query(ctx, "SELECT file\nFROM glob("+text(pattern)+")\nORDER BY file")
	if err != nil {
		return nil, err
	}
	found := []string{}
	if b.Len > 0 {
		found = b.Columns[0].Strings
	}
	if err := passedOver(path, pattern, found); err != nil {
		return nil, fmt.Errorf("path %s: %w", path, err)
	}
	if err := checkTables(found, patternRoot(pattern)); err != nil {
		return nil, fmt.Errorf("path %s: %w", path, err)
	}
	if len(found) == 0 {
		return nil, fstore.Errorf(fstore.ErrNotFound, "path %s: there is no such file", file).
			WithHint("write the data first, or correct the path of the source")
	}
	return found, nil
}

// passedOver returns an error if a path's pattern matches something that the engine silently leaves out: a broken link, or a
// folder named like a file, as Spark writes it. Other folders beside the files are fine.
func passedOver(path, pattern string, found []string) error {
	matches, err := filepath.Glob(pattern)
	if err != nil || strings.Contains(pattern, "**") {
		return nil //nolint:nilerr // the engine's patterns are its own; this only looks at those that both know
	}
	taken := map[string]bool{}
	for _, f := range found {
		taken[f] = true
	}
	for _, m := range matches {
		if taken[m] {
			continue
		}
		info, err := os.Stat(m)
		switch {
		case err != nil:
			return regular.ReadError(m, err)
		case info.IsDir() && strings.EqualFold(filepath.Ext(m), ".parquet"):
			if err := (tableFolders{}).check(m, m); err != nil {
				return err
			}
			return fstore.Errorf(fstore.ErrInvalid, "%s is a folder", m).WithHint("move it away, or name what is in such folders: %s/*.parquet", path)
		case !info.IsDir():
			if err := checkRegular(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// readParquet returns the FROM item that reads files as one relation, by column name. The first file decides the columns
// and types. If partitioned, folders such as day=2011-12-09 are text columns. Further options may be given.
func readParquet(files []string, partitioned bool, options ...string) string {
	args := []string{escaped(files), fmt.Sprintf("hive_partitioning = %v", partitioned)}
	if partitioned {
		args = append(args, "hive_types_autocast = false")
	}
	return "read_parquet(" + strings.Join(append(args, options...), ", ") + ")"
}

// rowNumber names the column in which the engine counts the rows of a Parquet file from 0, and the option that adds it.
const rowNumber = "file_row_number"

// escapedPath escapes a path so that it is not a pattern.
var escapedPath = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")

// escaped quotes a list of files, and escapes their names so that they are not patterns.
func escaped(files []string) string {
	out := make([]string, 0, len(files))
	for _, f := range files {
		out = append(out, escapedPath.Replace(f))
	}
	return texts(out)
}

// patternIn returns a pattern that matches the Parquet files in a folder or, if it has none, those in folders below it.
func patternIn(path, folder string) string {
	pattern := strings.TrimRight(path, "/")
	if found, err := filepath.Glob(filepath.Join(escapedPath.Replace(folder), "*.parquet")); err == nil && len(found) == 0 {
		pattern += "/**"
	}
	return pattern + "/*.parquet"
}
