package online

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"slices"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/window"
)

// The record codec. A record holds one key's values of one view version, features in name order:
//
//	0       version of the codec: fstore.RecordLayout
//	1       flags: 1 = there is an event time, 2 = the offset table is wide
//	2       id of the layout, 2 bytes: a hash of the features' names and types, so that a record written for another
//	        definition is an error and never yields wrong values
//	4       event time, int64 microseconds; absent in a static view and in a windowed one with a schedule
//	…       validity, a bit per feature: 1 = not null
//	…       the fixed-width features, each at an offset that follows from the view version; 0 if null
//	…       offset table: the end of each other feature, relative to the table's end; 2 bytes each, 4 if wide
//	…       the values of those features: strings and bytes as they are; lists of fixed-width elements back to back;
//	        lists of strings and bytes with each element's length as a uvarint before it
//	…       checksum, 4 bytes: see checksum.go
//
// A sawtooth view has, in place of its features, a value of bytes for each group of features that share their tiles (package
// window), and the event time of the key's newest row.
//
// Records of layout 0 were written before there were checksums. They have version 1 and no checksum, and are
// otherwise the same. They are served until the next run replaces their generation.
//
// All numbers are little-endian. Any feature can be read without reading the others.
const (
	versionBeforeChecksums = 1

	flagEvent = 1
	flagWide  = 2

	recordHead = 4
)

var le = binary.LittleEndian

// layout says where the features of a view version are in its records.
type layout struct {
	ref      fstore.ViewRef
	keys     []fstore.Field
	fields   []field       // of a record, in name order
	features []field       // that look-ups may ask for: fields, but for a sawtooth view
	tiles    []tiles       // of a sawtooth view: what fields hold
	spans    []window.Span // of tiles
	id       uint16
	event    bool // records have an event time, at recordHead
	windowed bool // the event time of an answer is the instant of the publication
	nulls    int  // offset of the validity bits
	table    int  // offset of the offset table, after the fixed-width features
	vars     int  // number of entries of the table
}

// field is one feature in a layout.
type field struct {
	name  string
	typ   fstore.Type
	width int // 0: no fixed width
	at    int // offset of a fixed-width value, or index into the offset table
	byteN int // offset of the byte with the validity bit
	bit   byte
	tile  *window.TileField // of a sawtooth view: at, byteN and bit are in an entry of tiles
	tiles int               // of a sawtooth view: index into layout.tiles
}

// tiles is a group of features of a sawtooth view in a layout.
type tiles struct {
	*window.Tiles
	field *field // that holds the tiles
}

func newLayout(v *fstore.ViewVersion) *layout {
	sawtooth := v.View.Sawtooth()
	l := &layout{ref: v.Ref, keys: v.View.Keys, event: !v.View.Static() && (!v.View.Windowed() || sawtooth), windowed: v.View.Windowed() && !sawtooth, nulls: recordHead}
	if l.event {
		l.nulls += 8
	}
	features := v.View.Record()
	l.table = l.nulls + (len(features)+7)/8
	id := fnv.New32a()
	for i, f := range features {
		fd := field{name: f.Name, typ: f.Type, byteN: l.nulls + i/8, bit: 1 << (i % 8)}
		if !f.Type.IsList() {
			fd.width = f.Type.Width()
		}
		if fd.width > 0 {
			fd.at = l.table
			l.table += fd.width
		} else {
			fd.at = l.vars
			l.vars++
		}
		l.fields = append(l.fields, fd)
		fmt.Fprintf(id, "%s\x00%s\n", f.Name, f.Type)
	}
	if l.features = l.fields; sawtooth {
		l.addTiles(&v.View, id)
	}
	l.id = uint16(id.Sum32() ^ id.Sum32()>>16)
	return l
}

// addTiles adds the features of a sawtooth view, whose groups are the fields. It writes to id what the names of the groups do
// not tell.
func (l *layout) addTiles(v *fstore.View, id io.Writer) {
	l.features = nil
	for g, group := range v.TileGroups() {
		t := tiles{window.NewTiles(group.Features), &l.fields[g]}
		l.tiles, l.spans = append(l.tiles, t), append(l.spans, t.Span)
		for i, f := range group.Features {
			at := &t.Fields[i]
			l.features = append(l.features, field{f.Name, f.Type, at.Width, at.At, at.ByteN, at.Bit, at, g})
			fmt.Fprintf(id, "%s\x00%s\x00%s\n", f.Name, f.Type, f.Window.Over())
		}
	}
}

// feature returns the index of a feature, or -1.
func (l *layout) feature(name string) int {
	return slices.IndexFunc(l.features, func(f field) bool { return f.name == name })
}

// check returns an error unless a record is what was written under its key in a generation, in this layout. After it,
// fixed-width features can be read without further checks.
func (l *layout) check(at *knownPointer, key, rec []byte) error {
	if at.pointer.Layout == 0 {
		return l.checkBody(rec, versionBeforeChecksums)
	}
	if err := l.checkSum(at.sum, key, rec); err != nil {
		return err
	}
	return l.checkBody(rec[:len(rec)-checksumSize], fstore.RecordLayout)
}

// checkBody checks everything before the checksum.
func (l *layout) checkBody(rec []byte, version byte) error {
	switch {
	case len(rec) < l.table:
		return l.corrupt("%d bytes are too few", len(rec))
	case rec[0] != version:
		return l.corrupt("unknown version %d of the codec", rec[0])
	case le.Uint16(rec[2:]) != l.id || (rec[1]&flagEvent != 0) != l.event:
		return l.corrupt("written for another definition").WithHint("run: fstore materialize --full %s", l.ref)
	case rec[1]&^(flagEvent|flagWide) != 0 || rec[1]&flagWide != 0 && l.vars == 0:
		return l.corrupt("unknown flags %#x", rec[1])
	}
	if l.vars == 0 {
		if len(rec) != l.table {
			return l.corrupt("%d trailing bytes", len(rec)-l.table)
		}
		return nil
	}
	if from := l.values(rec); from > len(rec) || l.end(rec, l.vars-1) != len(rec)-from {
		return l.corrupt("the offset table does not fit %d bytes", len(rec))
	}
	return nil
}

func (l *layout) corrupt(format string, args ...any) *fstore.Error {
	return fstore.Errorf(fstore.ErrCorrupt, "record of "+l.ref.String()+": "+format, args...)
}

// values returns the offset of the values after the offset table.
func (l *layout) values(rec []byte) int {
	if rec[1]&flagWide != 0 {
		return l.table + 4*l.vars
	}
	return l.table + 2*l.vars
}

// end returns entry i of the offset table.
func (l *layout) end(rec []byte, i int) int {
	if rec[1]&flagWide != 0 {
		return int(le.Uint32(rec[l.table+4*i:]))
	}
	return int(le.Uint16(rec[l.table+2*i:]))
}

// bytes returns the encoded feature of entry i of the offset table. The record has passed check.
func (l *layout) bytes(rec []byte, i int) ([]byte, error) {
	values, from := rec[l.values(rec):], 0
	if i > 0 {
		from = l.end(rec, i-1)
	}
	to := l.end(rec, i)
	if last := l.end(rec, l.vars-1); from > to || to > last {
		return nil, l.corrupt("offsets %d and %d of %d bytes", from, to, last)
	}
	return values[from:to], nil
}

// eventOf returns the event time of a record that has passed check.
func (l *layout) eventOf(rec []byte) (us int64, ok bool) {
	if !l.event {
		return 0, false
	}
	return int64(le.Uint64(rec[recordHead:])), true
}
