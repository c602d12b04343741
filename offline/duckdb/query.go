package duckdb

import (
	"context"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings" // for PendingPreparedStreaming alone, which mapping does not re-export
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/fstore-dev/fstore"
)

// Rows is the streamed result of a query.
type Rows struct {
	ctx     context.Context //nolint:containedctx // lives as long as the one call it belongs to
	conn    *Conn
	stmt    mapping.PreparedStatement
	result  mapping.Result
	open    bool // result is to be destroyed
	stop    func()
	columns []column
}

// column is an output column and how its vectors are read.
type column struct {
	name string
	typ  fstore.Type // Invalid: of a type that cannot be read into a batch
}

// Query starts one statement and returns its rows as they are computed. The caller closes them. Output columns
// must have the types of fstore.Type: BOOLEAN, INTEGER, BIGINT, FLOAT, DOUBLE, VARCHAR, BLOB,
// TIMESTAMP and lists of them; SQL casts others. The error is an *Error, or the context's.
func (c *Conn) Query(ctx context.Context, sql string) (*Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &Rows{ctx: ctx, conn: c, stop: c.watch(ctx)}
	if mapping.Prepare(c.conn, sql, &r.stmt) != mapping.StateSuccess {
		err := r.fail(mapping.PrepareError(r.stmt))
		r.Close()
		return nil, err
	}
	if err := r.execute(); err != nil {
		r.Close()
		return nil, err
	}
	for i := range mapping.ColumnCount(&r.result) {
		r.columns = append(r.columns, column{mapping.ColumnName(&r.result, i), r.columnType(i)})
	}
	return r, nil
}

// execute runs the statement until it has rows or is done. DuckDB's own call polls for tasks, and for progress, without a
// pause while other threads run the last tasks, and takes a processor and locks from them. execute sleeps instead.
func (r *Rows) execute() error {
	var pending mapping.PendingResult
	defer mapping.DestroyPending(&pending)
	if bindings.PendingPreparedStreaming(r.stmt, &pending) != mapping.StateSuccess {
		return r.fail(mapping.PendingError(pending))
	}
	pause := shortestPause
	for {
		switch mapping.PendingExecuteTask(pending) {
		case mapping.PendingStateNoTasksAvailable:
			time.Sleep(pause)
			pause = min(2*pause, longestPause)
			continue
		case mapping.PendingStateResultNotReady:
			pause = shortestPause
			continue
		case mapping.PendingStateError:
			return r.fail(mapping.PendingError(pending))
		}
		state := mapping.ExecutePending(pending, &r.result)
		r.open = true
		if state != mapping.StateSuccess {
			return r.fail(mapping.ResultError(&r.result))
		}
		return nil
	}
}

// Pauses of execute while there is no task.
const (
	shortestPause = 10 * time.Microsecond
	longestPause  = time.Millisecond
)

func (r *Rows) columnType(i mapping.IdxT) fstore.Type {
	t := mapping.ColumnLogicalType(&r.result, i)
	defer mapping.DestroyLogicalType(&t)
	return typeOf(t)
}

// Fields returns the names and types of the output columns.
func (r *Rows) Fields() []fstore.Field {
	out := make([]fstore.Field, 0, len(r.columns))
	for _, c := range r.columns {
		out = append(out, fstore.Field{Name: c.name, Type: c.typ})
	}
	return out
}

// Next returns the next rows, at least one, or nil after the last.
func (r *Rows) Next() (*fstore.Batch, error) {
	for _, c := range r.columns {
		if c.typ == fstore.Invalid {
			return nil, fstore.Errorf(fstore.ErrInvalid, "column %s has a type that cannot be read; cast it", c.name)
		}
	}
	chunk, n, err := r.fetch()
	if err != nil || n == 0 {
		return nil, err
	}
	defer mapping.DestroyDataChunk(&chunk)
	batch := &fstore.Batch{Len: n, Columns: make([]fstore.Column, len(r.columns))}
	for i, c := range r.columns {
		v := mapping.DataChunkGetVector(chunk, mapping.IdxT(i))
		batch.Columns[i] = readVector(c.name, c.typ, v, n)
	}
	return batch, nil
}

// skip drops the next rows and reports whether there were any.
func (r *Rows) skip() (bool, error) {
	chunk, n, err := r.fetch()
	if err != nil || n == 0 {
		return false, err
	}
	mapping.DestroyDataChunk(&chunk)
	return true, nil
}

// fetch returns the next chunk with rows, which the caller destroys, or 0 rows and nothing to destroy.
func (r *Rows) fetch() (mapping.DataChunk, int, error) {
	for {
		chunk := mapping.FetchChunk(r.result)
		if chunk.Ptr == nil {
			if msg := mapping.ResultError(&r.result); msg != "" {
				return chunk, 0, r.fail(msg)
			}
			return chunk, 0, r.ctx.Err()
		}
		if n := int(mapping.DataChunkGetSize(chunk)); n > 0 {
			return chunk, n, nil
		}
		mapping.DestroyDataChunk(&chunk)
	}
}

// fail returns the error for a message, or the context's error if the context has ended.
func (r *Rows) fail(msg string) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	return parseError(msg)
}

// Close ends the query and frees what it holds.
func (r *Rows) Close() {
	r.stop()
	if r.open {
		mapping.DestroyResult(&r.result)
	}
	mapping.DestroyPrepare(&r.stmt)
	r.open, r.stop = false, func() {}
}
