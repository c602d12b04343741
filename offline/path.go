package offline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fstore-dev/fstore"
)

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}`)

// expand replaces ${VAR} and ${VAR:-default} in a path; an empty variable counts as unset.
func (e *Engine) expand(path string) (string, error) {
	missing := ""
	out := variable.ReplaceAllStringFunc(path, func(ref string) string {
		m := variable.FindStringSubmatch(ref)
		if v, ok := e.opts.Lookup(m[1]); ok && v != "" {
			return v
		}
		if m[2] == "" {
			missing = m[1]
		}
		return m[3]
	})
	if missing != "" {
		return "", fstore.Errorf(fstore.ErrInvalid, "path %s: variable %s is not set", path, missing).
			WithHint("set it, or write ${%s:-default}", missing)
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join(e.opts.Dir, out)
	}
	return out, nil
}

// files returns the files a path names, in name order: the file itself, or those a pattern matches.
func (s *session) files(ctx context.Context, path string) ([]string, error) {
	pattern, err := s.e.expand(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(pattern); err == nil {
		if info.IsDir() {
			return nil, fstore.Errorf(fstore.ErrInvalid, "path %s is a folder", pattern).WithHint("write %s/*.parquet", path)
		}
		return []string{pattern}, nil
	}
	b, err := s.query(ctx, "SELECT file\nFROM glob("+text(pattern)+")\nORDER BY file")
	if err != nil {
		return nil, err
	}
	if b.Len == 0 {
		return nil, fstore.Errorf(fstore.ErrNotFound, "path %s: there is no such file", pattern).
			WithHint("write the data first, or correct the path of the source")
	}
	return b.Columns[0].Strings, nil
}

// readParquet returns the FROM item that reads files as one relation, by column name. More options may follow.
// Folders such as day=2011-12-09 are columns if partitioned.
func readParquet(files []string, partitioned bool, options ...string) string {
	args := []string{escaped(files)}
	if len(files) > 1 {
		args = append(args, "union_by_name = true")
	}
	args = append(args, fmt.Sprintf("hive_partitioning = %v", partitioned))
	return "read_parquet(" + strings.Join(append(args, options...), ", ") + ")"
}

var partition = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// partitioned reports whether the files lie in folders such as day=2011-12-09. The folders that hold the repo are
// none of its business.
func (e *Engine) partitioned(files []string) bool {
	for _, f := range files {
		if rel, err := filepath.Rel(e.opts.Dir, f); err == nil && filepath.IsLocal(rel) {
			f = rel
		}
		for _, dir := range strings.Split(filepath.ToSlash(filepath.Dir(f)), "/") {
			if partition.MatchString(dir) {
				return true
			}
		}
	}
	return false
}

// escaped quotes a list of files whose names must not be taken for patterns.
func escaped(files []string) string {
	replace := strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")
	out := make([]string, 0, len(files))
	for _, f := range files {
		out = append(out, replace.Replace(f))
	}
	return texts(out)
}
