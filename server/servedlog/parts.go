package servedlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// Part is a sealed file of the log, or a copy of what a stream holds as such a file.
type Part struct {
	Name string // path of the sealed file; of a stream, the path that it will have
	Path string // the file to read
	Info *Info
	Rows int64
}

// Parts returns the files of a log as sealed files, the oldest first. Of a stream that a server still writes, it makes a copy in the
// folder copies. It calls unreadable for a file that it cannot read, or whose rows were lost in part; the rest is returned all the same.
func Parts(folder, copies string, chosen func(*Info) bool, unreadable func(path string, err error)) ([]Part, error) {
	files, err := listFiles(folder)
	if err != nil {
		return nil, err
	}
	var out []Part
	seen := map[string]bool{}
	r := &reading{Reader: Reader{Chosen: chosen, Unreadable: unreadable}, read: map[string]bool{}}
	for _, f := range files {
		base := f.base()
		if seen[base] {
			continue
		}
		seen[base] = true
		p, err := partOf(base, filepath.Join(copies, fmt.Sprint("stream-", len(seen))), r.plan(base).chosen)
		if p != nil {
			out = append(out, *p)
		}
		if err != nil && !errors.Is(err, errSkip) {
			unreadable(f.path, err)
		}
	}
	r.setAside(files)
	return out, nil
}

// partOf returns the part of a base, or nil if it has no rows. copied is the base of the copy of a stream. Of a stream that has lost
// rows, it returns the part and an error.
func partOf(base, copied string, chosen func(*Info) bool) (*Part, error) {
	p, err := sealedPart(base+sealedSuffix, chosen)
	if !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	rows, damaged, err := copyStream(base, copied, chosen)
	switch {
	case errors.Is(err, fs.ErrNotExist): // it was sealed meanwhile, or deleted
		if p, err = sealedPart(base+sealedSuffix, chosen); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return p, err
	case err != nil:
		return nil, err
	}
	p = nil
	if rows > 0 {
		if p, err = sealedPart(copied+sealedSuffix, chosen); err != nil {
			return nil, err
		}
		p.Name = base + sealedSuffix
	}
	if damaged {
		return p, fmt.Errorf("%w: parts of it are lost", errDamaged)
	}
	return p, nil
}

// copyStream writes the whole batches of a stream to a sealed file, and returns its rows, and whether others are lost.
func copyStream(base, copied string, chosen func(*Info) bool) (rows int64, damaged bool, err error) {
	stream, err := regular.Open(base+streamSuffix, regular.AnySize)
	if err != nil {
		return 0, false, err
	}
	defer stream.Close()
	good, damaged, err := intact(stream)
	if err != nil {
		return 0, false, err
	}
	if !isAt(stream, base+streamSuffix) { // its sums may have been gone
		return 0, false, fs.ErrNotExist
	}
	rows, err = convert(good, copied, chosen)
	return rows, damaged, err
}

// sealedPart reads what a sealed file says of its rows.
func sealedPart(path string, chosen func(*Info) bool) (part *Part, err error) {
	f, err := regular.Open(path, regular.AnySize)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = guarded(func() error {
		file, p, _, err := openSealed(f, selection{chosen: chosen})
		if err == nil {
			part = &Part{Name: path, Path: path, Info: &p.info, Rows: file.NumRows()}
		}
		return err
	})
	return part, err
}

// openSealed reads the footer of a sealed file, and returns which columns of the plan to decode.
func openSealed(f *os.File, s selection) (*parquet.File, *Plan, []bool, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, nil, err
	}
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	text, _ := file.Lookup(infoKey)
	p, needed, err := s.planOf(text)
	return file, p, needed, err
}

// Kept returns the columns of requests that files have: the names that callers know, and those that the columns have.
func (i *Info) Kept() (fields []fstore.Field, columns []string) {
	p := Plan{info: *i}
	p.derive()
	for _, f := range p.kept {
		columns = append(columns, p.columnName(f.Name))
	}
	return p.kept, columns
}
