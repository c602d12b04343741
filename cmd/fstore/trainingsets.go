package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/registry"
	"github.com/spf13/cobra"
)

func (a *app) listTrainingSetsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the training sets",
		Example: "  fstore training-set list\n  fstore training-set list --output json",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			records, err := a.trainingSets(cmd.Context(), a.settleBeside)
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(listedTrainingSets(records))
			}
			t := newTable("NAME", "CREATED", "SERVICE", "ROWS", "FILE")
			for _, r := range records {
				name, service := r.Name, r.Service
				if !r.Retired.IsZero() {
					name += " (retired)"
				}
				if service == "" {
					service = "-"
				}
				t.row(name, shortTime(r.Created), service, thousands(r.Rows), shortPath(r.Out))
			}
			if len(records) == 0 {
				fmt.Fprintln(a.stderr, "There are no training sets. fstore training-set create makes one.")
			}
			return t.print(a.stdout)
		},
	}
}

// listedTrainingSet is a training set as list --output json shows it; its lock is what show is for.
type listedTrainingSet struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Service string    `json:"service,omitempty"`
	Rows    int64     `json:"rows"`
	Out     string    `json:"out"`
	Retired time.Time `json:"retired,omitzero"`
}

func listedTrainingSets(records []registry.TrainingSetRecord) []listedTrainingSet {
	out := make([]listedTrainingSet, len(records))
	for i, r := range records {
		out[i] = listedTrainingSet{Name: r.Name, Created: r.Created, Service: r.Service, Rows: r.Rows, Out: r.Out, Retired: r.Retired}
	}
	return out
}

// trainingSets returns the records of all training sets, and lets mend see them first.
func (a *app) trainingSets(ctx context.Context, mend func(context.Context, *Settings, *registry.DB, []registry.TrainingSetRecord)) ([]registry.TrainingSetRecord, error) {
	s, err := a.settings()
	if err != nil {
		return nil, err
	}
	db, err := openExisting(ctx, s)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	records, err := db.TrainingSets(ctx, s.Project)
	mend(ctx, s, db, records)
	return records, err
}

func (a *app) showTrainingSetCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "Show a training set and its lock",
		Example:           "  fstore training-set show churn_2025\n  fstore training-set show churn_2025 --output json",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeTrainingSets,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.settings()
			if err != nil {
				return err
			}
			db, err := openExisting(cmd.Context(), s)
			if err != nil {
				return err
			}
			defer db.Close()
			record, err := db.TrainingSet(cmd.Context(), s.Project, args[0])
			if err != nil {
				return err
			}
			a.settleBeside(cmd.Context(), s, db, []registry.TrainingSetRecord{*record})
			if a.json() {
				return a.printJSON(record)
			}
			return a.printTrainingSet(record)
		},
	}
}

func (a *app) printTrainingSet(r *registry.TrainingSetRecord) error {
	lock, err := offline.ReadLock(r.Lock)
	if err != nil {
		return fmt.Errorf("the lock of training set %s: %w", r.Name, err)
	}
	service := r.Service
	if service == "" {
		service = "-"
	}
	labels := lock.Labels.SQL
	if lock.Labels.File != nil {
		labels = shortPath(lock.Labels.File.Path)
	}
	facts := newTable("training set", r.Name)
	facts.row("created", shortTime(r.Created)+" by fstore "+lock.Build.Fstore+", DuckDB "+lock.Build.DuckDB)
	facts.row("service", service)
	facts.row("file", shortPath(r.Out))
	facts.row("sha256", lock.Output.SHA256)
	facts.row("rows", thousands(r.Rows))
	facts.row("labels", labels+", at "+lock.Labels.Timestamp)
	facts.row("known by", shortTime(lock.AsOf))
	facts.row("registry revision", strconv.FormatInt(lock.Registry.Revision, 10))
	for _, s := range lock.Sources {
		facts.row("source "+s.Name, count(len(s.Files), "file"))
	}
	if err := facts.print(a.stdout); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	t := newTable("FEATURE", "TYPE", "VIEW", "FEATURE IN VIEW")
	for _, f := range lock.Features {
		t.row(f.Name, f.Type.String(), f.View.String(), f.Feature)
	}
	return t.print(a.stdout)
}
