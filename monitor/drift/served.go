package drift

import "github.com/fstore-dev/fstore"

// ServedLog says which rows of a served log are compared.
type ServedLog struct {
	Lists   []ServedList   `json:"lists"`   // those that rows were answered with
	Samples []ServedSample `json:"samples"` // of the answers that the log has

	// Versions are the other versions of the reference's views that rows were answered with.
	Versions []ServedVersion `json:"other_versions,omitempty"`

	UnreadableFiles int64        `json:"unreadable_files"`     // of which rows are lost
	LostRows        int64        `json:"lost_rows"`            // in those of these files that say how many they have
	Unreadable      []ServedFile `json:"unreadable,omitempty"` // the first of these files
}

// ServedList is a list of features that rows were answered with.
type ServedList struct {
	Service string `json:"service,omitempty"` // with its version
	Model   string `json:"model,omitempty"`   // with its version
	Rows    int64  `json:"rows"`
}

// ServedSample is how the log samples.
type ServedSample struct {
	Share float64 `json:"share,omitempty"` // of the answers, 0 to 1; absent: the log does not say
	By    string  `json:"by,omitempty"`    // request or key
	Rows  int64   `json:"rows"`
}

// ServedVersion is a version of a view that the reference has in another version.
type ServedVersion struct {
	View     fstore.ViewRef `json:"view"`
	Rows     int64          `json:"rows"`
	Compared bool           `json:"compared"`
}

// ServedFile is a file of the log of which rows are lost.
type ServedFile struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// LookUps says for how many rows the look-up of a feature found no fresh value. What these rows were answered, null or the feature's
// default, is compared like any other value.
type LookUps struct {
	NotFound      int64 `json:"not_found"`       // rows of keys without a value
	OutsideMaxAge int64 `json:"outside_max_age"` // rows of which the newest value was too old
}

// Status says what a look-up of a feature found.
type Status byte

// The statuses that matter.
const (
	Found Status = iota
	NotFound
	OutsideMaxAge
)

// AddLookUps counts what the look-ups of the rows of the last batch found: of a row and a column, by its index in names.
func (c *Counter) AddLookUps(names []string, rows int, found func(row, name int) Status) {
	for i, name := range names {
		for _, of := range c.columns {
			if of.Name == name {
				of.addLookUps(c, rows, func(row int) Status { return found(row, i) })
			}
		}
	}
}

func (c *column) addLookUps(of *Counter, rows int, found func(row int) Status) {
	for len(c.lookUps) < len(c.counts) {
		c.lookUps = append(c.lookUps, LookUps{})
	}
	for row := range rows {
		window := int32(0)
		if of.by != Whole {
			window = of.window[row]
		}
		if window < 0 {
			continue
		}
		switch found(row) {
		case NotFound:
			c.lookUps[window].NotFound++
		case OutsideMaxAge:
			c.lookUps[window].OutsideMaxAge++
		case Found: // is not counted
		}
	}
}

// lookUpsOf returns the look-ups of a window; nil: nobody counted any.
func (c *column) lookUpsOf(window int) *LookUps {
	if c.lookUps == nil {
		return nil
	}
	if window >= len(c.lookUps) { // no row of it has the column
		return &LookUps{}
	}
	return &c.lookUps[window]
}

// allLookUps returns the look-ups of all rows; nil: nobody counted any.
func (c *column) allLookUps() *LookUps {
	if c.lookUps == nil {
		return nil
	}
	all := &LookUps{}
	for _, l := range c.lookUps {
		all.NotFound, all.OutsideMaxAge = all.NotFound+l.NotFound, all.OutsideMaxAge+l.OutsideMaxAge
	}
	return all
}
