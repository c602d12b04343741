package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/regular"
	"github.com/spf13/cobra"
)

func (a *app) trainingSetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "training-set",
		Short:   "Create, verify, rebuild and compare training sets",
		Example: "  fstore training-set create churn_2025 --service churn --labels data/labels.parquet --out churn.parquet\n  fstore training-set list",
		Args:    noCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.createTrainingSetCommand(), a.listTrainingSetsCommand(), a.showTrainingSetCommand(), a.verifyTrainingSetCommand(),
		a.rebuildTrainingSetCommand(), a.diffTrainingSetsCommand(),
	)
	return cmd
}

const parquetSuffix = ".parquet"

// trainingFlags are those of training-set create.
type trainingFlags struct {
	selection
	labels, labelsSQL string
	timestamp         string
	out               string
	asOf              string
	replace, snapshot bool
	targets           []string
	sample, seed      int64
}

func (a *app) createTrainingSetCommand() *cobra.Command {
	var f trainingFlags
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a training set",
		Long: `Create a training set: each label with the features as they were known at its instant, as Parquet. Every label appears
once, in its order. The lock file beside it records every input. The registry records both under NAME.

Labels are a Parquet or CSV file (.csv, .tsv, also with .gz), or a query over sources and views. The column
event_timestamp, or the one that --timestamp names, holds the instant of a row. The versions in head are used, published
or not.

--label records which column the model learns to predict. --sample N takes N of the labels, in their order. The lock
records which ones, so verify and rebuild take the same.`,
		Example: `  fstore training-set create churn_2025 --service churn --labels data/labels.parquet --out churn.parquet
  fstore training-set create quick --features 'customer_orders.*,shop.share_returned=returns' --labels data/labels.parquet --out quick.parquet
  fstore training-set create orders --service churn --out orders.parquet --timestamp at \
      --labels-sql 'select customer_id, invoice_date as at from lines where customer_id is not null'
  fstore training-set create kept --service churn --labels data/labels.parquet --out kept.parquet --snapshot
  fstore training-set create small --service churn --labels data/labels.parquet --out small.parquet --label reordered --sample 100`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			return a.createTrainingSet(cmd.Context(), args[0], &f)
		},
	}
	f.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.labels, "labels", "", "Parquet or CSV file with the rows to enrich")
	flags.StringVar(&f.labelsSQL, "labels-sql", "", "query over sources and views that yields the labels, or a .sql file with one")
	flags.StringVar(&f.timestamp, "timestamp", offline.DefaultTimestamp, "label column with the instant of a row")
	flags.StringArrayVar(&f.targets, "label", nil, "label column that the model learns to predict, recorded in the lock (repeatable)")
	flags.Int64Var(&f.sample, "sample", 0, "take only this many of the labels, always the same ones")
	flags.Int64Var(&f.seed, "sample-seed", 0, "take other labels, by another seed")
	flags.StringVar(&f.out, "out", "", "Parquet file to write")
	flags.StringVar(&f.asOf, "as-of", "", "ignore rows that were created later (default: now)")
	flags.BoolVar(&f.replace, "replace", false, "retire the training set that has this name")
	flags.BoolVar(&f.snapshot, "snapshot", false, "keep a copy of every input, so that a rebuild is possible whatever happens to the sources")
	_ = cmd.MarkFlagFilename("labels", "parquet", "csv", "tsv", "gz")
	_ = cmd.MarkFlagFilename("out", "parquet")
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeServices)
	a.engineFlags(cmd)
	return cmd
}

func (f *trainingFlags) check(cmd *cobra.Command) error {
	switch {
	case (f.labels == "") == (f.labelsSQL == ""):
		return usagef(cmd, "name either --labels or --labels-sql")
	case cmd.Flags().Changed("sample") && f.sample < 1:
		return usagef(cmd, "--sample %d: a sample has at least one row", f.sample)
	case cmd.Flags().Changed("sample-seed") && f.sample == 0:
		return usagef(cmd, "--sample-seed goes with --sample")
	}
	if err := checkOut(cmd, f.out); err != nil {
		return err
	}
	return f.selection.check(cmd)
}

func (a *app) createTrainingSet(ctx context.Context, name string, f *trainingFlags) error {
	if err := fstore.CheckName(name); err != nil {
		return usageOf("training-set create: ", err)
	}
	req := offline.TrainingRequest{Name: name, Timestamp: f.timestamp, Targets: f.targets, Now: a.now().UTC().Truncate(time.Microsecond), Clock: a.now, Version: buildVersion()}
	if f.sample > 0 {
		req.Sample = &offline.Sample{Rows: f.sample, Seed: f.seed}
	}
	if f.asOf != "" {
		asOf, err := instant("--as-of", f.asOf)
		if err != nil {
			return err
		}
		req.AsOf = &asOf
	}
	s, db, err := a.openRegistry(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	snap, err := db.Snapshot(ctx, s.Project)
	if err != nil {
		return err
	}
	if req.List, err = headList(snap, f.selection); err != nil {
		return err
	}
	if err := a.settleTrainingSets(ctx, s, db, filepath.Dir(f.out)); err != nil {
		return err
	}
	mode, err := a.nameIsFree(ctx, s, db, name, f.replace)
	if err != nil {
		return err
	}
	if err := f.outIsFree(ctx, s, db, name); err != nil {
		return err
	}
	engine, err := a.openEngine(s)
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := f.paths(&req); err != nil {
		return err
	}
	if f.labelsSQL != "" {
		query, err := queryText("--labels-sql", f.labelsSQL)
		if err != nil {
			return err
		}
		req.Labels.SQL = query
		if req.Labels.Sources, req.Labels.Views, err = snap.QueryInputs(ctx, engine, registry.QueryText{Name: "the query for labels", SQL: query}); err != nil {
			return err
		}
	}
	progress := a.progress()
	req.Progress = func(p offline.Progress) { progress.percent(p.Stage, p.Done) }
	if req.Registry, err = lockRegistry(ctx, db, snap); err != nil {
		return err
	}
	if f.snapshot {
		req.Keep = offline.NewSnapshots(s.Snapshots)
		release, err := req.Keep.Hold() // until the registry has the lock
		if err != nil {
			return err
		}
		defer func() { _ = release() }()
	}
	req.Record = func(sum *offline.TrainingSummary) error {
		if err := f.outIsFree(ctx, s, db, name); err != nil { // another create may have taken it meanwhile
			return err
		}
		record := registry.TrainingSetRecord{Name: name, Created: req.Now, Rows: sum.Rows, Out: sum.Out, Lock: sum.Lock}
		if req.List.Service.Name != "" {
			record.Service = req.List.Service.String()
		}
		return db.AddTrainingSet(ctx, s.Project, record, mode)
	}
	summary, err := engine.TrainingSet(ctx, req)
	progress.clear()
	if err != nil {
		return err
	}
	return a.printTrainingSummary(summary, req.List)
}

// lockRegistry says which state of the registry gives the definitions.
func lockRegistry(ctx context.Context, db *registry.DB, snap *registry.Snapshot) (offline.LockRegistry, error) {
	r := offline.LockRegistry{Project: snap.Project, Revision: snap.Revision}
	commits, err := db.Commits(ctx, snap.Project)
	if err != nil {
		return r, err
	}
	for _, c := range commits { // the newest first
		if c.Revision <= snap.Revision {
			r.Commit, r.GitRevision, r.Dirty = c.ID, c.GitRevision, c.Dirty
			break
		}
	}
	return r, nil
}

// paths makes the files of a request absolute: they are relative to where the command runs, not to the repo.
func (f *trainingFlags) paths(req *offline.TrainingRequest) (err error) {
	if req.Out, err = filepath.Abs(f.out); err != nil {
		return fmt.Errorf("--out %s: %w", f.out, err)
	}
	if f.labels == "" {
		return nil
	}
	if info, err := os.Stat(f.labels); err != nil {
		return &usageError{message: fmt.Sprintf("--labels %s: %v", f.labels, underlying(err))}
	} else if info.IsDir() {
		return &usageError{message: fmt.Sprintf("--labels %s is a folder", f.labels), hint: "labels are one file, so that they have one order; --labels-sql can read a source of many"}
	}
	if req.Labels.Path, err = filepath.Abs(f.labels); err != nil {
		return fmt.Errorf("--labels %s: %w", f.labels, err)
	}
	return nil
}

// outIsFree refuses to write over a file that is no training set (labels, or a source's), over one that another
// training set goes by, and over a file in the lock's place that is no lock. A training set is known by the lock beside
// it.
func (f *trainingFlags) outIsFree(ctx context.Context, s *Settings, db *registry.DB, name string) error {
	info, err := os.Lstat(f.out) // not Stat: what a link stands for would not be replaced, but the link
	there := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fstore.Errorf(fstore.ErrInvalid, "--out %s cannot be written: %v", f.out, underlying(err)).WithHint("name a file in a folder")
	case there && !info.Mode().IsRegular():
		return fstore.Errorf(fstore.ErrConflict, "--out %s is there already and is not a file", f.out).WithHint("name a new file")
	}
	was, err := lockBeside(f.out)
	switch {
	case err != nil:
		return err
	case was == nil && there:
		return fstore.Errorf(fstore.ErrConflict, "--out %s is there already and is not a training set: it has no lock", f.out).
			WithHint("name a new file, or remove it")
	case was == nil || was.Name == name:
		return nil
	}
	out, err := filepath.Abs(f.out)
	if err != nil {
		return fmt.Errorf("--out %s: %w", f.out, err)
	}
	other, err := db.TrainingSet(ctx, s.Project, was.Name)
	switch {
	case err == nil && other.Out != out:
		return nil // the registry has the lock, and it is not needed here
	case err != nil && !errors.Is(err, fstore.ErrNotFound):
		return err
	}
	return fstore.Errorf(fstore.ErrConflict, "--out %s is the file of training set %s", f.out, was.Name).WithHint("name a new file")
}

// queryText returns the query that a flag gives: the query itself, or the name of a .sql file that holds it.
func queryText(name, flag string) (string, error) {
	if !strings.HasSuffix(flag, ".sql") {
		if !utf8.ValidString(flag) {
			return "", &usageError{message: fmt.Sprintf("%s %q is not UTF-8", name, flag)}
		}
		return flag, nil
	}
	query, problem := registry.ReadText(regular.DirFS(filepath.Dir(flag)), filepath.Base(flag))
	switch {
	case problem == nil:
		return string(query), nil
	case problem.Pos.Line == 0:
		return "", &usageError{message: fmt.Sprintf("%s %s %s", name, flag, problem.Message)}
	}
	problem.Pos.File = flag
	return "", fstore.Errorf(fstore.ErrInvalid, "%s %s: %s", name, problem.Pos, problem.Message).WithHint("%s", problem.Hint)
}

// headList resolves the selection to the versions in head.
func headList(snap *registry.Snapshot, sel selection) (*fstore.FeatureList, error) {
	if sel.service != "" {
		return snap.HeadService(sel.service)
	}
	return snap.HeadFeatures(sel.features)
}

// nameIsFree says early, before the work is done, that a name is taken.
func (a *app) nameIsFree(ctx context.Context, s *Settings, db *registry.DB, name string, replace bool) (registry.NameUse, error) {
	if replace {
		return registry.ReplaceName, nil
	}
	_, err := db.TrainingSet(ctx, s.Project, name)
	switch {
	case errors.Is(err, fstore.ErrNotFound):
		return registry.RefuseName, nil
	case err != nil:
		return registry.RefuseName, err
	}
	return registry.RefuseName, fstore.Errorf(fstore.ErrConflict, "there is a training set %s", name).
		WithHint("choose another name, or --replace to retire the old one")
}

func (a *app) printTrainingSummary(sum *offline.TrainingSummary, list *fstore.FeatureList) error {
	if a.json() {
		return a.printJSON(sum)
	}
	rows := count(int(sum.Rows), "row")
	if sum.Rows < sum.Labels {
		rows = fmt.Sprintf("sample of %s of %s", thousands(sum.Rows), count(int(sum.Labels), "row"))
	}
	fmt.Fprintf(a.stdout, "Training set %s: %s, %s.\n", sum.Name, rows, count(len(list.Outputs), "feature"))
	fmt.Fprintf(a.stdout, "  %s\n  %s\n\n", shortPath(sum.Out), shortPath(sum.LockFile))
	t := newTable("VIEW", "KEYS", "WITH VALUE", "NO ROW", "STALE", "NOT AVAILABLE", "KNOWN LATE", "UNPUBLISHED")
	for _, v := range sum.Views {
		keys := strings.Join(v.Keys, ", ")
		if keys == "" {
			keys = "-"
		}
		t.row(v.View.String(), keys, thousands(v.WithValue), thousands(v.NoRow), thousands(v.Stale), thousands(v.NotAvailable), thousands(v.Late), thousands(v.Unpublished))
	}
	if err := t.print(a.stdout); err != nil {
		return err
	}
	for _, d := range sum.DroppedRows {
		fmt.Fprintf(a.stdout, "%s: %s without an event time left out\n", d.Relation, count(int(d.Rows), "row"))
	}
	if len(sum.Continuous) > 0 {
		fmt.Fprintf(a.stdout, "Taken to be servable at once, without publish: %s\n", strings.Join(sum.Continuous, ", "))
	}
	return nil
}

// shortTime writes an instant for people: seconds are enough.
func shortTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// shortPath writes a path relative to where the command runs, if it is beneath it.
func shortPath(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}

// underlying leaves out of a file error what its message says already.
func underlying(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
