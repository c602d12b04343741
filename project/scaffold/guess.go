package scaffold

import (
	"fmt"
	"path"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// Hints from the names and types of columns. The tables of names have patterns of path.Match for names in snake_case.
// Earlier patterns win.
var (
	eventNames = []string{
		"event_timestamp", "event_time", "event_ts", "event_at", "event_date", "event_*", "timestamp", "ts", "datetime", "time", "date",
		"*_timestamp", "*_ts", "*_datetime", "*_time", "*_at", "*_date", "*_on", "dt", "day",
	}
	createdNames = []string{
		"loaded_*", "load_*", "ingested_*", "ingestion_*", "inserted_*", "created_*", "created", "recorded_*", "processed_*", "updated_*", "updated",
		"*_loaded_at", "*_ingested_at", "*_inserted_at", "*_created_at", "*_updated_at",
	}
	otherTimeNames = []string{ // times of something other than the row
		"dob", "dob_*", "*birth*", "due_*", "*_due", "expir*", "*_expir*", "valid_to", "valid_until", "end_*", "*_end", "*_until", "deleted_*",
	}
	ownKeyNames = []string{"id", "key", "uuid", "guid"} // of the table's own thing
	keyNames    = []string{
		"*_id", "*_key", "*_uuid", "*_guid", "zipcode", "zip_code", "zip", "postcode", "postal_code", "sku", "email", "ticker", "*_code", "*_no",
	}
	keyEndings     = []string{"_id", "_key", "_uuid", "_guid", "_code", "_no"} // endings that the entity's name omits
	partitionTimes = []string{"year", "month", "day", "hour", "date", "dt", "week"}
)

// typeFor returns the fstore type for an engine type, or Invalid if there is none.
func typeFor(engineType string) fstore.Type { return typeOf(sqltype.Parse(engineType)) }

func typeOf(t sqltype.Type) fstore.Type {
	switch {
	case t.Name == "LIST":
		if elem := typeOf(*t.Elem); elem != fstore.Invalid && !elem.IsList() {
			return fstore.List(elem)
		}
	case t.Name == "BOOLEAN":
		return fstore.Bool
	case t.Bits > 0 && t.ValueBits() < 32:
		return fstore.Int32
	case t.Bits > 0:
		return fstore.Int64
	case t.Name == "FLOAT":
		return fstore.Float32
	case t.IsNumber():
		return fstore.Float64
	case t.IsText() && !t.Is(sqltype.Folder):
		return fstore.String
	case t.Name == "BLOB":
		return fstore.Bytes
	case t.IsTime():
		return fstore.Timestamp
	}
	return fstore.Invalid
}

// isRenamed reports whether the source gives the column another name.
func (c *guessedColumn) isRenamed() bool { return c.file != "" && c.name != c.file }

// guessedColumn is a column of a source under its proposed name.
type guessedColumn struct {
	file   string // its name in the files
	name   string
	engine string      // its engine type
	typ    fstore.Type // Invalid: it cannot be a feature or a key
	folder bool        // it comes from folders such as day=2011-12-09
	dates  bool        // its times are days
	why    string      // why it cannot be read

	optional bool // some files do not have it
}

// guessColumns names the columns of a source and finds their types.
func guessColumns(columns []fstore.EngineColumn) []guessedColumn {
	out := make([]guessedColumn, 0, len(columns))
	names := map[string]bool{}
	for i, c := range columns {
		g := guessedColumn{file: c.Name, name: c.Name, engine: c.Type, typ: typeFor(c.Type)}
		for k, t := range c.Types {
			g.folder = g.folder || t.Type == "FOLDER"
			g.dates = g.dates || t.Type == "DATE"
			if t.Type == sqltype.Null.Text && len(c.Types) == 1 {
				g.typ, g.why = fstore.Invalid, "all null, without a type"
			}
			if k > 0 && t.Type != sqltype.Null.Text && typeFor(t.Type) == fstore.Invalid {
				g.typ = fstore.Invalid
			}
		}
		g.dates = g.dates || c.Dates || c.Type == "DATE"
		switch {
		case c.Name == "":
			g.typ, g.why = fstore.Invalid, "SQL cannot read a column whose name is empty"
		case c.Unreadable != nil:
			g.typ, g.why = fstore.Invalid, c.Unreadable.Message
		case c.Untyped != nil:
			g.typ, g.why = fstore.Invalid, c.Untyped.Message
		case g.typ == fstore.Invalid && g.why == "":
			g.why = "fstore has no type for " + c.Type
		}
		if fstore.CheckName(g.name) != nil || names[g.name] {
			if g.name = nameOf(c.Name); g.name == "" {
				g.name = fmt.Sprintf("column_%d", i+1)
			}
		}
		g.name = uniqueName(g.name, names)
		out = append(out, g)
	}
	return out
}

// uniqueName returns a name, with a number appended if it is taken, and marks it as taken.
func uniqueName(name string, taken map[string]bool) string {
	unique := name
	for n := 2; taken[unique]; n++ {
		unique = fmt.Sprintf("%s_%d", name, n)
	}
	taken[unique] = true
	return unique
}

// rank returns the index of the first pattern that a name matches, or -1.
func rank(name string, patterns []string) int {
	return slices.IndexFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, name)
		return ok
	})
}

// best returns the column whose name ranks first, or nil.
func best(columns []*guessedColumn, patterns []string) *guessedColumn {
	var found *guessedColumn
	least := len(patterns) + 1
	for _, c := range columns {
		r := rank(c.name, patterns)
		if r < 0 {
			r = len(patterns)
		}
		if r < least {
			found, least = c, r
		}
	}
	return found
}

// guessTimes finds the column with the event time and the one with the created time, or nil. A column of days cannot
// be a created time.
func guessTimes(columns []guessedColumn) (event, created *guessedColumn) {
	var events, knowns, folders []*guessedColumn
	for i := range columns {
		c := &columns[i]
		switch {
		case c.folder && c.dates && !c.optional:
			folders = append(folders, c)
		case c.typ != fstore.Timestamp || rank(c.name, otherTimeNames) >= 0:
		case rank(c.name, createdNames) >= 0:
			knowns = append(knowns, c)
		case !c.optional: // event times cannot be missing
			events = append(events, c)
		}
	}
	inAll := slices.DeleteFunc(slices.Clone(knowns), func(c *guessedColumn) bool { return c.optional })
	for _, candidates := range [][]*guessedColumn{events, inAll, folders} {
		if event = best(candidates, eventNames); event != nil {
			break
		}
	}
	knowns = slices.DeleteFunc(knowns, func(c *guessedColumn) bool { return c == event || c.dates })
	if event == nil || len(knowns) == 0 {
		return event, nil
	}
	return event, best(knowns, createdNames)
}

// guessedKey is a join key and the entity that it names.
type guessedKey struct {
	column *guessedColumn
	entity string
	typ    fstore.Type
	own    bool // each row probably has its own value
}

// guessKeys finds the columns that identify what a row is about. A key named id gets the name of the table as a
// prefix.
func guessKeys(source string, columns []guessedColumn) []guessedKey {
	var out []guessedKey
	thing := singular(source)
	names := map[string]bool{}
	for _, c := range columns {
		names[c.name] = true
	}
	for i := range columns {
		c := &columns[i]
		t := keyType(c)
		own := rank(c.name, ownKeyNames) >= 0
		if t == fstore.Invalid || !own && rank(c.name, keyNames) < 0 {
			continue
		}
		if full := thing + "_" + c.name; own && !names[full] {
			c.name = full
			names[full] = true
		}
		k := guessedKey{column: c, entity: c.name, typ: t}
		for _, ending := range keyEndings {
			if short := strings.TrimSuffix(c.name, ending); short != c.name && fstore.CheckName(short) == nil {
				k.entity = short
				break
			}
		}
		k.own = own || k.entity == thing
		out = append(out, k)
	}
	return out
}

// keyType returns the type of a column as a key, or Invalid. Some writers turn integers into floats if a value is
// missing.
func keyType(c *guessedColumn) fstore.Type {
	switch c.typ {
	case fstore.Int32, fstore.Int64, fstore.String, fstore.Bytes:
		return c.typ
	case fstore.Float64, fstore.Float32:
		return fstore.Int64
	case fstore.Bool, fstore.Timestamp: // never guessed as keys
	}
	return fstore.Invalid
}

// singular returns the singular of a table's name.
func singular(table string) string {
	switch {
	case len(table) > 4 && strings.HasSuffix(table, "ies"):
		return strings.TrimSuffix(table, "ies") + "y"
	case len(table) > 2 && strings.HasSuffix(table, "s") && !strings.HasSuffix(table, "ss"):
		return strings.TrimSuffix(table, "s")
	}
	return table
}
