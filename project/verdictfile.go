package project

import (
	"encoding/json"

	"github.com/fstore-dev/fstore/offline"
)

// verdictFile is the file of verdicts. Many verdicts are of the same files, so each distinct list of files is in it once.
type verdictFile struct {
	Lists    []json.RawMessage `json:"lists"` // offline.SourceFiles each
	Verdicts []listedVerdict   `json:"verdicts"`
}

type listedVerdict struct {
	keptVerdict
	List int `json:"list"` // index in Lists
}

// encodeVerdicts returns the file of as many verdicts as it has room for, dropping the oldest. The oldest come first.
func encodeVerdicts(all []keptVerdict, most int) ([]byte, error) {
	for {
		text, err := encodeAll(all)
		if err != nil || len(text) <= most {
			return text, err
		}
		all = all[(len(all)+7)/8:] // an eighth of them, the oldest
	}
}

func encodeAll(all []keptVerdict) ([]byte, error) {
	f := verdictFile{Lists: []json.RawMessage{}, Verdicts: []listedVerdict{}}
	lists := map[string]int{}
	for _, k := range all {
		list, err := json.Marshal(k.Files)
		if err != nil {
			return nil, err
		}
		at, ok := lists[string(list)]
		if !ok {
			at = len(f.Lists)
			lists[string(list)], f.Lists = at, append(f.Lists, list)
		}
		f.Verdicts = append(f.Verdicts, listedVerdict{k, at})
	}
	return json.Marshal(f)
}

// decodeVerdicts reads a file of verdicts. A file of another form counts as empty.
func decodeVerdicts(text []byte) []keptVerdict {
	var f verdictFile
	if json.Unmarshal(text, &f) != nil {
		return nil
	}
	lists := make([]offline.SourceFiles, len(f.Lists))
	for i, list := range f.Lists {
		if json.Unmarshal(list, &lists[i]) != nil {
			return nil
		}
	}
	var kept []keptVerdict
	for _, k := range f.Verdicts {
		if k.List < 0 || k.List >= len(lists) || len(lists[k.List]) == 0 {
			continue
		}
		k.Files = lists[k.List]
		kept = append(kept, k.keptVerdict)
	}
	return kept
}
