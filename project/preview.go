package project

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// Preview is labels with their features, without a name, a lock or a record.
type Preview struct {
	Rows     int64                       `json:"rows"`
	Labels   int64                       `json:"labels"`        // of which Rows were taken
	Out      string                      `json:"out,omitempty"` // the file with all rows; empty: none was asked for
	Features []fstore.FeatureDescription `json:"features"`
	Views    []offline.ViewSummary       `json:"views"`

	Summary *offline.TrainingSummary `json:"-"`
	List    *fstore.FeatureList      `json:"-"`
	First   *offline.QueryResult     `json:"-"` // the first rows
}

// PreviewTrainingSet computes what CreateTrainingSet would write, by the same rules and with the same check for leaks. It
// records nothing. If the request has an Out, all rows are written there; in any case the first ones are returned, at most
// limit.
func (p *Project) PreviewTrainingSet(ctx context.Context, r TrainingSetRequest, limit int) (*Preview, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	asked := r.Out
	if asked != "" {
		if err := previewOut(asked); err != nil {
			return nil, about("out", err)
		}
	}
	db, err := p.registry(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	engine, err := p.openedEngine()
	if err != nil {
		return nil, err
	}
	if asked == "" {
		scratch, err := trainset.NewScratch(engine.TempDir(), "preview-")
		if err != nil {
			return nil, err
		}
		defer func() { _ = scratch.Remove() }()
		r.Out = filepath.Join(scratch.Path(), "preview.parquet")
	}
	c := &creation{p: p, db: db, r: r}
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	sum, first, err := engine.Preview(ctx, c.req, limit)
	if err != nil {
		return nil, err
	}
	c.saveVerdicts()
	out := &Preview{Rows: sum.Rows, Labels: sum.Labels, Features: c.req.List.Describe().Features, Views: sum.Views, Summary: sum, List: c.req.List, First: first}
	if asked != "" {
		out.Out = c.req.Out
	}
	return out, nil
}

// previewOut refuses to overwrite anything, or to write a file beside another one's lock.
func previewOut(out string) error {
	if err := checkOut(out); err != nil {
		return err
	}
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return fstore.Errorf(fstore.ErrConflict, "%s is there already", out).WithHint("name a new file")
	}
	switch beside, err := lockBeside(out); {
	case err != nil:
		return err
	case beside != nil:
		return fstore.Errorf(fstore.ErrConflict, "%s: beside it is the lock of training set %s", out, beside.Name).WithHint("name a new file")
	}
	return nil
}
