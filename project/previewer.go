package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/server/flight"
)

// Preview implements flight.Sets: the rows go to a file in a folder. If the server dies, the next preview removes it.
func (o *offlineSets) Preview(ctx context.Context, r *flight.Request, say func(line []byte) error) (_ *flight.Preview, err error) {
	scratch, err := trainset.NewScratch(o.p.Settings.Offline.TrainingSets, ".preview-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, scratch.Remove())
		}
	}()
	path := filepath.Join(scratch.Path(), "preview"+parquetSuffix)
	args, err := o.request([]string{"preview", "--out=" + path, "--limit=1"}, r)
	if err != nil {
		return nil, err
	}
	out, err := o.run(ctx, args, say)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	made := &flight.Preview{ReadCloser: &previewFile{file, scratch}}
	info, err := file.Stat()
	if err == nil {
		made.Summary, made.Rows, err = previewSummary(out, info.Size())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return made, nil
}

// previewSummary returns what a caller is told, and the number of rows: what the command printed, without the path and the
// first rows.
func previewSummary(printed []byte, size int64) (summary []byte, rows int64, err error) {
	var s struct {
		Rows     int64           `json:"rows"`
		Labels   int64           `json:"labels"`
		Bytes    int64           `json:"bytes"`
		Features json.RawMessage `json:"features"`
		Views    json.RawMessage `json:"views"`
	}
	if err := json.Unmarshal(printed, &s); err != nil {
		return nil, 0, fmt.Errorf("fstore training-set preview printed no JSON: %w", err)
	}
	s.Bytes = size
	summary, err = json.Marshal(s)
	return summary, s.Rows, err
}

// previewFile is the file of a preview, which goes with its folder.
type previewFile struct {
	*os.File
	scratch *trainset.Scratch
}

func (f *previewFile) Close() error { return errors.Join(f.File.Close(), f.scratch.Remove()) }
