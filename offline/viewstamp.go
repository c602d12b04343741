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
	DuckDB  string                   `json:"duckdb"`
	Threads int                      `json:"threads"` // the last bits of plain float sums depend on them
	Sources map[string][]currentFile `json:"sources"`
}

// currentFile identifies a file of a source, without reading it.
type currentFile struct {
	Path string          `json:"path"`
	File trainset.FileID `json:"file"`
}

// Stamp identifies everything that AsOf computes a view from, apart from p: the engine, its settings, and the list and
// content of the files of all the view's sources. The stamp changes when any of them does. Stamp reads no file. The stamp
// is empty if that cannot be told: a file is missing, or was written just now and could change again within the
// resolution of its times.
func (e *Engine) Stamp(ctx context.Context, v *fstore.ViewVersion) string {
	now, err := e.digests.Now()
	if err != nil {
		return ""
	}
	s, err := e.session(ctx)
	if err != nil {
		return ""
	}
	defer s.close()
	return s.viewStamp(ctx, v, now)
}

func (s *session) viewStamp(ctx context.Context, v *fstore.ViewVersion, now time.Time) string {
	in := currentInputs{DuckDB: duckdb.Version(), Threads: s.e.opts.Threads, Sources: map[string][]currentFile{}}
	for i := range v.Sources {
		files, err := s.files(ctx, v.Sources[i].Path)
		if err != nil {
			return ""
		}
		list := make([]currentFile, 0, len(files))
		for _, path := range files {
			info, err := os.Stat(path)
			if err != nil {
				return ""
			}
			file := trainset.Identify(info)
			if !file.IsSettled(now) {
				return ""
			}
			list = append(list, currentFile{path, file})
		}
		in.Sources[v.Sources[i].Name] = list
	}
	text, err := json.Marshal(in)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
