package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fstore-dev/fstore"
)

// quoteHint returns what to write where SQL does not parse because a name in it is a word of SQL, such as at or order:
// the word at the error or the one before, if the SQL gets further with it in quotes. It returns "" if neither is.
func (p *fingerprinter) quoteHint(ctx context.Context, text string, err error) string {
	wrong, ok := asSQLError(err)
	if !ok || !strings.Contains(wrong.Message, "syntax error") {
		return ""
	}
	at := wrong.Offset
	if at < 0 { // at the end of the text
		at = len(text)
	}
	before := word{offset: -1}

	for _, w := range words(text) {
		name := strings.ToLower(w.text)
		isPlain := !w.parameter && strings.HasPrefix(text[w.offset:], w.text) && !clause[name]
		if w.offset > at {
			break
		}
		if w.offset == at && isPlain && !nextClause[name] && p.parsesFurther(ctx, text, w, at) {
			return quoteWord(w)
		}
		if w.offset < at {
			before = word{offset: -1}
			if isPlain {
				before = w
			}
		}
	}
	if before.offset >= 0 && strings.TrimSpace(text[before.offset+len(before.text):at]) == "" && p.parsesFurther(ctx, text, before, at) {
		return quoteWord(before)
	}
	return ""
}

var (
	// clause has words that are hardly meant as names.
	clause = functionSet("from where select join on using and or not as by having with union except intersect in is between when then else case")
	// nextClause has words before which something is missing, rather than that they are names.
	nextClause = functionSet("order group limit offset window qualify")
)

func quoteWord(w word) string {
	return fmt.Sprintf(`%[1]s is a word of SQL: as a name it is written in double quotes, "%[1]s"`, w.text)
}

// parsesFurther reports whether SQL parses, or parses further than the error, with a word in quotes.
func (p *fingerprinter) parsesFurther(ctx context.Context, text string, w word, at int) bool {
	end := w.offset + len(w.text)
	_, err := p.tree(ctx, text[:w.offset]+`"`+w.text+`"`+text[end:])
	wrong, ok := asSQLError(err)
	return err == nil || ok && wrong.Offset > max(at, end)+len(`""`)
}

func asSQLError(err error) (*fstore.SQLError, bool) {
	var e *fstore.SQLError
	ok := errors.As(err, &e)
	return e, ok
}
