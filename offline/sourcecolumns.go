package offline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// fileColumns finds the columns of the files, their types, and the files that lack them.
func (src *source) fileColumns() {
	all := map[string]*sourceColumn{}
	shapes := src.distinctShapes()
	for _, sh := range shapes {
		for _, name := range sh.columns {
			c := all[name]
			if c == nil {
				c = &sourceColumn{file: name, name: name}
				all[name] = c
				src.columns = append(src.columns, c)
			}
			c.add(sh.types[name], sh.files[0])
		}
	}
	for _, c := range src.columns {
		for _, sh := range shapes {
			if _, ok := sh.types[c.file]; !ok {
				c.missing = append(c.missing, sh.files...)
			}
		}
	}
}

// add remembers that a file has the column in a type.
func (c *sourceColumn) add(t sqltype.Type, file string) {
	if !slices.ContainsFunc(c.types, func(o fstore.ColumnType) bool { return o.Type == t.Text }) {
		c.types = append(c.types, fstore.ColumnType{Type: t.Text, File: file})
	}
}

// folderColumns adds the columns that folders such as day=2011-12-09 give, unless all files have the column themselves. For
// such a column the engine would read the folder's value and the file's statistics, and be wrong where the two differ.
func (s *session) folderColumns(src *source) error {
	if s.pinned != nil && !s.pinned.Source(src.def).Partitioned {
		return nil
	}
	folders := make([][]folderValue, len(src.files))
	given := map[string]*sourceColumn{}
	var order []*sourceColumn
	for i, file := range src.files {
		var err error
		if folders[i], err = s.e.folderValues(file); err != nil {
			return err
		}
		for _, v := range folders[i] {
			c := given[v.name]
			if c == nil {
				c = &sourceColumn{file: v.name, name: v.name, folder: true}
				given[v.name], order = c, append(order, c)
			}
			c.add(sqltype.Folder, file)
			if c.dayFolder == "" && isFolderDate.MatchString(v.text()) {
				c.dayFolder = file
			}
		}
	}
	var in, out []*sourceColumn
	for _, c := range order {
		at := slices.IndexFunc(src.columns, func(o *sourceColumn) bool { return strings.EqualFold(o.file, c.file) })
		switch {
		case at < 0:
			out = append(out, c)
		case len(src.columns[at].missing) > 0:
			return fstore.Errorf(fstore.ErrInvalid, "column %s is in some files, such as %s, and for others, such as %s, only in the names of their folders",
				src.columns[at].file, src.columns[at].types[0].File, src.columns[at].missing[0]).
				WithHint("write all files with the column, or none")
		default:
			in = append(in, c)
		}
	}
	if len(out) == 0 {
		return nil
	}
	if len(in) > 0 {
		return fstore.Errorf(fstore.ErrInvalid, "column %s is in the files and in the names of their folders, and column %s in those names only", in[0].name, out[0].name).
			WithHint("write the files with all columns of their folders, or with none")
	}
	for _, c := range out {
		for i, file := range src.files {
			if !slices.ContainsFunc(folders[i], func(v folderValue) bool { return v.name == c.file }) {
				c.missing = append(c.missing, file)
			}
		}
	}
	src.folders, src.partitioned, src.columns = folders, true, append(src.columns, out...)
	return nil
}

// optional adds the optional columns that no file has.
func (src *source) optional() {
	for _, name := range src.def.Optional {
		if !slices.ContainsFunc(src.columns, func(c *sourceColumn) bool { return c.name == name }) {
			none := fstore.ColumnType{Type: sqltype.Null.Text}
			src.columns = append(src.columns, &sourceColumn{file: name, name: name, types: []fstore.ColumnType{none}, missing: src.files})
		}
	}
}

// findUnreadable finds out whether a column cannot be read, and why.
func (src *source) findUnreadable(c *sourceColumn) {
	if len(c.missing) > 0 && !src.lenient && !slices.Contains(src.def.Optional, c.name) {
		c.unreadable = src.lacking(c)
		return
	}
	for _, sh := range src.distinctShapes() {
		if _, ok := sh.types[c.file]; !ok {
			continue
		}
		if other, ok := sh.twin(c.file); ok {
			c.unreadable = fstore.Errorf(fstore.ErrInvalid, "%s has two columns %s and %s, which SQL cannot tell apart", sh.files[0], c.file, other).
				WithHint("write the file with names that differ in more than case")
			return
		}
	}
}

// lacking is the error for a column that some files lack.
func (src *source) lacking(c *sourceColumn) *fstore.Error {
	const shown = 3
	err := fstore.Errorf(fstore.ErrInvalid, "column %s is missing from %d of %d files: %s", c.name, len(c.missing), len(src.files), strings.Join(c.missing[:min(shown, len(c.missing))], ", "))
	if len(c.missing) > shown {
		err.Message += fmt.Sprintf(" and %d more", len(c.missing)-shown)
	}
	for _, o := range src.columns {
		if o != c && strings.EqualFold(o.file, c.file) {
			return err.WithHint("%s is written %s in %s: names of columns match exactly, case included; write that file with %s", c.file, o.file, o.types[0].File, c.file)
		}
	}
	return err.WithHint("write the files with the column; or, if they may lack it, list it in the source: optional_columns: [%s]", c.name)
}

// checkFolderTimes returns an error if the folders that give an event or created time do not all name instants.
func (src *source) checkFolderTimes(c *sourceColumn) error {
	if !c.folder {
		return nil
	}
	for i, values := range src.folders {
		for _, v := range values {
			if v.name == c.file && !v.isNull() && !isFolderInstant.MatchString(v.text()) {
				return fstore.Errorf(fstore.ErrInvalid, "column %s is a time, but the folder of %s says %s", c.name, src.files[i], v.text()).
					WithHint("such as %s=2011-12-09, or %s=2011-12-09 12%%3A30%%3A00", c.file, c.file)
			}
		}
	}
	return nil
}

// twoColumns is the error for two columns whose names differ only in case; the second can be renamed.
func twoColumns(a, b string) *fstore.Error {
	return fstore.Errorf(fstore.ErrInvalid, "SQL cannot tell columns %s and %s apart", a, b).WithHint("rename one of them: rename: {%s: another_name}", b)
}
