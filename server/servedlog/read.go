package servedlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// Rows are rows of the log that have all columns in common. They are valid during the call that they are given to.
type Rows struct {
	Info     *Info
	Len      int
	At       []int64         // UTC microseconds
	Request  []string        // ids
	Row      []int64         // of the request
	Statuses [][]byte        // by row, a byte for each feature
	Views    []ViewColumns   // in the order of Info.Views
	Keys     []fstore.Column // in the order of Info.Columns; hashed keys are strings; none without keys
	Inputs   []fstore.Column // in the order of Info.Inputs
	Features []fstore.Column // in the order of Info.Features
}

// ViewColumns say of which publication of a view version each row is.
type ViewColumns struct{ Published, Run, RunAt, InFlight fstore.Column }

// Reader says what Read reads.
type Reader struct {
	Since  time.Time          // rows of earlier instants may be among those that Do gets
	Until  time.Time          // so may rows of later instants; zero: there is no end
	Chosen func(*Info) bool   // lists of features; files of others are not decoded
	Needs  func(*Info) *Needs // what Do reads of rows; nil: all
	Do     func(*Rows) error  // its error ends Read

	// Unreadable gets a file of which rows cannot be read, or whose rows were lost before. The others are read all the same. LostRows
	// says how many rows are lost.
	Unreadable func(path string, err error)
}

// Needs are the columns that are decoded besides At, because of all columns a few are read the fastest. The others are empty.
type Needs struct {
	Features []int // of Info.Features
	Statuses bool
}

// lostError says that rows of a file cannot be read.
type lostError struct {
	rows int64
	err  error
}

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// LostRows returns how many rows of a file an error of Unreadable keeps from being read, and false if nobody knows.
func LostRows(err error) (int64, bool) {
	var lost *lostError
	if errors.As(err, &lost) {
		return lost.rows, true
	}
	return 0, false
}

// reading reads files.
type reading struct {
	Reader
	since, until int64           // microseconds
	read         map[string]bool // folders with files that were read; true: of a list that is chosen
}

// Read reads the files of a log: sealed ones, and what servers have written to streams. Servers may seal streams meanwhile: each row
// is read once.
func Read(folder string, how Reader) error {
	files, err := listFiles(folder)
	if err != nil {
		return err
	}
	r := &reading{Reader: how, since: math.MinInt64, until: math.MaxInt64, read: map[string]bool{}}
	if !how.Since.IsZero() {
		r.since = fstore.Micros(how.Since)
	}
	if !how.Until.IsZero() {
		r.until = fstore.Micros(how.Until)
	}
	seen, held := map[string]bool{}, map[string]bool{} // held: had rows that could be read
	for _, f := range files {
		held[f.base()] = held[f.base()] || strings.HasSuffix(f.path, sealedSuffix) || strings.HasSuffix(f.path, streamSuffix)
	}
	for _, f := range files {
		base := f.base()
		if seen[base] {
			continue
		}
		seen[base] = true
		var ended endedError
		switch err := r.file(base); {
		case errors.As(err, &ended):
			return ended.error
		case errors.Is(err, errRemoved) && !held[base]: // what is left of a damaged stream: see setAside
		case err != nil && !errors.Is(err, errSkip):
			r.Unreadable(f.path, err)
		}
	}
	r.setAside(files)
	return nil
}

// setAside names the damaged streams that were set aside: of lists that are chosen, or in a folder that has no file that says of
// which list it is.
func (r *reading) setAside(files []file) {
	for _, f := range files {
		if chosen, known := r.read[filepath.Dir(f.path)]; strings.HasSuffix(f.path, damagedSuffix) && (chosen || !known) {
			r.Unreadable(f.path, fmt.Errorf("%w: parts of it are lost", errDamaged))
		}
	}
}

// file reads the sealed file of a base, or else its stream. A sealed file is complete once it is there.
func (r *reading) file(base string) error {
	sealed, err := regular.Open(base+sealedSuffix, regular.AnySize)
	if errors.Is(err, fs.ErrNotExist) {
		stream, err := regular.Open(base+streamSuffix, regular.AnySize)
		if err == nil {
			defer stream.Close()
			good, damaged, err := intact(stream)
			if err != nil {
				return err
			}
			if isAt(stream, base+streamSuffix) { // so its sums were there
				if err := readStream(good, r.plan(base), r.do); err != nil || !damaged {
					return err
				}
				return fmt.Errorf("%w: parts of it are lost", errDamaged)
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// It was sealed meanwhile, or deleted.
		if sealed, err = regular.Open(base+sealedSuffix, regular.AnySize); errors.Is(err, fs.ErrNotExist) {
			return errRemoved
		} else if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	defer sealed.Close()
	return readSealed(sealed, r.plan(base), r.do)
}

// errRemoved is of files that were there when the reading began. Servers delete old files (keep, max_bytes).
var errRemoved = errors.New("it was removed while the log was read")

// errSkip ends the reading of a file.
var errSkip = errors.New("the file is not chosen")

// endedError is an error of Do.
type endedError struct{ error }

func (e endedError) Unwrap() error { return e.error }

// plan returns what of a file is decoded.
func (r *reading) plan(base string) selection {
	folder := filepath.Dir(base)
	return selection{
		chosen: func(i *Info) bool {
			chosen := r.Chosen(i)
			r.read[folder] = r.read[folder] || chosen
			return chosen
		},
		needs: r.Needs,
		within: func(at []int64) bool {
			return slices.ContainsFunc(at, func(t int64) bool { return t >= r.since && t <= r.until })
		},
	}
}

func (r *reading) do(p *Plan, b *fstore.Batch) error {
	if err := r.Do(rowsOf(p, b)); err != nil {
		return endedError{err}
	}
	return nil
}

func rowsOf(p *Plan, b *fstore.Batch) *Rows {
	c := b.Columns
	r := &Rows{Info: &p.info, Len: b.Len, At: c[atColumn].Int64s, Row: c[rowColumn].Int64s, Statuses: c[statusesColumn].Bytes}
	if numbers := c[requestColumn].Int64s; len(numbers) > 0 {
		r.Request = make([]string, len(numbers))
		for i, n := range numbers {
			r.Request[i] = p.info.Server + "-" + strconv.FormatInt(n, 10)
		}
	}
	for i := range p.refs {
		of := c[fixedColumns+viewColumns*i:]
		r.Views = append(r.Views, ViewColumns{of[publishedColumn], of[runColumn], of[runAtColumn], of[inFlightColumn]})
	}
	kept := c[p.firstKept():]
	keys := len(p.kept) - len(p.info.Inputs)
	r.Keys, r.Inputs, r.Features = kept[:keys], kept[keys:len(p.kept)], kept[len(p.kept):]
	return r
}

// selection says what of a file is decoded. needs and within may be nil: everything.
type selection struct {
	chosen func(*Info) bool
	needs  func(*Info) *Needs
	within func(at []int64) bool // whether rows are wanted, by their instants
}

// planOf returns the plan of a file by its info, and which of its columns are decoded, or errSkip if the file is not chosen.
func (s *selection) planOf(text string) (*Plan, []bool, error) {
	p := &Plan{}
	if err := json.Unmarshal([]byte(text), &p.info); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if !s.chosen(&p.info) {
		return nil, nil, errSkip
	}
	if p.info.Format != logFormat {
		return nil, nil, fstore.Errorf(fstore.ErrInvalid, "a newer fstore wrote it: format %d", p.info.Format).WithHint("upgrade this fstore")
	}
	p.derive()
	return p, p.needed(s.needsOf(&p.info)), nil
}

func (s *selection) needsOf(i *Info) *Needs {
	if s.needs == nil {
		return nil
	}
	return s.needs(i)
}

// needed says which columns are decoded.
func (p *Plan) needed(n *Needs) []bool {
	out := make([]bool, len(p.fields))
	if n == nil {
		for i := range out {
			out[i] = true
		}
		return out
	}
	out[atColumn], out[statusesColumn] = true, n.Statuses
	for _, feature := range n.Features {
		out[p.firstKept()+len(p.kept)+feature] = true
	}
	return out
}

// guarded turns a panic into an error: libraries that decode damaged files may panic.
func guarded(decode func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return decode()
}
