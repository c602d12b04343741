package materialize

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// The state of a view version is a folder of runs. Each run has up to three files, named by its random id:
//
//	<run>.manifest.parquet   the key and the digest of the record of every key, as the run wants the store
//	<run>.spool              what it writes and deletes to get there; removed once it has published
//	<run>.json               written last: the other two count only with it
//
// A run's files stay until no key of its generation can be in the store, or a later run of the same generation
// has published. Which run the store holds is the header's to say.
//
// Files with other names are not ours, and those of a run whose format is a newer fstore's are that one's: they stay.

// run is what <run>.json says.
type run struct {
	Format      int               `json:"format"`
	Run         string            `json:"run"`
	Store       string            `json:"store,omitempty"` // Options.Store
	View        fstore.ViewRef    `json:"view"`
	Fingerprint string            `json:"fingerprint"`
	Generation  fstore.Generation `json:"generation"`
	Layout      int               `json:"layout,omitempty"` // of the records; see fstore.Pointer
	At          time.Time         `json:"at"`               // P
	Base        string            `json:"base,omitempty"`   // the run whose manifest it is built on; empty: a new generation
	Keys        int64             `json:"keys"`             // in the manifest
	Writes      int64             `json:"writes"`           // in the spool
	Deletes     int64             `json:"deletes"`          // in the spool
	Manifest    fileInfo          `json:"manifest"`
	Spool       fileInfo          `json:"spool"`
	Build       string            `json:"build,omitempty"`  // Options.Build
	Inputs      string            `json:"inputs,omitempty"` // Source.Stamp, before and after the view was computed; empty: not known
	CRC         uint32            `json:"crc,omitempty"`    // see sum; absent where Layout is
}

const (
	stateFormat    = 1
	maxRun         = 1 << 20 // bytes of <run>.json
	runSuffix      = ".json"
	manifestSuffix = ".manifest.parquet"
	spoolSuffix    = ".spool"
)

// sum returns the CRC-32C of all other fields.
func (r run) sum() uint32 {
	r.CRC = 0
	b, err := json.Marshal(r)
	if err != nil { // a year beyond 9999: no run publishes that
		return 0
	}
	return crc32.Checksum(b, castagnoli)
}

// of reports whether the run is the one a header names.
func (r *run) of(h *fstore.Header) bool {
	return r.Run == h.Run && r.Generation == h.Generation && r.Fingerprint == h.Fingerprint && r.View == h.View
}

// state is the folder of one view version.
type state struct {
	dir string
	runsRead
	junk []string // files that dead runs left unfinished
}

// runsRead are what a folder describes, by id.
type runsRead struct {
	runs  map[string]*run
	newer map[string]int // the formats of runs that a newer fstore made
}

// stateFolder returns the folder of a view version in the project's state. The error is ErrInvalid for a version whose
// name is not a name: it came out of a registry or a store, and as a path it could lead out of the state.
func stateFolder(state string, ref fstore.ViewRef) (string, error) {
	if err := fstore.CheckName(ref.Name); err != nil {
		return "", fmt.Errorf("state of %q: %w", ref, err)
	}
	return filepath.Join(state, ref.String()), nil
}

// openState reads the folder, making it where it is missing.
func openState(dir string) (*state, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	s := &state{dir: dir, runsRead: runsIn(dir, entries)}
	for _, e := range entries {
		id, tmp, ours := runOfFile(e.Name())
		if ours && e.Type().IsRegular() && s.newer[id] == 0 && (s.runs[id] == nil || tmp) {
			s.junk = append(s.junk, e.Name())
		}
	}
	return s, nil
}

// runOfFile returns the id of the run that a file belongs to by its name, and whether it is not finished; false for a
// name that no run gives.
func runOfFile(name string) (id string, tmp, ok bool) {
	name, tmp = strings.CutSuffix(name, tmpSuffix)
	for _, suffix := range []string{runSuffix, manifestSuffix, spoolSuffix} {
		if id, ok = strings.CutSuffix(name, suffix); ok {
			return id, tmp, id != ""
		}
	}
	return "", false, false
}

// readRuns returns the runs that a folder describes; none where there is no folder.
func readRuns(dir string) (runsRead, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return runsRead{}, nil
	}
	return runsIn(dir, entries), err
}

func runsIn(dir string, entries []fs.DirEntry) runsRead {
	read := runsRead{map[string]*run{}, map[string]int{}}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), runSuffix); ok {
			switch r, format := readRun(filepath.Join(dir, e.Name()), id); {
			case r != nil:
				read.runs[id] = r
			case format > stateFormat:
				read.newer[id] = format
			}
		}
	}
	return read
}

// removeJunk removes what was found unfinished. If the lease was held after the folder was read, that belongs to dead
// runs, however late this comes: the names are random.
func (s *state) removeJunk() error {
	for _, name := range s.junk {
		if err := removeFile(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	s.junk = nil
	return nil
}

// readRun returns nil for what cannot be read: a run that is not known is a state that is lost, which is safe. It also
// returns the format that the file states, 0 where there is none: what else a newer one says cannot be known.
func readRun(path, id string) (*run, int) {
	b, err := regular.Read(path, maxRun)
	if err != nil {
		return nil, 0
	}
	var head struct {
		Format int `json:"format"`
	}
	if json.Unmarshal(b, &head) != nil || head.Format != stateFormat {
		return nil, head.Format
	}
	var r run
	if json.Unmarshal(b, &r) != nil || r.Run != id || r.Manifest.Name != id+manifestSuffix || r.Spool.Name != id+spoolSuffix ||
		(r.Layout > 0 || r.CRC > 0) && r.CRC != r.sum() {
		return nil, head.Format
	}
	return &r, head.Format
}

// add makes a run durable whose files are.
func (s *state) add(r *run) error {
	if err := syncDir(s.dir); err != nil {
		return err
	}
	r.CRC = r.sum()
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	f, err := createFile(s.dir, r.Run+runSuffix)
	if err != nil {
		return err
	}
	defer f.abort()
	if _, err := f.Write(append(b, '\n')); err != nil {
		return err
	}
	if _, err := f.commit(); err != nil {
		return err
	}
	s.runs[r.Run] = r
	return syncDir(s.dir)
}

// same notes of a run that another one, which comes to nothing, has computed the same from other inputs.
func (s *state) same(held, computed *run) error {
	if computed.Inputs == "" || held.Inputs == computed.Inputs && held.Build == computed.Build {
		return nil
	}
	held.Inputs, held.Build = computed.Inputs, computed.Build
	return s.add(held)
}

// leftovers reports whether the folder has files that clean or removeJunk would remove, beside whole earlier runs.
func (s *state) leftovers() bool {
	if len(s.junk) > 0 {
		return true
	}
	for _, r := range s.runs {
		if _, err := os.Lstat(filepath.Join(s.dir, r.Spool.Name)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// remove forgets a run: its description first, so that nothing half-removed is ever believed.
func (s *state) remove(r *run) error {
	for _, suffix := range []string{runSuffix, manifestSuffix, spoolSuffix} {
		if err := removeFile(filepath.Join(s.dir, r.Run+suffix)); err != nil {
			return err
		}
	}
	delete(s.runs, r.Run)
	return nil
}

// removeSpool drops what a published run does not need any more.
func (s *state) removeSpool(r *run) error { return removeFile(filepath.Join(s.dir, r.Spool.Name)) }

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// generations returns the generations the state knows.
func (s *state) generations() map[fstore.Generation][]*run {
	out := map[fstore.Generation][]*run{}
	for _, r := range s.runs {
		out[r.Generation] = append(out[r.Generation], r)
	}
	return out
}

// intact reports whether a run's manifest, and if asked for its spool, are as they were written.
func (s *state) intact(r *run, spool bool) (bool, error) {
	files := []fileInfo{r.Manifest}
	if spool {
		files = append(files, r.Spool)
	}
	for _, f := range files {
		if err := checkFile(s.dir, f); errors.Is(err, fstore.ErrCorrupt) {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	return true, nil
}
