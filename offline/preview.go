package offline

import (
	"context"
	"fmt"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// Preview writes what TrainingSet would write to req.Out, as Parquet, without a lock and without a record. It also returns the
// first rows, at most limit.
func (e *Engine) Preview(ctx context.Context, req TrainingRequest, limit int) (*TrainingSummary, *QueryResult, error) {
	if req.AsOf == nil {
		req.AsOf = &req.Now
	}
	s, err := e.isolated(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	t := &training{session: s, req: &req, byRef: map[fstore.ViewRef]lookup{}, summary: &TrainingSummary{Out: req.Out}}
	var first *QueryResult
	if err := t.blame(ctx, t.preview(ctx, func() (err error) { first, err = t.firstRows(ctx, limit); return err })); err != nil {
		return nil, nil, fmt.Errorf("preview: %w", err)
	}
	return t.summary, first, nil
}

// preview makes the file, calls look while it is still staged, and puts it into place.
func (t *training) preview(ctx context.Context, look func() error) (err error) {
	if t.staging, err = trainset.NewStaging(t.req.Out); err != nil {
		return err
	}
	defer func() { _ = t.staging.Close() }()
	for _, stage := range append(t.building(t.staging.File()), step{"summarize", t.summarize}) {
		if err := t.stage(ctx, stage.name, stage.do); err != nil {
			return t.staging.Explain(err)
		}
	}
	if err := look(); err != nil {
		return err
	}
	return t.staging.Explain(t.staging.InstallWithoutLock())
}

// firstRows reads the first rows of the staged file.
func (t *training) firstRows(ctx context.Context, limit int) (*QueryResult, error) {
	from := readParquet([]string{t.staging.File()}, false)
	columns, err := t.describe(ctx, "SELECT *\nFROM "+from)
	if err != nil {
		return nil, err
	}
	b, err := t.query(ctx, fmt.Sprintf("SELECT\n  %s\nFROM %s\nLIMIT %d", list(allShown(columns)), from, limit))
	if err != nil {
		return nil, err
	}
	return &QueryResult{Rows: b, More: t.summary.Rows > int64(b.Len)}, nil
}
