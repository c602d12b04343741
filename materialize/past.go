package materialize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// A run's files go once a later run has published, but what it served may still be asked about. So publications.past in the state
// folder of a view version keeps what earlier runs were computed from: a line for each, its CRC-32C in hexadecimal and JSON. Lines are
// appended. A line that a crash has cut, or that is damaged, is skipped.

const (
	pastFile   = "publications.past"
	keptPast   = 1000     // runs of each store
	spare      = 256      // lines that may be too many before the file is rewritten
	maxPast    = 32 << 20 // bytes of the file
	maxPastRun = 1 << 20  // bytes of a line: a run whose line is longer is not kept
	sumDigits  = 8        // of a line's checksum
	lineEnd    = byte('\n')
)

// pastRun is the JSON of a line.
type pastRun struct {
	Run    string    `json:"run"`
	Store  string    `json:"store,omitempty"`
	At     time.Time `json:"at"`
	Inputs string    `json:"inputs,omitempty"`
	Build  string    `json:"build,omitempty"`
}

func (p *pastRun) line() ([]byte, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%0*x %s\n", sumDigits, crc32.Checksum(text, castagnoli), text), nil
}

// same reports whether two lines say the same of one run.
func (p *pastRun) same(o pastRun) bool {
	return p.Run == o.Run && p.Inputs == o.Inputs && p.Build == o.Build
}

// readPast returns the runs in a folder's file of past publications, in the order in which they were written, and whether its last
// line was cut.
func readPast(dir string) (past []pastRun, torn bool, err error) {
	all, err := regular.Read(filepath.Join(dir, pastFile), maxPast)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	for line := range bytes.Lines(all) {
		sum, text, _ := bytes.Cut(bytes.TrimSuffix(line, []byte{lineEnd}), []byte(" "))
		want, err := strconv.ParseUint(string(sum), 16, 32)
		var p pastRun
		if err == nil && uint32(want) == crc32.Checksum(text, castagnoli) && json.Unmarshal(text, &p) == nil {
			past = append(past, p)
		}
	}
	return past, len(all) > 0 && all[len(all)-1] != lineEnd, nil
}

// remember keeps what a run was computed from, durably, before its files are removed.
func (s *state) remember(r *run) error {
	p := pastRun{r.Run, r.Store, r.At, r.Inputs, r.Build}
	line, err := p.line()
	if err != nil || r.Inputs == "" {
		return err
	}
	if len(line) > maxPastRun {
		return fstore.Errorf(fstore.ErrInvalid, "it takes %d bytes; at most %d are kept of a run", len(line), maxPastRun)
	}
	past, torn, err := readPast(s.dir)
	switch {
	case err != nil && !errors.Is(err, fstore.ErrInvalid):
		return err
	case err != nil || tooMany(past) || s.pastSize()+int64(len(line)) >= maxPast: // it cannot be used, or has grown too large
		return s.rewritePast(append(past, p))
	case slices.ContainsFunc(past, p.same): // an earlier attempt was stopped before it removed the run
		return nil
	}
	if torn {
		line = append([]byte{lineEnd}, line...)
	}
	f, err := os.OpenFile(filepath.Join(s.dir, pastFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	return errors.Join(err, f.Sync(), f.Close(), regular.Sync(s.dir))
}

// tooMany reports whether any store has more runs than are kept, and some to spare.
func tooMany(past []pastRun) bool {
	of := map[string]int{}
	for i := range past {
		if of[past[i].Store]++; of[past[i].Store] >= keptPast+spare {
			return true
		}
	}
	return false
}

// pastSize returns the size of the file.
func (s *state) pastSize() int64 {
	info, err := os.Stat(filepath.Join(s.dir, pastFile))
	if err != nil {
		return 0
	}
	return info.Size()
}

// lastOf returns the last runs, as many as take at most half of what the file may.
func lastOf(past []pastRun) []pastRun {
	size := 0
	for i := len(past) - 1; i >= 0; i-- {
		line, _ := past[i].line() // its error is that of writing it
		if size += len(line); size > maxPast/2 {
			return past[i+1:]
		}
	}
	return past
}

// rewritePast replaces the file by one with the last runs of each store.
func (s *state) rewritePast(past []pastRun) error {
	past = lastOf(past)
	of := map[string]int{}
	for i := range past {
		of[past[i].Store]++
	}
	f, err := createFile(s.dir, pastFile)
	if err != nil {
		return err
	}
	defer f.abort()
	for i := range past {
		if of[past[i].Store]--; of[past[i].Store] >= keptPast {
			continue
		}
		line, err := past[i].line()
		if err == nil {
			_, err = f.Write(line)
		}
		if err != nil {
			return err
		}
	}
	if _, err := f.commit(); err != nil {
		return err
	}
	return regular.Sync(s.dir)
}

// forget removes a run from state, and keeps what it was computed from. If that cannot be kept, the run is removed all the same: a full
// disk needs the space.
func (j *job) forget(r *run) error {
	if err := j.state.remember(r); err != nil {
		j.warn(fmt.Sprintf("what run %s was computed from is no longer known, so fstore skew cannot explain what it served: %v", r.Run, err))
	}
	return j.state.remove(r)
}
