package servedlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// sweep seals the streams that nobody writes, whoever began them, and deletes the files that are beyond the limits.
func (l *Log) sweep(ctx context.Context) {
	begun := l.options.Clock()
	files, err := listFiles(l.options.Path)
	if err != nil {
		l.sweeping.fail(begun, listing, err)
		return
	}
	sealed := false
	for _, f := range files {
		if ctx.Err() != nil {
			return
		}
		removeOrphan(f.path)
		if !strings.HasSuffix(f.path, streamSuffix) {
			continue
		}
		done, err := l.seal(f.path)
		if err != nil {
			l.sweeping.fail(begun, sealing, err, "file", f.path)
		}
		sealed = sealed || done
	}
	if sealed {
		if files, err = listFiles(l.options.Path); err != nil {
			l.sweeping.fail(begun, listing, err)
			return
		}
	}
	l.keep(begun, files)
	l.sweeping.over(begun)
}

// removeOrphan removes a file of sums, or one that was to become a sealed file, whose stream is gone: its server was killed just
// after it had sealed the stream, or somebody removed the stream.
func removeOrphan(path string) {
	stream, ok := strings.CutSuffix(path, sumsSuffix)
	if !ok {
		if stream, ok = strings.CutSuffix(path, sealingSuffix); !ok {
			return
		}
		stream += streamSuffix
	}
	if _, err := os.Lstat(stream); errors.Is(err, fs.ErrNotExist) {
		_ = os.Remove(path)
	}
}

// seal turns a stream into a Parquet file beside it, and reports whether the folder's files have changed. It leaves a stream that a
// server writes. A last part that is not whole is cut. A stream that is damaged elsewhere is sealed without its damaged parts, set
// aside, logged and counted.
func (l *Log) seal(path string) (done bool, err error) {
	f, err := regular.Open(path, regular.AnySize)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		return false, err
	}
	if !isAt(f, path) { // another server has sealed it meanwhile
		return false, nil
	}
	good, damaged, err := intact(f)
	if err != nil {
		return false, err
	}
	rows, err := convert(good, strings.TrimSuffix(path, streamSuffix), everything)
	if err != nil && !errors.Is(err, errDamaged) {
		return false, err
	}
	if !damaged && err == nil {
		return true, errors.Join(os.Remove(path), os.Remove(path+sumsSuffix))
	}
	if err := os.Rename(path, path+damagedSuffix); err != nil {
		return false, err
	}
	l.damaged.Add(1)
	l.options.Logger.Error("a stream of the served log is damaged; what can be read of it was sealed, and the stream set aside",
		"file", path+damagedSuffix, "rows", rows)
	return true, os.Remove(path + sumsSuffix)
}

// everything chooses every list of features.
func everything(*Info) bool { return true }

// errDamaged is of streams that cannot be read.
var errDamaged = errors.New("it is damaged, or no stream of the served log")

// convert writes a stream to base.parquet, unless it has no rows or is not chosen.
func convert(stream io.Reader, base string, chosen func(*Info) bool) (rows int64, err error) {
	var out *os.File
	var to *sealedFile
	defer func() {
		if out != nil && err != nil {
			err = errors.Join(err, out.Close(), os.Remove(base+sealingSuffix))
		}
	}()
	err = readStream(stream, selection{chosen: chosen}, func(p *Plan, b *fstore.Batch) error {
		if out == nil {
			if out, err = os.OpenFile(base+sealingSuffix, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, privateFile); err != nil {
				return err
			}
			if to, err = newSealedFile(out, p); err != nil {
				return err
			}
		}
		rows += int64(b.Len)
		return to.add(b)
	})
	if err != nil || out == nil {
		return 0, err
	}
	if err = errors.Join(to.close(), out.Sync()); err != nil {
		return 0, err
	}
	if err = out.Close(); err == nil {
		err = os.Rename(base+sealingSuffix, base+sealedSuffix)
	}
	if err == nil {
		err = regular.Sync(filepath.Dir(base))
	}
	out = nil
	return rows, err
}

// readStream calls do with every whole batch of a stream; a batch is valid during the call. It returns errDamaged if the stream
// has contents that are none.
func readStream(f io.Reader, s selection, do func(*Plan, *fstore.Batch) error) error {
	var r *ipc.Reader
	var p *Plan
	var needed []bool
	if err := guarded(func() (err error) {
		if r, err = ipc.NewReader(f); err != nil {
			return err
		}
		text, _ := r.Schema().Metadata().GetValue(infoKey)
		if p, needed, err = s.planOf(text); err == nil && !r.Schema().Equal(schemaOf(p)) {
			err = errDamaged
		}
		return err
	}); err != nil {
		if r != nil {
			r.Release()
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case r == nil:
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		return err
	}
	defer r.Release()
	for {
		var b *fstore.Batch
		if err := guarded(func() (err error) {
			b, err = nextBatch(r, p, needed)
			return err
		}); err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		if b == nil {
			return nil
		}
		if s.within != nil && !s.within(b.Columns[atColumn].Int64s) {
			continue
		}
		if err := do(p, b); err != nil {
			return err
		}
	}
}

// nextBatch decodes the needed columns of the next batch of a stream; nil: it ends.
func nextBatch(r *ipc.Reader, p *Plan, needed []bool) (*fstore.Batch, error) {
	if !r.Next() {
		return nil, r.Err()
	}
	rec := r.RecordBatch()
	b := &fstore.Batch{Len: int(rec.NumRows())}
	for i, f := range p.fields {
		c := fstore.NewColumn(f.Name, f.Type, 0)
		if needed[i] {
			var err error
			if c, err = columnOf(f.Name, f.Type, rec.Column(i)); err != nil {
				return nil, err
			}
		}
		b.Columns = append(b.Columns, c)
	}
	return b, nil
}
