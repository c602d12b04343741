package project

import (
	"bytes"
	"context"
	"path/filepath"
	"time"

	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/registry"
)

// settle completes what stopped processes have recorded for a folder but not yet moved into place.
func (p *Project) settle(ctx context.Context, db *registry.Store, dir string) error {
	finished, err := trainset.Settle(ctx, dir, func(lock []byte) (string, bool, error) {
		records, err := p.recordsOf(ctx, db)
		if err != nil {
			return "", false, err
		}
		for _, r := range records {
			if r.Retired.IsZero() && bytes.Equal(bytes.TrimSpace(r.Lock), lock) {
				return r.Out, true, nil
			}
		}
		return "", false, nil
	})
	for _, out := range finished {
		p.note("moved %s and its lock into place: the process that made them was stopped too early", ShortPath(out))
	}
	return err
}

// settleBeside settles the folders of training sets. A command that only reads them warns if that fails.
func (p *Project) settleBeside(ctx context.Context, db *registry.Store, records []registry.TrainingSetRecord) {
	seen := map[string]bool{}
	for _, r := range records {
		dir := filepath.Dir(r.Out)
		if seen[dir] || !r.Retired.IsZero() {
			continue
		}
		seen[dir] = true
		if err := p.settle(ctx, db, dir); err != nil {
			p.warn("%v", err)
		}
	}
}

// ListedTrainingSet is a training set without its lock.
type ListedTrainingSet struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Service string    `json:"service,omitempty"`
	Rows    int64     `json:"rows"`
	Out     string    `json:"out"`
	Retired time.Time `json:"retired,omitzero"`
}

// TrainingSets returns all training sets, including retired ones.
func (p *Project) TrainingSets(ctx context.Context) ([]ListedTrainingSet, error) {
	records, err := p.trainingSetRecords(ctx)
	out := make([]ListedTrainingSet, len(records))
	for i, r := range records {
		out[i] = ListedTrainingSet{Name: r.Name, Created: r.Created, Service: r.Service, Rows: r.Rows, Out: r.Out, Retired: r.Retired}
	}
	return out, err
}

// trainingSetRecords returns the records of all training sets.
func (p *Project) trainingSetRecords(ctx context.Context) ([]registry.TrainingSetRecord, error) {
	db, err := p.registry(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	records, err := p.recordsOf(ctx, db)
	p.settleBeside(ctx, db, records)
	return records, err
}

// TrainingSetNames returns the names of the training sets that are not retired, or none if they cannot be read.
func (p *Project) TrainingSetNames(ctx context.Context) (names []string) {
	db, err := p.registry(ctx)
	if err != nil {
		return nil
	}
	defer db.Close()
	records, _ := p.recordsOf(ctx, db)
	for _, r := range records {
		if r.Retired.IsZero() {
			names = append(names, r.Name)
		}
	}
	return names
}
