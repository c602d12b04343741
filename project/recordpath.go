package project

import (
	"context"
	"path/filepath"

	"github.com/fstore-dev/fstore/registry"
)

// The registry records the path relative to the repo if the file is inside it and the registry is too: whoever copies or moves
// the repo then takes both along, and finds the file in the copy. A registry outside the repo may be that of several
// checkouts, each of which must find the file where it is. So it records absolute paths, as earlier builds did always.

// recordedPath returns what the registry records for an absolute path.
func (p *Project) recordedPath(out string) string {
	rel, inside := p.inRepo(out)
	if _, own := p.inRepo(p.Settings.Registry.path()); !inside || !own {
		return out
	}
	return filepath.ToSlash(rel)
}

// inRepo returns an absolute path relative to the repo, and whether it is inside.
func (p *Project) inRepo(path string) (rel string, inside bool) {
	rel, err := filepath.Rel(p.Settings.Dir, path)
	return rel, err == nil && filepath.IsLocal(rel)
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
