package online

import "github.com/fstore-dev/fstore"

// MostBytes returns how many bytes the record of one key of a view version has at most, or nil where a value has no fixed
// width.
func MostBytes(v *fstore.ViewVersion) *int64 {
	l := newLayout(v)
	if l.vars > 0 {
		return nil
	}
	n := int64(l.table + checksumSize)
	return &n
}
