package offline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
)

// checkOut returns an error if the training set or its lock would replace an input, or become a file of a source.
func (t *training) checkOut() error {
	if t.req.Out == "" {
		return nil
	}
	for _, out := range []string{t.req.Out, lock.Path(t.req.Out)} {
		if t.labels.file != "" && sameFile(out, t.labels.file) {
			return fstore.Errorf(fstore.ErrInvalid, "%s is the file of the labels", out).WithHint("write the training set to another file")
		}
		for _, src := range t.readSources() {
			for _, file := range src.files {
				if sameFile(out, file) {
					return fstore.Errorf(fstore.ErrInvalid, "%s is a file of source %s", out, src.def.Name).WithHint("write the training set to another file")
				}
			}
			path, err := t.e.expand(src.def.Path)
			if err != nil && t.pinned != nil {
				continue // a rebuild needs no variables
			}
			if err != nil {
				return err
			}
			if matches(t.e.pattern(path), out) {
				return fstore.Errorf(fstore.ErrInvalid, "%s would be a file of source %s, which reads %s", out, src.def.Name, src.def.Path).
					WithHint("write the training set to another folder")
			}
		}
	}
	return nil
}

// sameFile reports whether writing a would replace b.
func sameFile(a, b string) bool {
	was, err := os.Lstat(a)
	if err != nil {
		return false
	}
	is, err := os.Stat(b)
	return err == nil && os.SameFile(was, is)
}

// matches reports whether a path matches a pattern, in which ** is any number of folders.
func matches(pattern, path string) bool {
	p, f := strings.Split(filepath.Clean(pattern), "/"), strings.Split(filepath.Clean(path), "/")
	return matchParts(p, f)
}

func matchParts(pattern, path []string) bool {
	if len(pattern) == 0 || len(path) == 0 {
		return len(pattern) == len(path)
	}
	if pattern[0] == "**" {
		return matchParts(pattern[1:], path) || matchParts(pattern, path[1:])
	}
	ok, err := filepath.Match(pattern[0], path[0])
	return err == nil && ok && matchParts(pattern[1:], path[1:])
}

// write copies the training set to a Parquet file in the order of the labels. It is fastest to do all joins at once and then
// sort. If memory cannot hold what they need together, write does one join at a time.
func (t *training) write(ctx context.Context, path string) error {
	err := t.copy(ctx, "_joined", path)
	if !outOfMemory(err) {
		return translate(err)
	}
	from, err := t.joinOneByOne(ctx)
	if err != nil {
		return err
	}
	return translate(t.copy(ctx, from, path))
}

// fileOptions say how a training set is written. They can change its bytes, so they are in the lock.
const fileOptions = "FORMAT parquet, COMPRESSION snappy"

// copy writes a relation in the order of its column row. An unqualified row could be a label column.
func (t *training) copy(ctx context.Context, from, path string) error {
	columns := []string{}
	for i := range t.labels.columns {
		columns = append(columns, t.labels.output(i))
	}
	for i, o := range t.req.List.Outputs {
		columns = append(columns, t.outputSQL(i)+" AS "+ident(o.Name()))
	}
	rest := from + "\nORDER BY " + from + ".row"
	if t.labels.wide() && t.fromLog == nil {
		rest = t.besideLabels(from)
	}
	if t.evaluator != nil {
		t.evaluator.start()
		rest = t.evaluatedSQL(rest)
	}
	err := t.conn.Exec(ctx, "COPY (\nSELECT\n  "+list(columns)+"\nFROM "+rest+"\n) TO "+text(path)+" ("+fileOptions+")")
	if t.evaluator != nil {
		err = t.evaluator.end(err, t.summary.Rows)
	}
	return err
}

// outputSQL returns the column of a feature in what copy writes.
func (t *training) outputSQL(i int) string {
	if t.fromLog != nil {
		return fmt.Sprintf("o%d", i)
	}
	at := t.evaluation.Outputs()[i]
	if at.Computed {
		return fmt.Sprintf("evaluated.c%d", at.Index)
	}
	return fmt.Sprintf("o%d", at.Index)
}

// besideLabels returns the FROM clause of the labels, in their order, with the features of a relation beside them. A
// positional join reads both on one thread, in order. The query fails if a label would get another label's features.
func (t *training) besideLabels(from string) string {
	features := []string{"row AS at"}
	for i := range t.evaluation.Lookups() {
		features = append(features, fmt.Sprintf("o%d", i))
	}
	return "_labels\nPOSITIONAL JOIN (\n  SELECT\n  " + list(features) + "\n  FROM " + from + "\n  ORDER BY row\n) AS features\n" +
		"WHERE CASE WHEN _labels.row IS NOT DISTINCT FROM features.at THEN true ELSE error('labels and features are out of step') END"
}

// joinOneByOne makes a table of what _joined is a view of, and returns its name.
func (t *training) joinOneByOne(ctx context.Context) (string, error) {
	from := "_at"
	for i, u := range t.uses {
		columns := []string{"labels.*"}
		for o, l := range t.evaluation.Lookups() {
			if l.Use == i {
				columns = append(columns, fmt.Sprintf("%s AS o%d", t.lookupSQL(l), o))
			}
		}
		next := fmt.Sprintf("_joined_%d", i)
		if err := t.exec(ctx, "CREATE TEMP TABLE "+next+" AS\nSELECT\n  "+list(columns)+"\nFROM "+from+" AS labels"+u.lookup.joinSQL(u)); err != nil {
			return "", err
		}
		if i > 0 {
			if err := t.exec(ctx, "DROP TABLE "+from); err != nil {
				return "", err
			}
		}
		from = next
	}
	return from, nil
}
