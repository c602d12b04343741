package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/fstore-dev/fstore"
)

// TrainingSetRecord is a training set as the registry remembers it.
type TrainingSetRecord struct {
	Name    string          `json:"name"`
	Created time.Time       `json:"created"`
	Service string          `json:"service,omitempty"` // churn@2, or empty for a list of features
	Rows    int64           `json:"rows"`
	Out     string          `json:"out"`  // the Parquet file
	Lock    json.RawMessage `json:"lock"` // the lock, as it lies beside the file
	Retired time.Time       `json:"retired,omitzero"`
}

// NameUse says what to do with a name that is in use.
type NameUse int

// The uses of a name.
const (
	RefuseName  NameUse = iota // it is a conflict
	ReplaceName                // the training set that has it is retired
)

// AddTrainingSet records a training set. A name in use is ErrConflict, or retires its owner at rec.Created.
func (r *DB) AddTrainingSet(ctx context.Context, project string, rec TrainingSetRecord, use NameUse) error {
	err := r.write(ctx, func(tx *sql.Tx) error {
		if use == ReplaceName {
			if _, err := tx.ExecContext(ctx, "update training_sets set retired = ? where project = ? and name = ? and retired is null",
				fstore.Micros(rec.Created), project, rec.Name); err != nil {
				return err
			}
		}
		taken := 0
		if err := tx.QueryRowContext(ctx, "select count(*) from training_sets where project = ? and name = ? and retired is null",
			project, rec.Name).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return fstore.Errorf(fstore.ErrConflict, "there is a training set of that name").WithHint("choose another name, or --replace to retire the old one")
		}
		_, err := tx.ExecContext(ctx, "insert into training_sets (project, name, created, service, rows, out, lock) values (?, ?, ?, ?, ?, ?, ?)",
			project, rec.Name, fstore.Micros(rec.Created), rec.Service, rec.Rows, rec.Out, string(rec.Lock))
		return err
	})
	return wrap("record training set "+rec.Name, err)
}

const trainingSetColumns = "name, created, service, rows, out, lock, coalesce(retired, 0)"

// TrainingSets returns the training sets of a project, the newest first, retired ones included.
func (r *DB) TrainingSets(ctx context.Context, project string) ([]TrainingSetRecord, error) {
	rows, err := r.db.QueryContext(ctx, "select "+trainingSetColumns+" from training_sets where project = ? order by id desc", project)
	if err != nil {
		return nil, wrap("read training sets", err)
	}
	var out []TrainingSetRecord
	err = each(rows, func() error {
		rec, err := scanTrainingSet(rows)
		out = append(out, rec)
		return err
	})
	return out, wrap("read training sets", err)
}

// TrainingSet returns the training set that has a name. The error is ErrNotFound.
func (r *DB) TrainingSet(ctx context.Context, project, name string) (*TrainingSetRecord, error) {
	rec, err := scanTrainingSet(r.db.QueryRowContext(ctx, "select "+trainingSetColumns+
		" from training_sets where project = ? and name = ? and retired is null", project, name))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, r.noTrainingSet(ctx, project, name)
	}
	if err != nil {
		return nil, wrap("read training set "+name, err)
	}
	return &rec, nil
}

// Locks returns the locks of all training sets of all projects, those aside whose name was given to another and that no
// model is pinned to: what is kept for them is still needed.
func (r *DB) Locks(ctx context.Context) ([][]byte, error) {
	rows, err := r.db.QueryContext(ctx, "select lock from training_sets where retired is null or id in (select training_set from models) order by id")
	if err != nil {
		return nil, wrap("read training sets", err)
	}
	var out [][]byte
	err = each(rows, func() error {
		var lock []byte
		err := rows.Scan(&lock)
		out = append(out, lock)
		return err
	})
	return out, wrap("read training sets", err)
}

// noTrainingSet says which name is nearest to one that there is no training set of.
func (r *DB) noTrainingSet(ctx context.Context, project, name string) error {
	all, err := r.TrainingSets(ctx, project)
	if err != nil {
		return err
	}
	var names []string
	for _, rec := range all {
		if rec.Retired.IsZero() {
			names = append(names, rec.Name)
		}
	}
	return fstore.Errorf(fstore.ErrNotFound, "there is no training set %q", name).WithHint("%s", orElse(fstore.DidYouMean(name, names), "run fstore training-set list"))
}

func scanTrainingSet(row interface{ Scan(...any) error }) (TrainingSetRecord, error) {
	var rec TrainingSetRecord
	var created, retired int64
	var lock []byte
	err := row.Scan(&rec.Name, &created, &rec.Service, &rec.Rows, &rec.Out, &lock, &retired)
	rec.Created, rec.Lock = fstore.FromMicros(created), lock
	if retired != 0 {
		rec.Retired = fstore.FromMicros(retired)
	}
	return rec, err
}
