package offline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/duckdb"
	"github.com/fstore-dev/fstore/offline/trainset"
)

// Options say how to open an Engine.
type Options struct {
	Threads     int                         // 0: one per processor
	MemoryLimit string                      // such as 4GB; empty: DuckDB's default
	TempDir     string                      // for data beyond the memory limit; made if missing; empty: the system's
	Dir         string                      // the feature repo's: relative paths of sources start here
	Lookup      func(string) (string, bool) // returns the value of a variable in a path; nil: there are none
	Digests     string                      // file that remembers digests; empty: nothing is remembered
}

// Engine answers questions about the offline data. It is safe for concurrent use. Users' SQL never runs on db (see
// isolated).
type Engine struct {
	db        *duckdb.DB
	opts      Options
	temp      *trainset.Scratch // for data beyond the memory limit
	databases atomic.Int64      // opened so far, to name their folders in temp
	binder    binder
	lookups   newLookup // lookupOf, except in tests

	digests *trainset.Digests
}

// Open starts an engine. The caller closes it.
func Open(o Options) (*Engine, error) {
	if o.Lookup == nil {
		o.Lookup = func(string) (string, bool) { return "", false }
	}
	temp, err := spillFolder(o.TempDir)
	if err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "make the temporary folder: %v", err).
			WithHint("set offline.temp_dir in fstore.yaml to a folder that can be written")
	}
	e := &Engine{opts: o, temp: temp, lookups: lookupOf, digests: trainset.NewDigests(o.Digests, temp.Path())}
	if e.db, err = e.open(); err != nil {
		return nil, errors.Join(err, temp.Remove())
	}
	return e, nil
}

// DuckDBVersion returns the version of the engine, such as v1.4.1.
func DuckDBVersion() string { return duckdb.Version() }

// open opens a database with the engine's settings. Spill files have fixed names, so each database has its own folder.
// DuckDB makes the folder when it needs it.
func (e *Engine) open() (*duckdb.DB, error) {
	temp := filepath.Join(e.temp.Path(), strconv.FormatInt(e.databases.Add(1), 10))
	return duckdb.Open(duckdb.Config{Threads: e.opts.Threads, MemoryLimit: e.opts.MemoryLimit, TempDir: temp})
}

// spillFolder makes this engine's own folder in dir, because DuckDB's spill files have fixed names.
func spillFolder(dir string) (*trainset.Scratch, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return trainset.NewScratch(dir, "fstore-spill-")
}

// Close releases the engine. Nothing may still be running on it.
func (e *Engine) Close() error {
	_ = e.digests.Save() // files that are not remembered are read again
	e.binder.close()
	return errors.Join(e.db.Close(), e.temp.Remove())
}

// session is the connection of one operation, with what it knows of sources so far.
type session struct {
	e        *Engine
	own      *duckdb.DB // the session's own; nil: the engine's
	conn     *duckdb.Conn
	sources  map[string]*source     // by sourceKey
	sites    []site                 // where values are converted
	admitted []admitted             // users' SQL that was checked
	tables   int                    // relations made so far, to name them
	locks    bool                   // a lock will say what was read
	early    *trainset.EarlyDigests // of the files that are read; nil: no lock is made
	pinned   *trainset.Pinned       // the files to read; nil: the files that the paths match
}

func (e *Engine) session(ctx context.Context) (*session, error) {
	conn, err := e.db.Connect(ctx)
	if err != nil {
		return nil, translate(err)
	}
	return &session{e: e, conn: conn, sources: map[string]*source{}}, nil
}

func (s *session) close() {
	s.conn.Close()
	if s.own != nil {
		_ = s.own.Close()
	}
}

// query returns all rows of a small result.
func (s *session) query(ctx context.Context, sql string) (*fstore.Batch, error) {
	rows, err := s.conn.Query(ctx, sql)
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close()
	all := &fstore.Batch{}
	for _, f := range rows.Fields() {
		all.Columns = append(all.Columns, fstore.NewColumn(f.Name, f.Type, 1))
	}
	for {
		b, err := rows.Next()
		if err != nil {
			return nil, translate(err)
		}
		if b == nil {
			return all, nil
		}
		for c := range b.Columns {
			for i := range b.Len {
				all.Columns[c].AppendFrom(&b.Columns[c], i)
			}
		}
		all.Len += b.Len
	}
}

func (s *session) exec(ctx context.Context, sql string) error {
	return translate(s.conn.Exec(ctx, sql))
}

// describe returns the columns of a query or relation, without running it.
func (s *session) describe(ctx context.Context, query string) ([]fstore.EngineColumn, error) {
	b, err := s.query(ctx, "SELECT column_name, column_type\nFROM (DESCRIBE "+query+")")
	if err != nil {
		return nil, err
	}
	out := make([]fstore.EngineColumn, 0, b.Len)
	for i := range b.Len {
		out = append(out, fstore.EngineColumn{Name: b.Columns[0].Strings[i], Type: b.Columns[1].Strings[i]})
	}
	return out, nil
}

// translate turns an error of the engine into one of fstore: ErrInvalid with what is wrong with the input, or ErrTooLarge
// if memory or the temporary folder is full. It returns other errors as they are.
func translate(err error) error {
	var e *duckdb.Error
	if !errors.As(err, &e) {
		return err
	}
	if strings.TrimSpace(e.Message) == splitMarker {
		return errSplit
	}
	if !outOfMemory(err) {
		return &failure{message: withoutAdvice(e.Message), cause: e}
	}
	first, _, _ := strings.Cut(strings.TrimSpace(e.Message), "\n")
	if strings.Contains(e.Message, "max_temp_directory_size") {
		return fstore.Errorf(fstore.ErrTooLarge, "the temporary folder is full: %s", first).
			WithHint("free space on the disk of offline.temp_dir, or raise offline.memory_limit, see fstore.yaml")
	}
	return fstore.Errorf(fstore.ErrTooLarge, "out of memory: %s", first).
		WithHint("raise offline.memory_limit, see fstore.yaml")
}

// advice finds advice in the engine's messages about settings and options that users of fstore cannot set.
var advice = regexp.MustCompile(`(?i)possible (fixes|solutions?)\b|\b(strict_mode|ignore_errors|union_by_name|null_padding|sample_size|all_varchar|auto_detect|maximum_object_size|max_line_size|binary_as_string|encryption_config|hive_types(_autocast)?|hive_partitioning|store_rejects|parallel|max_expression_depth|scalar_subquery_error_on_multiple_rows|preserve_insertion_order|null_?str|allow_quoted_nulls)\b|\btry setting\b|\b(set|pragma|install|load|call) [a-z_]+ ?(=|;|\()|"(set|pragma|install|load) |configuration option|\bfor more information\b|https?://`)

// withoutAdvice cuts a message of the engine before the sentence in which advice begins.
func withoutAdvice(message string) string {
	message = strings.TrimSpace(message)
	at := advice.FindStringIndex(message)
	if at == nil {
		return message
	}
	end := max(strings.LastIndexByte(message[:at[0]], '\n'), strings.LastIndex(message[:at[0]], ". "), strings.LastIndex(message[:at[0]], "? "))
	if end <= 0 {
		return strings.TrimRight(message[:at[0]], " (,:-\"'") // the first sentence itself has the advice
	}
	return strings.TrimSpace(message[:end+1])
}

func outOfMemory(err error) bool {
	var e *duckdb.Error
	return errors.As(err, &e) && e.Type == "Out of Memory"
}

// failure is a statement that could not run, because the caller's input is invalid.
type failure struct {
	message string
	cause   *duckdb.Error
}

func (f *failure) Error() string { return f.message }

func (f *failure) Unwrap() []error { return []error{fstore.ErrInvalid, f.cause} }
