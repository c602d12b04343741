package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/registry"
)

// settleTrainingSets finishes in a folder what killed processes had recorded and not yet put in its place.
func (a *app) settleTrainingSets(ctx context.Context, s *Settings, db *registry.DB, dir string) error {
	finished, err := offline.Settle(ctx, dir, func(lock []byte) (string, bool, error) {
		records, err := db.TrainingSets(ctx, s.Project)
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
		fmt.Fprintf(a.stderr, "%s and its lock are in place now: the process that made them was stopped before\n", shortPath(out))
	}
	return err
}

// settleBeside does so in the folders of training sets. Who only looks at them is told, not stopped, if that fails.
func (a *app) settleBeside(ctx context.Context, s *Settings, db *registry.DB, records []registry.TrainingSetRecord) {
	seen := map[string]bool{}
	for _, r := range records {
		dir := filepath.Dir(r.Out)
		if seen[dir] || !r.Retired.IsZero() {
			continue
		}
		seen[dir] = true
		if err := a.settleTrainingSets(ctx, s, db, dir); err != nil {
			fmt.Fprintf(a.stderr, "warning: %v\n", err)
		}
	}
}
