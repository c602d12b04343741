// Package zone loads time zones from data that fstore embeds. The system's data is never used: it differs between
// machines, and it changes without notice.
package zone

import (
	"archive/zip"
	_ "embed" // the data
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fstore-dev/fstore"
)

// Version is the release of the IANA time zone database that fstore embeds.
const Version = "2025c"

// The archive is the one in the Go distribution, lib/time/zoneinfo.zip. The IANA puts the data into the public domain.
//
//go:embed zoneinfo.zip
var archive string

// Zone is a time zone.
type Zone struct{ location *time.Location }

// UTC is the zone without an offset.
var UTC = &Zone{time.UTC}

var (
	// index has the files of the archive by the names of their zones.
	index = sync.OnceValues(func() (map[string]*zip.File, error) {
		r, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
		if err != nil {
			return nil, err
		}
		files := map[string]*zip.File{}
		for _, f := range r.File {
			if !strings.HasSuffix(f.Name, "/") {
				files[f.Name] = f
			}
		}
		return files, nil
	})
	loaded sync.Map // of *Zone by name; only names of the archive get in
)

// Load returns a zone by its IANA name. An offset such as +05:30, an empty name and Local are not names.
func Load(name string) (*Zone, error) {
	z, err := find(name)
	if z == nil && err == nil {
		return nil, unknown(name)
	}
	return z, err
}

// Known returns a zone as Load does, or nil for an unknown name. It looks for no name to suggest, which takes much longer than
// the rest.
func Known(name string) *Zone {
	z, _ := find(name) // the data is embedded, and a test reads all of it
	return z
}

// find returns nil if there is no zone of the name.
func find(name string) (*Zone, error) {
	if name == "UTC" {
		return UTC, nil
	}
	if z, ok := loaded.Load(name); ok {
		return z.(*Zone), nil
	}
	files, err := index()
	if err != nil || files[name] == nil {
		return nil, err
	}
	data, err := read(files[name])
	if err != nil {
		return nil, err
	}
	location, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		return nil, err
	}
	z := &Zone{location}
	loaded.Store(name, z)
	return z, nil
}

func read(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func unknown(name string) error {
	files, _ := index()
	hint := fstore.DidYouMean(name, slices.Collect(maps.Keys(files)))
	if isAbbreviation(name) {
		hint = "an abbreviation has no daylight saving, or several meanings; write a name of the IANA database, such as Europe/London"
	} else if hint == "" {
		hint = "a name of the IANA database, such as Asia/Kolkata or UTC"
	}
	return fstore.Errorf(fstore.ErrInvalid, "unknown time zone %q", name).WithHint("%s", hint)
}

// isAbbreviation reports whether a name looks like BST or CEST.
func isAbbreviation(name string) bool {
	return (len(name) == 3 || len(name) == 4) && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// Offset returns by how much local time is ahead of UTC at an instant, and the span of instants, from and before, that
// has this offset. All are in microseconds.
func (z *Zone) Offset(us int64) (offset, from, before int64) {
	t := time.UnixMicro(us).In(z.location)
	_, seconds := t.Zone()
	from, before = math.MinInt64, math.MaxInt64
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		from = start.UnixMicro()
	}
	if !end.IsZero() {
		before = end.UnixMicro()
	}
	return int64(seconds) * 1_000_000, from, before
}
