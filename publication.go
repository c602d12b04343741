package fstore

import "time"

// Publication has the counts of a view version as a run published it.
type Publication struct {
	View      ViewRef   `json:"view"`
	Store     string    `json:"store,omitempty"` // any text that names the online store
	Run       string    `json:"run"`             // that published it; see Pointer
	Number    int64     `json:"number"`          // likewise
	Published time.Time `json:"published"`       // P
	Keys      int64     `json:"keys"`

	// Nulls has the number of keys with a null by feature. Views whose windows end at the clock have none: their nulls come
	// and go without runs.
	Nulls map[string]int64 `json:"nulls,omitempty"`
}
