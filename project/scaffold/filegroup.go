package scaffold

import (
	"context"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/fstore-dev/fstore/offline"
)

// fileGroup is a group of files that look like one source.
type fileGroup struct {
	name     string
	folder   string // absolute; folders such as day=2011-12-09 are day=*
	relative bool   // the files were named by a relative path
	files    []string
	stems    map[string]bool
	columns  []string // of all files
	optional []string // columns that some files lack
	path     string   // the path of the source
}

var (
	partitionFolder = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*=).*$`)
	counters        = regexp.MustCompile(`([0-9a-f]{8,}|[0-9]+)([-_.T:]*([0-9a-f]{8,}|[0-9]+))*`)
)

// folderOf returns the folder of a file, with day=* for a folder such as day=2011-12-09.
func folderOf(file string) string {
	parts := strings.Split(filepath.ToSlash(filepath.Dir(file)), "/")
	for i, p := range parts {
		parts[i] = partitionFolder.ReplaceAllString(p, "${1}*")
	}
	return strings.Join(parts, "/")
}

// stemOf returns the name of a file without its extension, with # for each number.
func stemOf(file string) string {
	stem, _, _ := strings.Cut(filepath.Base(file), ".")
	return counters.ReplaceAllString(stem, "#")
}

// groupFiles groups files by source. Files in one folder with the same columns are one source. So are files whose
// names differ only in numbers and that share most columns.
func groupFiles(groups []offline.FilesOfColumns, relative map[string]bool) []*fileGroup {
	var out []*fileGroup
	for _, g := range groups {
		for _, part := range byFolder(g, relative) {
			if i := slices.IndexFunc(out, func(o *fileGroup) bool { return o.takes(part) }); i >= 0 {
				out[i].add(part)
			} else {
				out = append(out, part)
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].files[0] < out[j].files[0] })
	return out
}

// byFolder groups files that have the same columns by their folders.
func byFolder(g offline.FilesOfColumns, relative map[string]bool) []*fileGroup {
	type place struct {
		folder   string
		relative bool
	}
	var out []*fileGroup
	known := map[place]*fileGroup{}
	for _, file := range g.Files {
		at := place{folderOf(file), relative[file]}
		if known[at] == nil {
			known[at] = &fileGroup{folder: at.folder, relative: at.relative, columns: g.Columns, stems: map[string]bool{}}
			out = append(out, known[at])
		}
		known[at].files, known[at].stems[stemOf(file)] = append(known[at].files, file), true
	}
	return out
}

// takes reports whether other files, which all have the same columns, belong to the group.
func (g *fileGroup) takes(o *fileGroup) bool {
	if g.folder != o.folder || g.relative != o.relative || !g.sharesStem(o) {
		return false
	}
	shared := 0
	for _, c := range o.columns {
		switch {
		case slices.Contains(g.columns, c):
			shared++
		case slices.ContainsFunc(g.columns, func(have string) bool { return strings.EqualFold(have, c) }):
			return false // SQL cannot tell them apart
		}
	}
	all := len(g.columns) + len(o.columns) - shared
	return 2*shared >= all
}

// sharesStem reports whether two files of the groups have the same name except for numbers.
func (g *fileGroup) sharesStem(o *fileGroup) bool {
	for stem := range o.stems {
		if g.stems[stem] {
			return true
		}
	}
	return false
}

func (g *fileGroup) add(o *fileGroup) {
	maps.Copy(g.stems, o.stems)
	g.files = append(g.files, o.files...)
	slices.Sort(g.files)
	for _, c := range g.columns {
		if !slices.Contains(o.columns, c) && !slices.Contains(g.optional, c) {
			g.optional = append(g.optional, c)
		}
	}
	columns := slices.Clone(g.columns)
	for _, c := range o.columns {
		if !slices.Contains(g.columns, c) {
			columns, g.optional = append(columns, c), append(g.optional, c)
		}
	}
	g.columns = columns
}

// locate finds the path and the name of a source: a file, or a pattern that matches exactly its files. If there is no
// such pattern, each file becomes a source.
func (g *fileGroup) locate(ctx context.Context, engine *offline.Engine, repo string) ([]*fileGroup, error) {
	folder := g.shown(repo, g.folder)
	if len(g.files) == 1 && !strings.Contains(g.folder, "=*") {
		g.path, g.name = literal(g.shown(repo, g.files[0])), nameOfFile(g.files[0])
		if g.name == "" {
			g.name = nameOfFile(g.folder)
		}
		return []*fileGroup{g}, nil
	}
	for _, base := range g.patterns() {
		path := literal(filepath.Join(escapeFolders(folder), base))
		if found, err := engine.Files(ctx, path); err != nil || !slices.Equal(found, g.files) {
			continue // another pattern may work
		}
		g.path = path
		if g.name = nameOfFile(strings.Split(base, "*")[0]); g.name == "" {
			g.name = nameOfFile(wholeFolder(g.folder))
		}
		return []*fileGroup{g}, ctx.Err()
	}
	var out []*fileGroup
	for _, file := range g.files {
		one := &fileGroup{relative: g.relative, files: []string{file}, columns: g.columns, path: literal(g.shown(repo, file)), name: nameOfFile(file)}
		out = append(out, one)
	}
	return out, ctx.Err()
}

// patterns returns patterns that may match the files, the widest first.
func (g *fileGroup) patterns() []string {
	first, last := filepath.Base(g.files[0]), ""
	front := first
	back := filepath.Ext(first)
	for _, f := range g.files {
		last = filepath.Base(f)
		for !strings.HasPrefix(last, front) {
			front = front[:len(front)-1]
		}
		for !strings.HasSuffix(last, back) {
			back = back[1:]
		}
	}
	front = strings.TrimSuffix(front, back)
	named := strings.TrimRight(front, "0123456789") // 2011-01 and 2011-02 are of more than 2011-0
	return []string{"*" + back, offline.EscapePattern(named) + "*" + back, offline.EscapePattern(front) + "*" + back}
}

// shown returns a path as the repo writes it: relative if it lies in the repo or was given as relative.
func (g *fileGroup) shown(repo, path string) string {
	rel, err := filepath.Rel(repo, path)
	if err == nil && (g.relative || filepath.IsLocal(rel)) {
		return rel
	}
	return path
}

// escapeFolders escapes a folder with parts such as day=*, except for those patterns.
func escapeFolders(folder string) string {
	parts := strings.Split(folder, "/")
	for i, p := range parts {
		if !partitionFolder.MatchString(p) {
			parts[i] = offline.EscapePattern(p)
		}
	}
	return strings.Join(parts, "/")
}

// literal escapes a path so that it contains no variable.
func literal(path string) string { return strings.ReplaceAll(path, "${", "$${") }

// wholeFolder returns the last folder that is not a partition.
func wholeFolder(folder string) string {
	for partitionFolder.MatchString(filepath.Base(folder)) {
		folder = filepath.Dir(folder)
	}
	return folder
}

// nameOfFile derives a source's name from a file or a folder. It is empty if the path has no usable part.
func nameOfFile(path string) string {
	stem, _, _ := strings.Cut(filepath.Base(path), ".")
	name := strings.Trim(nameOf(counters.ReplaceAllString(stem, "_")), "_")
	for _, ending := range []string{"_table", "_data"} {
		name = strings.TrimSuffix(name, ending)
	}
	return name
}
