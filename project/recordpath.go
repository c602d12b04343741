package project

import (
	"context"
	"path/filepath"

	"github.com/fstore-dev/fstore/registry"
)

// The registry has the file of a training set relative to the repo if it is inside. A repo that was copied or moved then finds
// its own files. Records of earlier builds have absolute paths, which count as they are.

// recordedPath returns what the registry records for an absolute path.
func (p *Project) recordedPath(out string) string {
	rel, err := filepath.Rel(p.Settings.Dir, out)
	if err != nil || !filepath.IsLocal(rel) {
		return out
	}
	return filepath.ToSlash(rel)
}

// located gives a record the absolute path of its file.
func (p *Project) located(r *registry.TrainingSetRecord) {
	if out := filepath.FromSlash(r.Out); !filepath.IsAbs(out) {
		r.Out = filepath.Join(p.Settings.Dir, out)
	}
}

// recordOf returns the record of a training set by its name, with the absolute path of its file. The error is ErrNotFound.
func (p *Project) recordOf(ctx context.Context, db *registry.Store, name string) (*registry.TrainingSetRecord, error) {
	record, err := db.TrainingSet(ctx, p.Settings.Project, name)
	if err == nil {
		p.located(record)
	}
	return record, err
}

// recordsOf returns the records of all training sets, with the absolute paths of their files.
func (p *Project) recordsOf(ctx context.Context, db *registry.Store) ([]registry.TrainingSetRecord, error) {
	records, err := db.TrainingSets(ctx, p.Settings.Project)
	for i := range records {
		p.located(&records[i])
	}
	return records, err
}
