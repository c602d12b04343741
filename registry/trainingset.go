package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry/record"
)

// TrainingSetRecord is a training set as the registry remembers it.
type TrainingSetRecord struct {
	Name    string          `json:"name"`
	Created time.Time       `json:"created"`
	Service string          `json:"service,omitempty"` // churn@2, or empty for a list of features
	Rows    int64           `json:"rows"`
	Out     string          `json:"out"`  // the Parquet file; a relative path is one inside the repo
	Lock    json.RawMessage `json:"lock"` // the lock file
	Retired time.Time       `json:"retired,omitzero"`
}

// NameUse says what to do with a name that is in use.
type NameUse int

// The uses of a name.
const (
	RefuseName  NameUse = iota // the name is a conflict
	ReplaceName                // the training set that has it is retired
)

// AddTrainingSet records a training set. A name in use is ErrConflict, or retires its owner at rec.Created.
func (r *Store) AddTrainingSet(ctx context.Context, project string, rec TrainingSetRecord, use NameUse) error {
	err := r.backend.Write(ctx, project, func(tx record.Tx) error {
		switch old, err := findTrainingSet(ctx, tx, rec.Name); {
		case err == nil && use == ReplaceName:
			old.Retired = fstore.Micros(rec.Created)
			if err := tx.Put(ctx, old); err != nil {
				return err
			}
		case err == nil:
			return fstore.Errorf(fstore.ErrConflict, "there is a training set of that name").WithHint("choose another name, or pass --replace to retire the old one")
		case !errors.Is(err, fstore.ErrNotFound):
			return err
		}
		set := &record.TrainingSet{Name: rec.Name, Created: fstore.Micros(rec.Created), Service: rec.Service, Rows: rec.Rows, Out: rec.Out}
		if err := tx.Put(ctx, set); err != nil {
			return err
		}
		return tx.Put(ctx, &record.Lock{ID: set.ID, JSON: string(rec.Lock)})
	})
	return wrap("record training set "+rec.Name, err)
}

// findTrainingSet returns the training set that has a name. The error is ErrNotFound.
func findTrainingSet(ctx context.Context, tx record.Tx, name string) (*record.TrainingSet, error) {
	var names []string
	for set, err := range records[record.TrainingSet](ctx, tx) {
		switch {
		case err != nil:
			return nil, err
		case set.Retired != 0:
		case set.Name == name:
			return set, nil
		default:
			names = append(names, set.Name)
		}
	}
	return nil, fstore.Errorf(fstore.ErrNotFound, "there is no training set %q", name).
		WithHint("%s", orElse(fstore.DidYouMean(name, names), "run fstore training-set list"))
}

// TrainingSets returns the training sets of a project, the newest first, retired ones included.
func (r *Store) TrainingSets(ctx context.Context, project string) (out []TrainingSetRecord, err error) {
	err = r.backend.Read(ctx, project, func(tx record.Tx) error {
		locks := map[int64]string{}
		for lock, err := range records[record.Lock](ctx, tx) {
			if err != nil {
				return err
			}
			locks[lock.ID] = lock.JSON
		}
		for set, err := range records[record.TrainingSet](ctx, tx) {
			if err != nil {
				return err
			}
			out = append(out, trainingSet(set, locks[set.ID]))
		}
		return nil
	})
	return out, wrap("read training sets", err)
}

// TrainingSet returns the training set that has a name. The error is ErrNotFound.
func (r *Store) TrainingSet(ctx context.Context, project, name string) (*TrainingSetRecord, error) {
	var out TrainingSetRecord
	var unknown error // its message is complete
	err := r.backend.Read(ctx, project, func(tx record.Tx) error {
		set, err := findTrainingSet(ctx, tx, name)
		if errors.Is(err, fstore.ErrNotFound) {
			unknown = err
			return nil
		}
		if err != nil {
			return err
		}
		lock, err := lockOf(ctx, tx, set.ID)
		out = trainingSet(set, lock)
		return err
	})
	if err = wrap("read training set "+name, err); err != nil || unknown != nil {
		return nil, cmp.Or(err, unknown)
	}
	return &out, nil
}

// PinnedSet returns the training set that a model version is pinned to, even if it is retired. It is nil if the features
// came from a service.
func (r *Store) PinnedSet(ctx context.Context, project string, m *ModelVersion) (out *TrainingSetRecord, err error) {
	if m.set == 0 {
		return nil, nil
	}
	err = r.backend.Read(ctx, project, func(tx record.Tx) error {
		set := &record.TrainingSet{ID: m.set}
		if known, err := tx.Get(ctx, set); err != nil || !known {
			return cmp.Or(err, corrupt("the training set of model %s is not there", m.Ref))
		}
		lock, err := lockOf(ctx, tx, set.ID)
		found := trainingSet(set, lock)
		out = &found
		return err
	})
	return out, wrap("read the training set of model "+m.Ref.String(), err)
}

func trainingSet(set *record.TrainingSet, lock string) TrainingSetRecord {
	rec := TrainingSetRecord{
		Name: set.Name, Created: fstore.FromMicros(set.Created), Service: set.Service, Rows: set.Rows, Out: set.Out, Lock: json.RawMessage(lock),
	}
	if set.Retired != 0 {
		rec.Retired = fstore.FromMicros(set.Retired)
	}
	return rec
}

func lockOf(ctx context.Context, tx record.Tx, set int64) (string, error) {
	lock := &record.Lock{ID: set}
	known, err := tx.Get(ctx, lock)
	if err == nil && !known {
		err = corrupt("training set %d has no lock", set)
	}
	return lock.JSON, err
}

// Locks returns the locks of training sets that need what is kept for them, of all projects. A retired set needs it
// while a model is pinned to the set.
func (r *Store) Locks(ctx context.Context) (out [][]byte, err error) {
	projects, err := r.backend.Projects(ctx)
	for i := 0; i < len(projects) && err == nil; i++ {
		err = r.backend.Read(ctx, projects[i], func(tx record.Tx) error {
			needed, err := neededSets(ctx, tx)
			if err != nil {
				return err
			}
			for _, set := range needed {
				lock, err := lockOf(ctx, tx, set)
				if err != nil {
					return err
				}
				out = append(out, []byte(lock))
			}
			return nil
		})
	}
	return out, wrap("read training sets", err)
}

// neededSets returns the training sets that have their names or that a model is pinned to, the oldest first.
func neededSets(ctx context.Context, tx record.Tx) (ids []int64, err error) {
	models, err := collect(records[record.Model](ctx, tx))
	if err != nil {
		return nil, err
	}
	for set, err := range records[record.TrainingSet](ctx, tx) {
		if err != nil {
			return nil, err
		}
		if set.Retired == 0 || slices.ContainsFunc(models, func(m *record.Model) bool { return m.TrainingSet == set.ID }) {
			ids = append(ids, set.ID)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
