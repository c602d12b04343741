package offline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// SourceFiles are the files of a view's sources, by the source's name.
type SourceFiles map[string][]SourceFile

// SourceFile identifies a file of a source, without reading it.
type SourceFile struct {
	Path   string          `json:"path"`
	File   trainset.FileID `json:"file"`
	SHA256 string          `json:"sha256,omitempty"` // if it is known already
}

// Stamp identifies everything that AsOf computes a view from, apart from its definition and p: the engine, its settings, and the list
// and content of the files of all the view's sources. The stamp changes when any of them does, and Changes tells which. Stamp reads no
// file. The stamp is empty if that cannot be told: a file is missing, or was written just now and could change again within the
// resolution of its times.
func (e *Engine) Stamp(ctx context.Context, v *fstore.ViewVersion) string {
	return e.stampOf(e.SourceFiles(ctx, v))
}

// stampOf returns a stamp: words of the form name:value for the engine, and name=digest for each source.
func (e *Engine) stampOf(files SourceFiles) string {
	if files == nil {
		return ""
	}
	words := []string{engineWord + duckdb.Version(), fmt.Sprint(threadsWord, e.opts.Threads)} // the last bits of plain float sums depend on threads
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := json.Marshal(files[name])
		if err != nil {
			return ""
		}
		sum := sha256.Sum256(text)
		words = append(words, name+"="+hex.EncodeToString(sum[:digestBytes]))
	}
	return strings.Join(words, " ")
}

const (
	engineWord  = "duckdb:"
	threadsWord = "threads:"
	digestBytes = 16 // of a SHA-256
)

// Changes returns what differs between two stamps of a view version, such as "source orders". It returns false if it cannot tell: a
// stamp is empty, or is one of an older fstore.
func Changes(was, is string) (changed []string, ok bool) {
	before, after := strings.Fields(was), strings.Fields(is)
	if len(before) != len(after) || len(before) < 2 || !strings.HasPrefix(was, engineWord) {
		return nil, false
	}
	for i, word := range after {
		if word == before[i] {
			continue
		}
		source, _, _ := strings.Cut(word, "=")
		switch {
		case strings.HasPrefix(word, engineWord):
			changed = append(changed, "the version of DuckDB")
		case strings.HasPrefix(word, threadsWord):
			changed = append(changed, "the number of threads")
		default:
			changed = append(changed, "source "+source)
		}
	}
	return changed, true
}

// SourceFiles returns the files that a view is computed from, without reading or digesting them; nil where Stamp is empty.
func (e *Engine) SourceFiles(ctx context.Context, v *fstore.ViewVersion) SourceFiles {
	now, err := e.digests.Now()
	if err != nil {
		return nil
	}
	s, err := e.session(ctx)
	if err != nil {
		return nil
	}
	defer s.close()
	return s.sourceFilesOf(ctx, v, now)
}

func (s *session) sourceFilesOf(ctx context.Context, v *fstore.ViewVersion, now time.Time) SourceFiles {
	out := SourceFiles{}
	for i := range v.Sources {
		files, err := s.files(ctx, v.Sources[i].Path)
		if err != nil {
			return nil
		}
		list := make([]SourceFile, 0, len(files))
		for _, path := range files {
			info, err := os.Stat(path)
			if err != nil {
				return nil
			}
			file := trainset.Identify(info)
			if !file.IsSettled(now) {
				return nil
			}
			list = append(list, SourceFile{Path: path, File: file})
		}
		out[v.Sources[i].Name] = list
	}
	return out
}
