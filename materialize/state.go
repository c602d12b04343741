package materialize

import (
	"cmp"
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
//	<run>.manifest.parquet   the key and the record's digest of every key that the store has after the run
//	<run>.spool              what the run writes and deletes; removed once it has published
//	<run>.json               written last: the other two count only with it
//
// A run's files stay until no key of its generation can be in the store, or a later run of the same generation has
// published. The header in the store says which run the store holds.
//
// Files with other names are not ours and stay. So do those of a run in the format of a newer fstore.

// run is the content of <run>.json.
type run struct {
	Format      int               `json:"format"`
	Run         string            `json:"run"`
	Store       string            `json:"store,omitempty"` // Options.Store
	View        fstore.ViewRef    `json:"view"`
	Fingerprint string            `json:"fingerprint"`
	Generation  fstore.Generation `json:"generation"`
	Layout      int               `json:"layout,omitempty"`   // of the records; see fstore.Pointer
	At          time.Time         `json:"at"`                 // P
	Base        string            `json:"base,omitempty"`     // the run whose manifest this one extends; empty: a new generation
	Number      int64             `json:"number,omitempty"`   // of its publication; see fstore.Pointer
	Keys        int64             `json:"keys"`               // in the manifest
	Writes      int64             `json:"writes"`             // in the spool
	Deletes     int64             `json:"deletes"`            // in the spool
	MaxEvent    time.Time         `json:"max_event,omitzero"` // see fstore.Pointer
	Manifest    fileInfo          `json:"manifest"`
	Spool       fileInfo          `json:"spool"`
	Build       string            `json:"build,omitempty"`  // Options.Build
	Inputs      string            `json:"inputs,omitempty"` // Source.Stamp, equal before and after the view was computed; empty: unknown
	Rules       string            `json:"rules,omitempty"`  // Options.rules, under which no inspector objected; empty: an older fstore asked none
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
	if err != nil { // a year beyond 9999, which no run publishes
		return 0
	}
	return crc32.Checksum(b, castagnoli)
}

// isNamedBy reports whether the header names the run.
func (r *run) isNamedBy(h *fstore.Header) bool {
	return r.Run == h.Run && r.Generation == h.Generation && r.Fingerprint == h.Fingerprint && r.View == h.View
}

// state is the folder of one view version.
type state struct {
	dir string
	runsRead
	junk []string // unfinished files of dead runs
}

// runsRead are the runs in a folder, by id.
type runsRead struct {
	runs      map[string]*run
	newer     map[string]int  // the formats of runs made by a newer fstore
	published map[string]bool // the runs whose spool is gone
}

// stateFolder returns the folder of a view version in the project's state. It returns ErrInvalid if the version's
// name is not a valid name: the name came from a registry or a store, and its path could lead out of the state
// folder.
func stateFolder(state string, ref fstore.ViewRef) (string, error) {
	if err := fstore.CheckName(ref.Name); err != nil {
		return "", fmt.Errorf("state of %q: %w", ref, err)
	}
	return filepath.Join(state, ref.String()), nil
}

// openState reads the folder, and creates it if it is missing.
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

// runOfFile returns the id of the run that a file belongs to, and whether the file is unfinished. It returns false
// for a name that no run uses.
func runOfFile(name string) (id string, tmp, ok bool) {
	name, tmp = strings.CutSuffix(name, tmpSuffix)
	for _, suffix := range []string{runSuffix, manifestSuffix, spoolSuffix} {
		if id, ok = strings.CutSuffix(name, suffix); ok {
			return id, tmp, id != ""
		}
	}
	return "", false, false
}

// readRuns returns the runs in a folder, or none if there is no folder.
func readRuns(dir string) (runsRead, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return runsRead{}, nil
	}
	return runsIn(dir, entries), err
}

// runsOf returns the runs in the state folder of a view version, and the folder.
func runsOf(state string, ref fstore.ViewRef) (string, runsRead, error) {
	dir, err := stateFolder(state, ref)
	if err != nil {
		return "", runsRead{}, err
	}
	read, err := readRuns(dir)
	return dir, read, err
}

func runsIn(dir string, entries []fs.DirEntry) runsRead {
	read := runsRead{map[string]*run{}, map[string]int{}, map[string]bool{}}
	spools := map[string]bool{}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), spoolSuffix); ok {
			spools[id] = true
		}
	}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), runSuffix); ok {
			switch r, format := readRun(filepath.Join(dir, e.Name()), id); {
			case r != nil:
				read.runs[id], read.published[id] = r, !spools[id]
			case format > stateFormat:
				read.newer[id] = format
			}
		}
	}
	return read
}

// removeJunk removes the unfinished files that openState found. If the lease was held after the folder was read, they
// belong to dead runs, however late this comes: their names are random.
func (s *state) removeJunk() error {
	for _, name := range s.junk {
		if err := removeFile(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	s.junk = nil
	return nil
}

// readRun returns nil for a run that cannot be read. That is safe: it is treated as lost state. It also returns the
// format that the file states, or 0: nothing else that a newer fstore writes can be interpreted.
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

// add makes a run durable after its files.
func (s *state) add(r *run) error {
	if err := regular.Sync(s.dir); err != nil {
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
	return regular.Sync(s.dir)
}

// recordInputs records that a discarded run computed the recordInputs as held, from other inputs.
func (s *state) recordInputs(held, computed *run) error {
	if computed.Inputs == "" || held.Inputs == computed.Inputs && held.Build == computed.Build {
		return nil
	}
	held.Inputs, held.Build = computed.Inputs, computed.Build
	return s.add(held)
}

// leftovers reports whether the folder has files that clean or removeJunk would remove, or complete earlier runs.
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

// remove deletes a run, its description first, so that nothing half removed counts.
func (s *state) remove(r *run) error {
	for _, suffix := range []string{runSuffix, manifestSuffix, spoolSuffix} {
		if err := removeFile(filepath.Join(s.dir, r.Run+suffix)); err != nil {
			return err
		}
	}
	delete(s.runs, r.Run)
	return nil
}

// removeSpool deletes what a published run no longer needs.
func (s *state) removeSpool(r *run) error { return removeFile(filepath.Join(s.dir, r.Spool.Name)) }

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// lost says which publication the runs in a folder know that a store with a pointer no longer shows: the store went back in
// time. It returns "" if they know of none. A run whose spool is gone was published.
func (r *runsRead) lost(store string, p fstore.Pointer) string {
	var last *run
	for id, run := range r.runs {
		if r.published[id] && (run.Store == "" || run.Store == store) && p.Number > 0 && run.Number > p.Number && (last == nil || run.Number > last.Number) {
			last = run
		}
	}
	if last == nil {
		return ""
	}
	return fmt.Sprintf("the store went back in time: it shows publication %d, of %s, and has lost number %d, of %s",
		p.Number, fstore.FormatTime(p.Published), last.Number, fstore.FormatTime(last.At))
}

// last returns the published run that is latest by its instant and its number; nil if there is none.
func (r *runsRead) last() (last *run) {
	for id, run := range r.runs {
		if r.published[id] && (last == nil || cmp.Or(run.At.Compare(last.At), cmp.Compare(run.Number, last.Number), cmp.Compare(run.Run, last.Run)) > 0) {
			last = run
		}
	}
	return last
}

// generations returns the runs in state by generation.
func (s *state) generations() map[fstore.Generation][]*run {
	out := map[fstore.Generation][]*run{}
	for _, r := range s.runs {
		out[r.Generation] = append(out[r.Generation], r)
	}
	return out
}

// intact reports whether a run's manifest, and its spool if requested, are unchanged.
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
