package project

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore/offline"
)

// Files are the same if their digests are. Digests cost a reading of the file, so what has the same path, size, times and
// inode is taken to be the same without one.

// compare reports whether all files that a verdict was made from are there with the same content, and which have come.
func (v *verdicts) compare(ctx context.Context, was, now offline.SourceFiles) (added []string, same bool) {
	for name, files := range was {
		left := slices.Clone(now[name])
		for i := range files {
			at := v.findFile(ctx, &files[i], left)
			if at < 0 {
				return nil, false
			}
			left = slices.Delete(left, at, at+1)
		}
		for _, f := range left {
			added = append(added, f.Path)
		}
	}
	return added, len(was) == len(now)
}

// findFile returns the index of the file that has the content of another; -1 if there is none.
func (v *verdicts) findFile(ctx context.Context, was *offline.SourceFile, now []offline.SourceFile) int {
	at := slices.IndexFunc(now, func(f offline.SourceFile) bool { return f.Path == was.Path })
	switch {
	case at >= 0 && now[at].File == was.File, at >= 0 && v.sameContent(ctx, was, &now[at]):
		return at
	case at >= 0:
		return -1
	}
	return slices.IndexFunc(now, func(f offline.SourceFile) bool { return v.sameContent(ctx, was, &f) })
}

// sameContent compares the digests of files. It reads the file that is there now unless its digest is known.
func (v *verdicts) sameContent(ctx context.Context, was, now *offline.SourceFile) bool {
	if was.SHA256 == "" || was.File.Size != now.File.Size || columnFolders(was.Path) != columnFolders(now.Path) {
		return false
	}
	f, err := v.digests.Of(ctx, now.Path)
	return err == nil && f.SHA256 == was.SHA256
}

// columnFolders returns the folders of a path that are columns, such as day=2011-12-09.
func columnFolders(path string) string {
	folders := strings.Split(filepath.ToSlash(filepath.Dir(path)), "/")
	return strings.Join(slices.DeleteFunc(folders, func(f string) bool { return !strings.Contains(f, "=") }), "/")
}

// learn adds to a new verdict the digests of its files that are known by now. It reports whether there are new ones.
func (v *verdicts) learn(k *keptVerdict) bool {
	learned := false
	for _, files := range k.Files {
		for i := range files {
			if f := &files[i]; k.fresh && f.SHA256 == "" {
				f.SHA256 = v.digests.Known(f.Path, f.File)
				learned = learned || f.SHA256 != ""
			}
		}
	}
	return learned
}
