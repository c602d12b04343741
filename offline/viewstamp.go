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
)

// currentInputs is all that the rows of a view depend on beside its definition and the instant they are as of.
type currentInputs struct {
	DuckDB  string                   `json:"duckdb"`
	Threads int                      `json:"threads"` // the last bits of plain float sums depend on them
	Sources map[string][]currentFile `json:"sources"`
}

// currentFile is a file of a source by what tells, without reading it, that its content is what it was: what a remembered
// digest is trusted by, too.
type currentFile struct {
	Path string      `json:"path"`
	File knownDigest `json:"file"`
}

// Stamp identifies what AsOf computes a view from beside p: a text that stays the same as long as the engine, its
// settings, and the list and content of the files of all the view's sources do. It reads no file. It is empty where that
// cannot be told: a file is missing, or was written just now, and could be written again within the resolution of its
// times.
func (e *Engine) Stamp(ctx context.Context, v *fstore.ViewVersion) string {
	now, err := e.digests.now()
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
			file := known(info, "")
			if now.Sub(time.Unix(0, max(file.Changed, file.Written))) <= settled {
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
