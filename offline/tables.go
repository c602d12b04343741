package offline

import (
	"context"
	"slices"
)

// Files returns the files that a source's path names, as absolute paths in name order.
func (e *Engine) Files(ctx context.Context, path string) ([]string, error) {
	s, err := e.session(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.files(ctx, path)
}

// FilesOfColumns are files whose columns have the same names and types.
type FilesOfColumns struct {
	Files   []string
	Columns []string // in the order of the files
}

// ByColumns reads the footers of files and groups the files by their columns, in the order of the files.
func (e *Engine) ByColumns(ctx context.Context, files []string) ([]FilesOfColumns, error) {
	s, err := e.session(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	src := &source{files: files}
	if src.shapes, err = s.shapes(ctx, files); err != nil {
		return nil, s.unreadable(ctx, src, err)
	}
	var out []FilesOfColumns
	for _, sh := range src.distinctShapes() {
		out = append(out, FilesOfColumns{sh.files, slices.Clone(sh.columns)})
	}
	return out, nil
}

// EscapePattern returns a pattern that matches only a path.
func EscapePattern(path string) string { return escapedPath.Replace(path) }
