package offline

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/sqltype"
)

// Folders such as store=009 give columns. The value is the text after the =, with escapes such as %20 decoded, as pyarrow,
// Spark, polars and DuckDB write it. It is converted to the declared type. Only nullFolder is null.

const nullFolder = "__HIVE_DEFAULT_PARTITION__"

var partition = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=`)

// folderValue is a column that a folder gives.
type folderValue struct{ name, written string }

// folderValues returns the columns that the folders of a file give, the outermost first. Folders above the repo do not
// count.
func (e *Engine) folderValues(file string) ([]folderValue, error) {
	at := file
	if rel, err := filepath.Rel(e.opts.Dir, file); err == nil && filepath.IsLocal(rel) {
		at = rel
	}
	var out []folderValue
	for _, dir := range strings.Split(filepath.ToSlash(filepath.Dir(at)), "/") {
		m := partition.FindStringSubmatch(dir)
		if m == nil {
			continue
		}
		v := folderValue{m[1], dir[len(m[0]):]}
		for _, o := range out {
			if strings.EqualFold(o.name, v.name) {
				return nil, fstore.Errorf(fstore.ErrInvalid, "the folders of %s give column %s twice", file, v.name).WithHint("rename one of the folders")
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// isNull reports whether the folder means null.
func (v folderValue) isNull() bool { return v.written == nullFolder }

// misread reports whether the engine reads the value as null though it is not.
func (v folderValue) misread() bool {
	return strings.EqualFold(v.written, "NULL") || strings.EqualFold(v.written, nullFolder) && !v.isNull()
}

// text returns the value.
func (v folderValue) text() string {
	if s, err := url.PathUnescape(v.written); err == nil {
		return s
	}
	return v.written // a % that does not start an escape is a plain character
}

const (
	folderDate    = `[0-9]{4}-[0-9]{2}-[0-9]{2}`
	folderInstant = folderDate + `([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}(:[0-9]{2})?)?)?`
	folderInteger = `-?[0-9]+`
	folderFloat   = `-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|nan|-?inf`
)

var (
	isFolderDate    = regexp.MustCompile("^" + folderDate + "$")
	isFolderInstant = regexp.MustCompile("^" + folderInstant + "$")
)

// fromFolder returns the conversion of the text of a folder.
func fromFolder(x string, to fstore.Type) conversion {
	like := func(pattern string) string { return "regexp_full_match(" + x + ", " + text(pattern) + ")" }
	cast := fmt.Sprintf("TRY_CAST(%s AS %s)", x, sqltype.Of(to))
	switch to {
	case fstore.Bool:
		return conversion{fits: "lower(" + x + ") IN ('true', 'false')", cast: "lower(" + x + ") = 'true'"}
	case fstore.Int32, fstore.Int64:
		return conversion{fits: like(folderInteger) + " AND " + cast + " IS NOT NULL", cast: cast}
	case fstore.Float64:
		return conversion{fits: "regexp_full_match(lower(" + x + "), " + text(folderFloat) + ") AND " + cast + " IS NOT NULL", cast: canonical(cast, to)}
	case fstore.Float32:
		double := "TRY_CAST(" + x + " AS DOUBLE)"
		exact := toFloat(double, sqltype.Parse("DOUBLE"), to)
		return conversion{fits: "regexp_full_match(lower(" + x + "), " + text(folderFloat) + ") AND (" + exact.fits + ")", cast: exact.cast}
	case fstore.Bytes:
		return conversion{cast: "encode(" + x + ")"}
	case fstore.Timestamp:
		at := "make_timestamp(epoch_us(TRY_CAST(" + x + " AS TIMESTAMPTZ)))"
		return conversion{fits: like(folderInstant) + " AND " + at + " IS NOT NULL", cast: at}
	case fstore.String: // is text already
	}
	return conversion{cast: x}
}
