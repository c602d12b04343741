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

// sweep seals the streams that nobody writes, whoever began them, and deletes the sealed files that are beyond the limits.
func (l *Log) sweep(ctx context.Context) {
	files, err := listFiles(l.options.Path)
	if err != nil {
		l.options.Logger.Warn("the folder of the served log cannot be read", "error", err)
		return
	}
	sealed := false
	for _, f := range files {
		if ctx.Err() != nil {
			return
		}
		if stream, ok := strings.CutSuffix(f.path, sumsSuffix); ok {
			if _, err := os.Lstat(stream); errors.Is(err, fs.ErrNotExist) { // it was sealed, and its server killed meanwhile
				_ = os.Remove(f.path)
			}
		}
		if !strings.HasSuffix(f.path, streamSuffix) {
			continue
		}
		done, err := seal(f.path)
		if err != nil {
			l.options.Logger.Error("a stream of the served log cannot be sealed", "file", f.path, "error", err)
		}
		sealed = sealed || done
	}
	if sealed {
		if files, err = listFiles(l.options.Path); err != nil {
			return
		}
	}
	l.keep(files)
}

// seal turns a stream into a Parquet file beside it, and reports whether it did. It leaves a stream that a server writes. What
// follows the last whole batch is cut. A stream without one is set aside.
func seal(path string) (done bool, err error) {
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
	size, err := intact(f)
	if err != nil {
		return false, err
	}
	if info, err := f.Stat(); err == nil && size == 0 && info.Size() > 0 {
		l := fmt.Errorf("%w: it is renamed to %s", errDamaged, filepath.Base(path)+damagedSuffix)
		return false, errors.Join(l, os.Rename(path, path+damagedSuffix), os.Remove(path+sumsSuffix))
	}
	rows, err := convert(io.NewSectionReader(f, 0, size), strings.TrimSuffix(path, streamSuffix))
	if err != nil {
		return false, err
	}
	return rows > 0, errors.Join(os.Remove(path), os.Remove(path+sumsSuffix))
}

// errDamaged is of streams that cannot be read.
var errDamaged = errors.New("it is damaged, or no stream of the served log")

// convert writes a stream to base.parquet, unless it has no rows.
func convert(stream io.Reader, base string) (rows int64, err error) {
	var out *os.File
	var to *sealedFile
	defer func() {
		if out != nil && err != nil {
			err = errors.Join(err, out.Close(), os.Remove(base+sealingSuffix))
		}
	}()
	err = readStream(stream, func(p *Plan, b *fstore.Batch) error {
		if out == nil {
			if out, err = os.OpenFile(base+sealingSuffix, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, privateFile); err != nil {
				return err
			}
			to = newSealedFile(out, p)
		}
		rows += int64(b.Len)
		return to.add(b)
	})
	if err != nil || out == nil {
		return 0, err
	}
	if err = errors.Join(to.to.Close(), out.Sync()); err != nil {
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
func readStream(f io.Reader, do func(*Plan, *fstore.Batch) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	r, err := ipc.NewReader(f)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	defer r.Release()
	text, ok := r.Schema().Metadata().GetValue(infoKey)
	if !ok {
		return errDamaged
	}
	p, err := planOf(text)
	if err != nil {
		return err
	}
	if !r.Schema().Equal(schemaOf(p)) {
		return errDamaged
	}
	for r.Next() {
		rec := r.RecordBatch()
		b := fstore.Batch{Len: int(rec.NumRows())}
		for i, f := range p.fields {
			c, err := columnOf(f.Name, f.Type, rec.Column(i))
			if err != nil {
				return fmt.Errorf("%w: %w", errDamaged, err)
			}
			b.Columns = append(b.Columns, c)
		}
		if err := do(p, &b); err != nil {
			return err
		}
	}
	return nil // what follows the last whole batch was not written whole
}
