package offline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fstore-dev/fstore"
)

// CutDigest sums up the rows of a view that were computed from the rows visible at an instant. It holds as long as no
// other row is visible then: files that come later do not change it unless they hold such a row.
type CutDigest struct {
	At     time.Time `json:"at"`
	Digest string    `json:"digest"`
}

// findKnown keeps those digests of an earlier check that still hold.
func (c *causality) findKnown(ctx context.Context) error {
	c.known = map[int64]string{}
	if len(c.req.Known) == 0 {
		return nil
	}
	first, err := c.firstAdded(ctx)
	if err != nil {
		return err
	}
	for _, k := range c.req.Known {
		if first == nil || k.At.Before(*first) {
			c.known[fstore.Micros(k.At)] = k.Digest
		}
	}
	return nil
}

// firstAdded returns the instant from which a row of the added files is visible; nil if none ever is. The rows of static
// tables always are.
func (c *causality) firstAdded(ctx context.Context) (*time.Time, error) {
	var queries []string
	for i := range c.v.Sources {
		src, err := c.source(ctx, &c.v.Sources[i])
		if err != nil {
			return nil, err
		}
		added := src.only(c.req.Added)
		switch {
		case len(added.files) == 0:
		case src.def.Static():
			return &time.Time{}, nil
		default:
			from, err := c.sourceTimes(added)
			if err != nil {
				return nil, fmt.Errorf("source %s: %w", src.def.Name, err)
			}
			queries = append(queries, from...)
		}
	}
	if len(queries) == 0 {
		return nil, nil
	}
	b, err := c.query(ctx, "SELECT min(visible)\nFROM (\n"+strings.Join(queries, "\nUNION ALL\n")+"\n)")
	if err != nil {
		return nil, c.locate(ctx, err)
	}
	if b.Columns[0].IsNull(0) {
		return nil, nil
	}
	first := fstore.FromMicros(b.Columns[0].Int64s[0])
	return &first, nil
}

// only returns the source as if it had only certain of its files.
func (src *source) only(files []string) *source {
	out := *src
	out.files, out.shapes, out.folders = nil, nil, nil
	for i, file := range src.files {
		if !slices.Contains(files, file) {
			continue
		}
		out.files, out.shapes = append(out.files, file), append(out.shapes, src.shapes[i])
		if src.folders != nil {
			out.folders = append(out.folders, src.folders[i])
		}
	}
	return &out
}
