package offline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// currentInputs is everything that the rows of a view depend on, apart from its definition and the instant.
type currentInputs struct {
	DuckDB  string      `json:"duckdb"`
	Threads int         `json:"threads"` // the last bits of plain float sums depend on them
	Sources SourceFiles `json:"sources"`
}

// SourceFiles are the files of a view's sources, by the source's name.
type SourceFiles map[string][]SourceFile

// SourceFile identifies a file of a source, without reading it.
type SourceFile struct {
	Path   string          `json:"path"`
	File   trainset.FileID `json:"file"`
	SHA256 string          `json:"sha256,omitempty"` // if it is known already
}

// Stamp identifies everything that AsOf computes a view from, apart from p: the engine, its settings, and the list and
// content of the files of all the view's sources. The stamp changes when any of them does. Stamp reads no file. The stamp
// is empty if that cannot be told: a file is missing, or was written just now and could change again within the
// resolution of its times.
func (e *Engine) Stamp(ctx context.Context, v *fstore.ViewVersion) string {
	return e.stampOf(e.SourceFiles(ctx, v))
}

func (e *Engine) stampOf(files SourceFiles) string {
	if files == nil {
		return ""
	}
	text, err := json.Marshal(currentInputs{DuckDB: duckdb.Version(), Threads: e.opts.Threads, Sources: files})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
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
