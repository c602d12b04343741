package online

import (
	"slices"
	"sort"
	"strings"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/ondemand"
)

// column is a column of a request. The values of one may be both a join key and what expressions read.
type column struct {
	fstore.Field
	key     bool
	request int  // index into the evaluation's request columns; −1: it is none
	needed  bool // a request must have it
}

// addColumns adds the key columns and the request columns of a list.
func (p *Prepared) addColumns(list *fstore.FeatureList) error {
	for _, f := range list.KeyColumns() {
		p.columns = append(p.columns, column{f, true, -1, true})
	}
	for i, c := range p.evaluation.RequestColumns() {
		readers, optional := p.evaluation.Readers(i)
		at := slices.IndexFunc(p.columns, func(have column) bool { return have.Name == c.Name })
		if at < 0 {
			p.columns = append(p.columns, column{c.Field(), false, i, readers != nil && !optional})
			continue
		}
		p.columns[at].request = i
		if key := p.columns[at].Type; key != c.Type && !(isInt(key) && isInt(c.Type)) {
			return fstore.Errorf(fstore.ErrInvalid, "column %s is a key of type %s and a request column of type %s", c.Name, key, c.Type)
		}
	}
	slices.SortFunc(p.columns, func(a, b column) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// column returns the index of the request's column of a name, or where it would be.
func (p *Prepared) column(name string) int {
	return sort.Search(len(p.columns), func(i int) bool { return p.columns[i].Name >= name })
}

// bind matches the request's columns with the list's, and returns the number of rows.
func (p *Prepared) bind(req *Request, sc *scratch) (int, error) {
	rows := req.Rows
	sc.columns = append(sc.columns[:0], make([]*fstore.Column, len(p.columns))...)
	sc.request = append(sc.request[:0], make([]*fstore.Column, len(p.evaluation.RequestColumns()))...)
	for i := range req.Keys {
		c := &req.Keys[i]
		at := p.column(c.Name)
		known := at < len(p.columns) && p.columns[at].Name == c.Name
		switch {
		case !known && !req.Also[c.Name]:
			return 0, p.unknownColumn(c.Name)
		case known && sc.columns[at] != nil:
			return 0, fstore.Errorf(fstore.ErrInvalid, "%s is given twice", p.called(c.Name))
		case known:
			if err := p.takes(&p.columns[at], c, sc); err != nil {
				return 0, err
			}
			sc.columns[at] = c
		}
		if i == 0 && rows == 0 {
			rows = c.Len
		}
		if c.Len != rows {
			return 0, fstore.Errorf(fstore.ErrInvalid, "%s has %d rows, not %d", p.called(c.Name), c.Len, rows)
		}
	}
	if err := p.missingColumns(sc.columns); err != nil {
		return 0, err
	}
	if len(req.Keys) == 0 {
		if rows > 1 || rows < 0 {
			return 0, fstore.Errorf(fstore.ErrInvalid, "%d rows of a list without keys, which has one", rows)
		}
		rows = 1
	}
	return rows, p.fits(rows, req.EventTimes)
}

// takes checks a column that a request brings, and converts it for expressions that read it.
func (p *Prepared) takes(column *column, c *fstore.Column, sc *scratch) (err error) {
	switch {
	case column.key && c.Type != column.Type && !(isInt(c.Type) && isInt(column.Type)):
		return fstore.Errorf(fstore.ErrInvalid, "%s is %s, not %s", p.called(c.Name), c.Type, column.Type)
	case !c.Whole():
		return fstore.Errorf(fstore.ErrInvalid, "%s does not hold its %d rows", p.called(c.Name), c.Len)
	case column.request >= 0:
		sc.request[column.request], err = ondemand.Convert(c, p.request(column).Type)
	}
	return err
}

// missingColumns returns an error that names the columns that a request must have and that this one, whose columns are in the
// order of p.columns, does not have.
func (p *Prepared) missingColumns(given []*fstore.Column) error {
	var keys, others []string
	for i, c := range given {
		switch column := &p.columns[i]; {
		case c != nil:
		case column.key:
			keys = append(keys, column.Name)
		case column.needed:
			others = append(others, column.Name+" ("+column.Type.String()+")")
		}
	}
	var missing []string
	if keys != nil {
		missing = append(missing, "key column "+strings.Join(keys, ", "))
	}
	if others != nil {
		missing = append(missing, "request column "+strings.Join(others, ", "))
	}
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return fstore.Errorf(fstore.ErrInvalid, "%s is missing", missing[0])
	}
	return fstore.Errorf(fstore.ErrInvalid, "%s and %s are missing", missing[0], missing[1])
}

// request returns the declaration of a column that expressions read.
func (p *Prepared) request(c *column) *fstore.RequestColumn {
	return &p.evaluation.RequestColumns()[c.request]
}

// called returns what messages call a column of a request.
func (p *Prepared) called(name string) string {
	if at := p.column(name); at < len(p.columns) && p.columns[at].Name == name && !p.columns[at].key {
		return "request column " + name
	}
	return "key column " + name
}

func (p *Prepared) unknownColumn(name string) error {
	if len(p.columns) == 0 {
		return fstore.Errorf(fstore.ErrInvalid, "unknown key column %s", name).WithHint("these features have no keys")
	}
	var keys, request []string
	for i := range p.columns {
		c := &p.columns[i]
		if c.key {
			keys = append(keys, c.Name)
		}
		if c.request >= 0 && !c.key {
			optional := ""
			if p.request(c).Default != nil {
				optional = ", optional"
			}
			request = append(request, c.Name+" ("+c.Type.String()+optional+")")
		}
	}
	if request == nil {
		return fstore.Errorf(fstore.ErrInvalid, "unknown key column %s", name).WithHint("the key columns are %s", strings.Join(keys, ", "))
	}
	hint := "the request columns are " + strings.Join(request, ", ")
	if keys != nil {
		hint = "the key columns are " + strings.Join(keys, ", ") + "; " + hint
	}
	return fstore.Errorf(fstore.ErrInvalid, "unknown column %s", name).WithHint("%s", hint)
}

// fits checks what is known about the answer's size before anything is read.
func (p *Prepared) fits(rows int, events EventTimes) error {
	limits := p.store.Limits
	if limits.MaxRows > 0 && rows > limits.MaxRows {
		return fstore.Errorf(fstore.ErrTooLarge, "%d rows of keys; the limit is %d", rows, limits.MaxRows).
			WithHint("ask for fewer rows at a time")
	}
	if size := rows * p.rowBytes(events); limits.MaxAnswerBytes > 0 && size > limits.MaxAnswerBytes {
		return p.answerTooLarge(size)
	}
	return nil
}

func (p *Prepared) answerTooLarge(size int) error {
	return fstore.Errorf(fstore.ErrTooLarge, "an answer of at least %d bytes; the limit is %d", size, p.store.Limits.MaxAnswerBytes).
		WithHint("ask for fewer rows or features")
}
