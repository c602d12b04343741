package offline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/offline/trainset"
	"github.com/fstore-dev/fstore/sqltype"
)

// Served asks for a training set of what was served: each label takes the values of the row of a served log that answered it, and
// nothing is computed. Files and Counts of the lock.Served are results.
type Served struct {
	lock.Served
	Parts        []ServedPart
	Hash         trainset.KeyHash // of hashed keys; nil: the key of the HMAC is not at hand
	NeedsOutcome bool             // labels without the column Outcome are an error, even if they have request ids
}

// ServedPart is a sealed file of a served log.
type ServedPart struct {
	Name string // absolute path, by which the lock names the file
	Path string // what is read
}

// servedSet is a training set of served rows being made.
type servedSet struct {
	*training
	*Served
	in       *labels        // the file of labels
	compared []fstore.Field // keys of labels and rows
	log      []fstore.EngineColumn
	stamps   []trainset.Stamp // of Parts
	used     []int            // Parts with rows of the training set
}

// servedSteps returns the steps that make a training set of what was served as a file in a folder, not yet in its place.
func (t *training) servedSteps(temp, folder string) []step {
	s := &servedSet{training: t, Served: t.req.Served}
	t.fromLog = s
	return []step{
		{"read labels", func(ctx context.Context) error {
			files := []string{t.labelPath(t.req.Labels.Path)}
			for _, p := range s.Parts {
				files = append(files, p.Path)
			}
			if err := t.seal(ctx, files, []string{folder}); err != nil {
				return err
			}
			if err := s.readLabels(ctx); err != nil {
				return fmt.Errorf("labels: %w", err)
			}
			return nil
		}},
		{"read served log", s.readLog},
		{"join", s.join},
		{"write", func(ctx context.Context) error { return translate(t.copy(ctx, "_joined", temp)) }},
	}
}

// readLabels opens the labels, and makes _outcomes: their rows with the instant of the outcome, the keys and the request.
func (s *servedSet) readLabels(ctx context.Context) (err error) {
	want := rowsWanted{keys: s.req.List.KeyColumns(), timestamp: s.Outcome, all: true}
	if s.RequestID != "" {
		want.values = []fstore.Field{{Name: s.RequestID, Type: fstore.String}}
	}
	s.in = &labels{time: -1}
	if s.in.rowFile, err = s.rowFile(ctx, s.req.Labels.Path, want); err != nil {
		return err
	}
	s.labels = s.in
	if err := s.bind(); err != nil {
		return err
	}
	if err := s.checkLabels(ctx, s.in); err != nil {
		return err
	}
	s.summary.Labels = s.in.rows
	columns := []string{"row", "t"}
	for i, k := range s.in.keys {
		x, err := s.loggedKey(i, k)
		if err != nil {
			return err
		}
		columns = append(columns, fmt.Sprintf("%s AS k%d", x, i))
	}
	if s.RequestID != "" {
		columns = append(columns, fmt.Sprintf("l%d::VARCHAR AS request", columnIndex(s.in.columns, s.RequestID)))
	}
	return s.exec(ctx, "CREATE TEMP TABLE _outcomes AS\nSELECT\n  "+list(columns)+"\nFROM (\n"+s.in.relation()+"\n)")
}

// bind finds the columns by which rows are found: the id of the request, or the keys and the instant of the outcome.
func (s *servedSet) bind() error {
	keys := slices.Clone(s.req.List.KeyColumns())
	if columnIndex(s.in.columns, s.RequestID) < 0 {
		s.RequestID = ""
	}
	if columnIndex(s.in.columns, s.Outcome) < 0 && s.RequestID != "" && !s.NeedsOutcome {
		s.Outcome = ""
	}
	if s.Outcome != "" {
		if err := s.in.bindTime(s.Outcome); err != nil {
			return err
		}
	}
	if s.RequestID != "" { // every key that labels have is compared
		keys = slices.DeleteFunc(keys, func(k fstore.Field) bool { return s.Keys == lock.NoKeys || columnIndex(s.in.columns, k.Name) < 0 })
		if len(keys) == 0 {
			return nil
		}
	}
	switch {
	case s.Keys == lock.NoKeys && len(keys) > 0:
		return fstore.Errorf(fstore.ErrInvalid, "they have no column request_id, and the served log has no keys: serve.log.keys is none").
			WithHint("give each label the id of its request, _request_id of the log")
	case s.Keys == lock.HashedKeys && s.Hash == nil:
		return fstore.Errorf(fstore.ErrInvalid, "the served log has hashed keys, and the key of the HMAC is not at hand, so the keys of labels cannot be compared with them").
			WithHint("set serve.log.keys: hashed and serve.log.hmac_key to the file that the servers use, or pass labels with request_id and without keys")
	}
	var err error
	s.compared = keys
	s.in.keys, err = s.in.keyColumns(keys)
	return err
}

// loggedKey returns a key of the labels as the log has it.
func (s *servedSet) loggedKey(i int, k givenColumn) (string, error) {
	if s.Keys != lock.HashedKeys {
		return k.sql(), nil
	}
	hash := s.Hash
	f := &duckdb.Function{Name: fmt.Sprintf("_hash%d", i), Takes: []fstore.Type{k.to}, Gives: []fstore.Type{fstore.String}}
	f.Call = func(rows int, args []fstore.Column) ([]fstore.Column, error) {
		out := fstore.NewColumn("", fstore.String, rows)
		for row := range rows {
			if args[0].IsNull(row) {
				out.AppendNull()
				continue
			}
			out.Append(hash(&args[0], row))
		}
		return []fstore.Column{out}, nil
	}
	return fmt.Sprintf("%s(%s).c0", f.Name, k.sql()), s.conn.Define(f)
}

// readLog opens the log, and makes _log, its rows, and _answers: what rows are found by, each row once.
func (s *servedSet) readLog(ctx context.Context) error {
	if err := s.checkOut(); err != nil {
		return err
	}
	var paths []string
	for _, p := range s.Parts {
		stamp, err := s.stamp(ctx, p.Path)
		if err != nil {
			return err
		}
		s.stamps, paths = append(s.stamps, stamp), append(paths, p.Path)
	}
	var err error
	if s.log, err = s.describe(ctx, "SELECT *\nFROM "+readParquet(paths, false, "union_by_name = true")); err != nil {
		return fmt.Errorf("served log: %w", err)
	}
	if at := named(s.log, rowNumber); at >= 0 {
		return fstore.Errorf(fstore.ErrInvalid, "column %s of the served log has a name that the engine needs", s.log[at].Name).WithHint("give the feature another name with as:")
	}
	from := readParquet(paths, false, "union_by_name = true", "filename = '_file'", rowNumber+" = true")
	if err := s.exec(ctx, "CREATE TEMP VIEW _log AS\nSELECT\n  *,\n  list_position("+texts(paths)+", _file)::BIGINT AS _part\nFROM "+from); err != nil {
		return err
	}
	columns := []string{
		"_part AS part", rowNumber + " AS number", "make_timestamp(epoch_us(_at)) AS answered", "_request_id AS request", "_row AS request_row",
		"_server AS server", "TRY_CAST(regexp_extract(_request_id, '[0-9]+$') AS UBIGINT) AS request_number",
	}
	for i, k := range s.compared {
		columns = append(columns, fmt.Sprintf("%s AS k%d", ident(k.Name), i))
	}
	sql := "CREATE TEMP TABLE _answers AS\nSELECT\n  " + list(columns) + "\nFROM _log\nQUALIFY row_number() OVER (PARTITION BY request, request_row ORDER BY part, number) = 1"
	if err := s.exec(ctx, sql); err != nil {
		return fmt.Errorf("served log: %w", err)
	}
	b, err := s.query(ctx, "SELECT count(*), count(*) - (SELECT count(*) FROM _answers)\nFROM _log")
	if err != nil {
		return err
	}
	s.Counts = lock.ServedCounts{Log: b.Columns[0].Int64s[0], Repeated: b.Columns[1].Int64s[0]}
	if s.Counts.Repeated == 0 {
		return nil
	}
	return s.checkRepeated(ctx)
}

// checkRepeated returns ErrInvalid if rows of the log with the same request and number differ, so that nobody knows which was served.
func (s *servedSet) checkRepeated(ctx context.Context) error {
	columns := make([]string, len(s.log))
	for i, c := range s.log {
		columns[i] = ident(c.Name)
	}
	sum := "hash(" + strings.Join(columns, ", ") + ")"
	b, err := s.query(ctx, "SELECT _request_id, _row, min(_part), max(_part)\nFROM _log\nGROUP BY _request_id, _row\nHAVING min("+sum+") <> max("+sum+")\nORDER BY _request_id, _row\nLIMIT 1")
	if err != nil || b.Len == 0 {
		return err
	}
	c := b.Columns
	return fstore.Errorf(fstore.ErrInvalid, "row %d of request %s differs between %s and %s", c[1].Int64s[0], c[0].Strings[0], s.Parts[c[2].Int64s[0]-1].Name, s.Parts[c[3].Int64s[0]-1].Name).
		WithHint("one of the files was changed or damaged: move it out of the folder of the log")
}

// foundSQL returns the query of _found: for each label the row of the log that answered it, if there is one, whether the log has its
// keys or its request at all, and how many rows there are to choose from.
func (s *servedSet) foundSQL() string {
	keys := make([]string, len(s.in.keys))
	equal, same := "", ""
	for i := range keys {
		keys[i] = fmt.Sprintf("k%d", i)
		equal += fmt.Sprintf("labels.k%[1]d = answers.k%[1]d AND ", i)
		same += fmt.Sprintf("\n  AND labels.k%[1]d IS NOT DISTINCT FROM answers.k%[1]d", i)
	}
	if s.RequestID != "" {
		return `SELECT
  labels.row,
  labels.t,
  min(answers.part) AS part,
  min(answers.number) AS number,
  min(answers.answered) AS answered,
  count(answers.part) > 0 AS known,
  count(answers.part) AS choices
FROM _outcomes AS labels
LEFT JOIN _answers AS answers ON labels.request = answers.request` + same + `
GROUP BY labels.row, labels.t`
	}
	known := "(SELECT count(*) > 0 FROM _answers)"
	if len(keys) > 0 {
		known = "EXISTS (SELECT 1 FROM _answers AS answers WHERE " + equal + "true)"
	}
	return `SELECT
  labels.row,
  labels.t,
  answers.part,
  answers.number,
  answers.answered,
  ` + known + ` AS known,
  1 AS choices
FROM _outcomes AS labels
ASOF LEFT JOIN (
  SELECT *
  FROM _answers
  QUALIFY row_number() OVER (PARTITION BY ` + strings.Join(append(keys, "answered"), ", ") + ` ORDER BY server DESC, request_number DESC, request_row DESC) = 1
) AS answers ON ` + equal + `labels.t >= answers.answered`
}

// join makes _matched, which says what becomes of each label, and _joined: the rows of the training set.
func (s *servedSet) join(ctx context.Context) error {
	if err := s.exec(ctx, "CREATE TEMP TABLE _found AS\n"+s.foundSQL()); err != nil {
		return err
	}
	if err := s.exec(ctx, fmt.Sprintf(`CREATE TEMP TABLE _matched AS
SELECT
  * EXCLUDE (result),
  CASE WHEN result = 'joined' AND row_number() OVER (PARTITION BY part, number, result ORDER BY t DESC NULLS LAST, row DESC) > 1 THEN 'replaced' ELSE result END AS result
FROM (
  SELECT
    *,
    CASE
      WHEN NOT known THEN 'not_served'
      WHEN choices > 1 THEN 'ambiguous'
      WHEN part IS NULL OR answered > t THEN 'after'
      WHEN epoch_us(t)::HUGEINT - epoch_us(answered) > %d THEN 'too_old'
      ELSE 'joined'
    END AS result
  FROM _found
)`, s.Within.Micros())); err != nil {
		return err
	}
	if err := s.count(ctx); err != nil {
		return err
	}
	columns, err := s.columns()
	if err != nil {
		return err
	}
	return s.exec(ctx, "CREATE TEMP VIEW _joined AS\nSELECT\n  "+list(columns)+`
FROM _matched AS matched
JOIN _log AS log ON log._part = matched.part AND log.`+rowNumber+` = matched.number
JOIN (
`+s.in.numbered()+`
) AS labels ON labels.row = matched.row
WHERE matched.result = 'joined'`)
}

// count counts what becomes of the labels, and finds the parts that have the rows.
func (s *servedSet) count(ctx context.Context) error {
	b, err := s.query(ctx, "SELECT result, count(*)\nFROM _matched\nGROUP BY result")
	if err != nil {
		return err
	}
	c := &s.Counts
	of := map[string]*int64{"joined": &c.Joined, "replaced": &c.Replaced, "not_served": &c.NotServed, "after": &c.After, "too_old": &c.TooOld, "ambiguous": &c.Ambiguous}
	for i := range b.Len {
		*of[b.Columns[0].Strings[i]] = b.Columns[1].Int64s[i]
	}
	s.summary.Served, s.summary.Rows = c, c.Joined
	if c.Joined == 0 {
		return fstore.Errorf(fstore.ErrInvalid, "no label has a row of the served log: %s", c).
			WithHint("the log keeps serve.log.sample of what is answered; --within is the longest time from answer to outcome%s", s.hashedHint())
	}
	if b, err = s.query(ctx, "SELECT DISTINCT part\nFROM _matched\nWHERE result = 'joined'\nORDER BY part"); err != nil {
		return err
	}
	for i := range b.Len {
		s.used = append(s.used, int(b.Columns[0].Int64s[i])-1)
	}
	return nil
}

// hashedHint ends a hint: a hash does not say of which key it is.
func (s *servedSet) hashedHint() string {
	if s.Keys == lock.HashedKeys && len(s.compared) > 0 {
		return "; serve.log.hmac_key must be the key that the servers had"
	}
	return ""
}

// logType returns the engine's type of a column of the log.
func (s *servedSet) logType(name string) (sqltype.Type, string, error) {
	at := columnIndex(s.log, name)
	if at < 0 {
		return sqltype.Type{}, "", fstore.Errorf(fstore.ErrInvalid, "the served log has no column %s", name)
	}
	return sqltype.Parse(s.log[at].Type), s.log[at].Type, nil
}
