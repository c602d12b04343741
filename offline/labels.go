package offline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/ondemand"
	"github.com/fstore-dev/fstore/sqltype"
)

// Labels are the rows to enrich: join keys, an instant, and any other columns. They come from a Parquet or CSV file (see
// ReadKeys), or from a query over sources and views. The query's ORDER BY gives their order.
type Labels struct {
	Path string

	SQL     string
	Sources []fstore.Source // that the query reads
	Views   []fstore.View   // that the query reads, each after the views that it reads itself
}

// labels is labels as a relation of the session.
type labels struct {
	rowFile                // of a query, only its relation, columns and order are set
	time    int            // index of the column that holds T; -1: there is none
	keys    []givenColumn  // in the order of FeatureList.KeyColumns
	request []*givenColumn // in the order of the evaluation's; nil: the labels do not have it, or no feature reads it
	rows    int64
}

// labels opens the labels of a request. It checks that every row has an instant, and that every key and every value of a
// request column fits its type.
func (s *session) labels(ctx context.Context, req *TrainingRequest, e *ondemand.Evaluation, c cut) (*labels, error) {
	l := &labels{}
	var err error
	switch {
	case req.Labels.SQL != "":
		err = s.labelQuery(ctx, l, req.Labels, c)
	default:
		l.rowFile, err = s.rowFile(ctx, req.Labels.Path, rowsWanted{keys: req.List.KeyColumns(), request: requestFields(e), timestamp: req.Timestamp})
	}
	if err == nil {
		err = l.bind(req, e)
	}
	if err == nil {
		err = s.checkLabels(ctx, l)
	}
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	return l, nil
}

// labelPath returns where the file of labels is.
func (s *session) labelPath(path string) string {
	if s.pinned != nil {
		return s.pinned.Labels
	}
	return s.e.absolute(path)
}

func (s *session) labelQuery(ctx context.Context, l *labels, in Labels, c cut) error {
	v := &fstore.ViewVersion{View: fstore.View{SQL: in.SQL}, Sources: in.Sources, Views: in.Views}
	reads, err := s.inputs(ctx, v, c, "_label_input")
	if err != nil {
		return err
	}
	if err := s.admit(ctx, in.SQL, reads); err != nil {
		return placed(err, labelQuery, in.SQL)
	}
	const prefix = "CREATE TEMP VIEW _label_sql AS\n"
	if err := translate(s.conn.Exec(ctx, prefix+in.SQL)); err != nil {
		return placed(sqlError(err, prefix, in.SQL), labelQuery, in.SQL)
	}
	written, err := s.query(ctx, "DESCRIBE "+in.SQL)
	if err != nil {
		return err
	}
	if err := checkNames(written.Columns[0].Strings); err != nil {
		return err
	}
	if l.columns, err = s.describe(ctx, "SELECT *\nFROM _label_sql"); err != nil {
		return err
	}
	ordered, err := s.totalOrder(ctx, "_label_sql", in.SQL, len(l.columns))
	if err != nil {
		return err
	}
	if err := s.exec(ctx, "CREATE TEMP VIEW _label_ordered AS\n"+ordered); err != nil {
		return err
	}
	l.from, l.order = "_label_rows", unused(l.columns, "_row")
	return s.exec(ctx, "CREATE TEMP TABLE _label_rows AS\nSELECT *, row_number() OVER () - 1 AS "+ident(l.order)+"\nFROM _label_ordered")
}

// labelQuery is what errors call the query for labels.
const labelQuery = "the query for labels"

// placed adds to an error about a query where in the query it is.
func placed(err error, name, sql string) error {
	e, ok := err.(*fstore.SQLError)
	if !ok {
		return err
	}
	message, rest, _ := strings.Cut(e.Message, "\n")
	_, candidates, _ := strings.Cut(rest, "Candidate bindings: ")
	if candidates, _, _ = strings.Cut(candidates, "\n"); candidates != "" {
		candidates = "did you mean " + strings.Trim(candidates, " :") + "?"
	}
	return fstore.Errorf(fstore.ErrInvalid, "%s: %s", fstore.PosIn(name, sql, e.Offset), strings.TrimSpace(message)).WithHint("%s", candidates)
}

// bind finds the columns that the list of features needs.
func (l *labels) bind(req *TrainingRequest, e *ondemand.Evaluation) error {
	err := l.bindTime(req.Timestamp)
	if err != nil {
		return err
	}
	if l.keys, err = l.keyColumns(req.List.KeyColumns()); err != nil {
		return err
	}
	if l.request, err = l.requestColumns(req.List, e); err != nil {
		return err
	}
	if err := lock.CheckTargets(req.Targets, l.columns, req.List, req.Timestamp); err != nil {
		return err
	}
	return l.checkOutputs(req.List)
}

// bindTime finds the column with the instant of a row.
func (l *labels) bindTime(name string) error {
	if l.time = columnIndex(l.columns, name); l.time < 0 {
		return fstore.Errorf(fstore.ErrInvalid, "there is no column %s for the instant of a row", name).
			WithHint("name one with --timestamp; the columns are %s", columnNames(l.columns))
	}
	if l.untyped[name] {
		return fstore.Errorf(fstore.ErrInvalid, "column %s has no type: every value in it is null", name).WithHint("every label needs an instant")
	}
	if t := l.columns[l.time].Type; !sqltype.Parse(t).IsTime() {
		return fstore.Errorf(fstore.ErrInvalid, "column %s is %s, not a time", name, t).WithHint("write it as TIMESTAMP or DATE")
	}
	return nil
}

// checkOutputs returns an error if a feature is named like a label column.
func (l *labels) checkOutputs(list *fstore.FeatureList) error {
	for i, o := range list.Outputs {
		for _, c := range l.columns {
			if name := o.Name(); strings.EqualFold(c.Name, name) {
				from := list.Describe().Features[i]
				ref := from.View.Name + "." + from.Feature
				return fstore.Errorf(fstore.ErrInvalid, "feature %s has the name of a label column", name).
					WithHint("give it another: {ref: %s, as: %s_feature} in the service, %s=%s_feature with --features, or a prefix", ref, name, ref, name)
			}
		}
	}
	return nil
}

// relation returns the query of the labels: their columns as l0, l1…, their order as row, and their instant as t.
func (l *labels) relation() string {
	at := "NULL::TIMESTAMP"
	if l.time >= 0 {
		at = roundedDown(fmt.Sprintf("l%d", l.time), sqltype.Parse(l.columns[l.time].Type))
	}
	return "SELECT *, " + at + " AS t\nFROM (\n" + l.numbered() + "\n)"
}

// output returns label column i of the training set, in its original type.
func (l *labels) output(i int) string {
	x := fmt.Sprintf("l%d", i)
	if l.units[l.columns[i].Name] == millis {
		x += "::TIMESTAMP_MS"
	}
	return x + " AS " + ident(l.columns[i].Name)
}

// key returns the join key that a column gives, converted.
func (l *labels) key(column string) string {
	for _, k := range l.keys {
		if k.name == column {
			return k.sql()
		}
	}
	panic("offline: the list has no key column " + column)
}

// checkLabels counts the labels. The error names the first row without an instant, or with a key or a value of a request
// column that does not fit its type.
func (s *session) checkLabels(ctx context.Context, l *labels) error {
	columns := []string{"count(*)", "NULL::BIGINT", "''"}
	if l.time >= 0 {
		columns[1], columns[2] = "min(row) FILTER (WHERE t IS NULL)", fmt.Sprintf("arg_min(coalesce(l%d::VARCHAR, ''), row) FILTER (WHERE t IS NULL)", l.time)
	}
	given := slices.Clone(l.keys)
	for _, c := range l.request {
		if c != nil {
			given = append(given, *c)
		}
	}
	checked, misfits := misfits(given)
	columns = append(columns, misfits...)
	b, err := s.query(ctx, "SELECT\n  "+list(columns)+"\nFROM (\n"+l.relation()+"\n)")
	if err != nil {
		return err
	}
	l.rows = b.Columns[0].Int64s[0]
	if c := &b.Columns[1]; !c.IsNull(0) {
		err := fstore.Errorf(fstore.ErrInvalid, "row %d has no instant in column %s", c.Int64s[0]+1, l.columns[l.time].Name)
		if value := b.Columns[2].Strings[0]; value != "" {
			err = fstore.Errorf(fstore.ErrInvalid, "row %d: column %s: %s is not an instant", c.Int64s[0]+1, l.columns[l.time].Name, value)
		}
		return err.WithHint("every label needs an instant")
	}
	return firstMisfit(checked, b.Columns[3:])
}
