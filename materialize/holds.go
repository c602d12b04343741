package materialize

import (
	"bytes"
	"errors"

	"github.com/fstore-dev/fstore"
)

// Holds returns the number of keys in a generation and the first few of them, from the manifest of the run that its
// header names. known is false if the state folder does not have that run.
func Holds(state string, h fstore.Header, few int) (keys int64, some [][]byte, known bool, err error) {
	dir, err := stateFolder(state, h.View)
	if err != nil {
		return 0, nil, false, err
	}
	read, err := readRuns(dir)
	r := read.runs[h.Run]
	if err != nil || r == nil || !r.isNamedBy(&h) {
		return 0, nil, false, err
	}
	if few == 0 {
		return r.Keys, nil, true, nil
	}
	if err := checkFile(dir, r.Manifest); err != nil {
		if errors.Is(err, fstore.ErrCorrupt) {
			return 0, nil, false, nil
		}
		return 0, nil, false, err
	}
	m, err := openManifest(dir, r.Manifest)
	if err != nil {
		return 0, nil, false, err
	}
	defer m.close()
	for len(some) < few {
		more, err := m.next()
		if err != nil {
			return 0, nil, false, err
		}
		if !more {
			break
		}
		some = append(some, bytes.Clone(m.key))
	}
	return r.Keys, some, true, nil
}

// Lost says which publication of a view version the state folder knows that a store no longer shows: it went back in time.
// store is its Options.Store, and p its pointer. It returns "" if nothing is known to be lost.
func Lost(state, store string, ref fstore.ViewRef, p fstore.Pointer) (string, error) {
	dir, err := stateFolder(state, ref)
	if err != nil {
		return "", err
	}
	read, err := readRuns(dir)
	return read.lost(store, p), err
}
