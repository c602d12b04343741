package servedlog

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/fstore-dev/fstore"
)

const (
	streamSuffix  = ".arrows"
	sealedSuffix  = ".parquet"
	sealingSuffix = ".parquet.tmp"
	damagedSuffix = ".damaged"
	sumsSuffix    = ".sums" // after that of a stream

	nameTime = "20060102T150405Z" // when a file was begun: its name begins so

	privateFile   = 0o600
	privateFolder = 0o700
)

// stream is the rows of a plan, and the file that they are appended to. The file is locked as long as it is open.
type stream struct {
	plan   *Plan
	schema *arrow.Schema
	batch  fstore.Batch // rows that wait
	bytes  int64        // that they take

	file  *os.File // nil: none was begun, or it has failed
	sums  *os.File // see sums.go
	path  string
	begun time.Time
	size  int64 // of what was written whole
	parts int64 // that it consists of
	rows  int64 // in the file

	encoded bytes.Buffer
	encoder *ipc.Writer
}

func newStream(p *Plan) *stream {
	s := &stream{plan: p, schema: schemaOf(p)}
	s.batch = fstore.Batch{Columns: make([]fstore.Column, len(p.fields))}
	for i, f := range p.fields {
		s.batch.Columns[i] = fstore.NewColumn(f.Name, f.Type, 0)
	}
	return s
}

// clear forgets the rows that wait.
func (s *stream) clear() {
	for i := range s.batch.Columns {
		empty(&s.batch.Columns[i])
	}
	s.batch.Len, s.bytes = 0, 0
}

// begin creates the file. A server that starts takes files that nobody has locked for those of dead servers, so it may take this one
// before it is locked. So each try has a name of its own.
func (s *stream) begin(folder string, name func() string, now time.Time) error {
	dir := filepath.Join(folder, filepath.FromSlash(s.plan.folder))
	for try := 0; ; try++ {
		s.path = filepath.Join(dir, name()+streamSuffix)
		err := s.create(dir)
		if err == nil {
			break
		}
		if try == 2 || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) && !errors.Is(err, errTaken) {
			return err
		}
	}
	s.begun, s.size, s.parts, s.rows, s.encoder = now, 0, 0, 0, nil
	return nil
}

var errTaken = errors.New("another server took the file for that of a dead one")

func (s *stream) create(dir string) error {
	if err := os.MkdirAll(dir, privateFolder); err != nil {
		return err
	}
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, privateFile)
	if err != nil {
		return err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil && isAt(f, s.path) {
		if s.sums, err = os.OpenFile(s.path+sumsSuffix, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, privateFile); err == nil {
			s.file = f
			return nil
		}
		return errors.Join(err, f.Close())
	}
	if err == nil || errors.Is(err, syscall.EWOULDBLOCK) {
		err = errTaken
	}
	return errors.Join(err, f.Close())
}

// isAt reports whether a path names an open file.
func isAt(f *os.File, path string) bool {
	named, err := os.Lstat(path)
	if err != nil {
		return false
	}
	open, err := f.Stat()
	return err == nil && os.SameFile(named, open)
}

// follow gives up a file that its path no longer names, and returns how many rows are lost with it.
func (s *stream) follow() (lost int64) {
	if s.file == nil || isAt(s.file, s.path) {
		return 0
	}
	_ = s.end() // nobody can read it
	return s.rows
}

// write appends the rows that wait as one batch, and returns its size. If it cannot be written whole, none of it stays.
func (s *stream) write() (int64, error) {
	s.encoded.Reset()
	if s.encoder == nil {
		s.encoder = ipc.NewWriter(&s.encoded, ipc.WithSchema(s.schema))
	}
	columns := make([]arrow.Array, len(s.batch.Columns))
	for i := range s.batch.Columns {
		columns[i] = arrayOf(&s.batch.Columns[i])
	}
	if err := s.encoder.Write(array.NewRecordBatch(s.schema, columns, int64(s.batch.Len))); err != nil {
		return 0, errors.Join(err, s.end())
	}
	_, err := s.sums.Write(sumOf(s.encoded.Bytes())) // first: see sums.go
	if err == nil {
		_, err = s.file.Write(s.encoded.Bytes())
	}
	if err == nil {
		n := int64(s.encoded.Len())
		s.size, s.parts, s.rows = s.size+n, s.parts+1, s.rows+int64(s.batch.Len)
		return n, nil
	}
	if s.size == 0 { // the schema is not there either
		s.encoder = nil
	}
	if cut := errors.Join(s.file.Truncate(s.size), s.sums.Truncate(s.parts*sumSize)); cut != nil {
		err = errors.Join(err, s.end())
	}
	return 0, err
}

// end closes the file, if there is one.
func (s *stream) end() error {
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.sums.Close(), s.file.Close()) // the stream last: it is locked until then
	s.file, s.sums, s.encoder = nil, nil, nil
	return err
}
